"""The list that this oracle proposes when it is its turn, the signatures that it collects, and the transaction."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from oracle.flow.decisions import decide_batch, sign_once
from oracle.flow.node import Node, other_members
from oracle.flow.submitting import fresh_key
from oracle.records.work import BatchRow, PeerAnswer
from protocol.committee import proposer, quorum
from protocol.encoding import to_hex
from protocol.errors import SignatureInvalid
from protocol.limits import MAX_DECISIONS
from protocol.messages import settlement_digest
from protocol.signing import require_signer
from protocol.types import BatchState, Decision, Outcome
from protocol.units import Address
from protocol.wire import to_json

MAX_ENTRIES = 512
"""Entries in one settlement: about 12,000 gas each, against a block of 30 million."""
ROUNDS = 4
"""How often a list is asked for, each time without what a quorum refused."""
SMALL_COMMITTEE = 10
"""Up to here every group of peers is tried for the longest common list."""


def propose(node: Node) -> list[bytes]:
    """If it is this oracle's turn: decide, collect signatures, submit. Returns the digests of the lists submitted."""
    head = node.chain.head()
    held = node.store.held_since(node.clock() - node.rules.settle_hold)
    by_set: dict[int, list[Decision]] = {}
    for batch in node.store.batches(BatchState.PENDING):
        members: list[str] = list(node.chain.members(batch.set_version))
        if node.address not in members or proposer(head.number, batch.set_version, members) != node.address:
            continue
        waits = batch.batch_id in held or head.timestamp < (batch.skipped_at or 0) + node.rules.skip_wait
        decision, _ = decide_batch(node, batch) if not waits else (None, "")
        if decision is not None and _is_settleable(node, batch, decision.outcome):
            by_set.setdefault(batch.set_version, []).append(decision)
    submitted = []
    for set_version, decisions in by_set.items():
        digest = settle(node, set_version, _that_fit(node, decisions))
        submitted += [digest] if digest else []
    return submitted


def settle(node: Node, set_version: int, decisions: list[Decision]) -> bytes | None:
    """Collect a quorum for the list, or for what of it a quorum can sign, and submit it. None when there is none."""
    members = node.chain.members(set_version)
    needed = quorum(len(members)) - 1
    peers = other_members(node, set_version)
    # Noted before the first question: an outcome that was signed otherwise before is not proposed.
    wanted = [d for d in decisions if sign_once(node, d, set_version) == d]
    answers: dict[Address, PeerAnswer] = {}
    refused: dict[Address, PeerAnswer] = {}
    for _ in range(ROUNDS):
        if not wanted:
            return None
        own = node.signer.sign(settlement_digest(node.domain, set_version, wanted))
        body = {"set_version": set_version, "decisions": [to_json(d) for d in wanted], "signature": to_hex(own)}
        answers = node.peers.ask_signatures(peers, body)
        signatures = _valid_signatures(node, set_version, wanted, answers)
        if len(signatures) >= needed:
            node.store.hold([d.batch_id for d in wanted], node.clock())
            return _submit(node, set_version, wanted, [own, *list(signatures.values())[:needed]])
        refused = {peer: _add_refusals(refused.get(peer), answer, wanted, peer in signatures)
                   for peer, answer in answers.items()}
        peers = [peer for peer in peers if not refused[peer.address].silent or peer.address in signatures]
        wanted = largest_common(wanted, refused, needed)
    node.log("settlement_short", set_version=set_version, needed=needed + 1,
             answers={peer: "signed" if a.signature else a.refused or "silent" for peer, a in answers.items()})
    return None


def _that_fit(node: Node, decisions: list[Decision]) -> list[Decision]:
    """As many as fit into a list and a transaction; the others come next."""
    fitting, entries = decisions[:1], len(node.store.entries(decisions[0].batch_id))
    for decision in decisions[1:MAX_DECISIONS]:
        entries += len(node.store.entries(decision.batch_id))
        if entries > MAX_ENTRIES:
            break
        fitting.append(decision)
    return fitting


def largest_common(decisions: Sequence[Decision], answers: dict[Address, PeerAnswer], needed: int) -> list[Decision]:
    """The longest list that `needed` peers that answered can sign together."""
    awake = sorted((a for a in answers.values() if not a.silent), key=lambda answer: len(answer.refused))
    best: list[Decision] = []
    # Of many peers only the most willing are tried: the number of groups would explode.
    awake = awake[: max(needed, SMALL_COMMITTEE)]
    for group in combinations(awake, needed):
        common = [d for d in decisions if not any(d.batch_id in answer.refused for answer in group)]
        if len(common) > len(best):
            best = common
    return best


def _valid_signatures(node: Node, set_version: int, decisions: Sequence[Decision],
                      answers: dict[Address, PeerAnswer]) -> dict[Address, bytes]:
    digest, found = settlement_digest(node.domain, set_version, decisions), {}
    for peer, answer in answers.items():
        try:
            if answer.signature is not None:
                require_signer(digest, answer.signature, peer, "The settlement")
                found[peer] = answer.signature
        except SignatureInvalid as error:
            node.log("peer_signature_wrong", oracle=peer, error=error.message)
    return found


def _add_refusals(before: PeerAnswer | None, answer: PeerAnswer, wanted: Sequence[Decision],
                  signed: bool) -> PeerAnswer:
    """What a peer refused so far. One that neither signs nor says what it refuses counts as silent: nobody may block a
    list by seeming willing."""
    names = {d.batch_id: answer.refused[d.batch_id] for d in wanted if d.batch_id in answer.refused}
    if signed:
        return PeerAnswer(answer.signature, before.refused if before else {})
    return PeerAnswer(None, {**(before.refused if before else {}), **names} if names else {})


def _submit(node: Node, set_version: int, decisions: list[Decision], signatures: list[bytes]) -> bytes:
    lists = [[row.entry for row in node.store.entries(d.batch_id)] if d.outcome is Outcome.PASS else []
             for d in decisions]
    heads = {batch.batch_id: batch.head for batch in node.store.find_batches([d.batch_id for d in decisions])}
    digest = settlement_digest(node.domain, set_version, decisions)
    call = node.chain.settle(set_version, decisions, [heads[d.batch_id] for d in decisions], lists, signatures)
    node.sender.submit(fresh_key(node, "settle/" + to_hex(digest)), call)
    node.log("settlement_submitted", set_version=set_version, digest=to_hex(digest),
             decisions={d.batch_id: d.outcome.name for d in decisions})
    return digest


def _is_settleable(node: Node, batch: BatchRow, outcome: Outcome) -> bool:
    """At the head, which may know more: pending, its provider not convicted, and not frozen if it would be paid."""
    record = node.chain.provider_record(batch.provider)
    if (record.frozen_batch and outcome is Outcome.PASS) or batch.batch_id <= record.convicted_through:
        return False
    return node.chain.batch(batch.batch_id).state == BatchState.PENDING
