"""Rulings: each oracle signs one a case, stored before its signature leaves; whose turn it is collects a quorum.

An oracle that has the disputed transcript seals it again to a peer that lacks it: leaf and spec digest fix all of it,
so a provider cannot split the court by opening to some of its members only.
"""

from __future__ import annotations

from typing import Any

from oracle.court_rows import CaseRow
from oracle.flow.court import decide_case, has_opening, is_judge, open_cases
from oracle.flow.node import Node, not_ready, other_members, require_member
from oracle.flow.settlement import fresh_key
from oracle.records import Member, OpeningRow, PeerAnswer
from protocol.committee import proposer, quorum
from protocol.encoding import to_hex
from protocol.errors import BadInput, ChainRefused, Reason, Refused, SignatureInvalid, TooLarge
from protocol.limits import MAX_TRANSCRIPT
from protocol.messages import ruling_digest
from protocol.sealing import OVERHEAD, new_secret, seal, unseal
from protocol.signing import require_signer
from protocol.types import CaseKind, Ruling
from protocol.units import Address

NEEDS_OPENING = "needs_opening"
"""What a peer says that would rule if it had the disputed transcript."""


def propose_rulings(node: Node) -> int:
    """If it is this oracle's turn: decide, collect signatures, submit. Returns how many rulings were submitted."""
    cases, done = open_cases(node), 0
    if not cases:
        return 0
    head = node.chain.head()
    for case in cases:
        members: list[str] = list(node.chain.members(case.set_version))
        key = fresh_key(node, f"rule/{case.case_id}")
        if proposer(head.number, case.set_version, members) != node.address or node.sender.outcome(key) is not None:
            continue
        ruling, _ = decide_case(node, case)
        if ruling is None or node.chain.court_case(case.case_id).ruling != Ruling.NONE:
            continue
        ruling = node.store.sign_ruling_once(case.case_id, ruling, node.clock())
        signatures = _collect(node, case, ruling, quorum(len(members)))
        if signatures:
            done += _submit(node, case, ruling, key, signatures)
    return done


def sign_ruling(node: Node, case_id: int, ruling: Ruling, signature: bytes, sealed: bytes) -> tuple[bytes | None, str]:
    """Answer a peer that collects: this oracle's signature, or why not. `sealed` is the disputed transcript sealed to
    this oracle, or empty.

    Raises SignatureInvalid, TooLarge, or Refused: not_found, not_ready, not_member.
    """
    case = find_case(node, case_id)
    digest = ruling_digest(node.chain.court_domain, case_id, ruling)
    peer = require_member(node, digest, signature, case.set_version)
    if not is_judge(node, case):
        return None, "This oracle is no member of the case's set."
    if not case.is_open:
        return None, f"The case was closed ({case.ruling.name})."
    if sealed and case.kind is CaseKind.DISPUTE:
        limit = MAX_TRANSCRIPT + OVERHEAD
        if len(sealed) > limit:
            raise TooLarge("The sealed opening", len(sealed), limit)
        if not has_opening(node, case, case.index):
            row = OpeningRow(case.batch_id, case.index, node.address, sealed, str(peer), node.clock())
            node.store.put_opening(row, b"")
    own, why = decide_case(node, case)
    lacks = case.kind is CaseKind.DISPUTE and case.own is Ruling.NONE and not has_opening(node, case, case.index)
    if own is None or own is not ruling:
        return None, NEEDS_OPENING if lacks else why if own is None else f"Here it is {own.name}: {why}"
    if (first := node.store.sign_ruling_once(case_id, ruling, node.clock())) is not ruling:
        return None, f"This oracle signed {first.name} for it before."
    return node.signer.sign(digest), ""


def find_case(node: Node, case_id: int) -> CaseRow:
    """The case as this oracle knows it. Raises Refused: not_ready when the chain has it and this oracle not yet."""
    case = node.store.case(case_id) if 0 < case_id < 2**63 else None
    if case is not None:
        return case
    if 0 < case_id <= node.chain.case_count():
        raise not_ready(f"Case {case_id} is not final here yet.")
    raise Refused(Reason.NOT_FOUND, "There is no case of that number.", "Ids of cases begin at 1.")


def _collect(node: Node, case: CaseRow, ruling: Ruling, needed: int) -> list[bytes]:
    """Signatures of a quorum, this oracle's own first; empty when there is none yet."""
    digest = ruling_digest(node.chain.court_domain, case.case_id, ruling)
    own = node.signer.sign(digest)
    body: dict[str, Any] = {"case_id": case.case_id, "ruling": ruling.name, "signature": to_hex(own), "sealed": "0x"}
    peers = other_members(node, case.set_version)
    answers = node.peers.ask_rulings([(peer, body) for peer in peers])
    lacking = [peer for peer in peers if NEEDS_OPENING in answers[peer.address].refused.values()]
    for peer in lacking:
        sealed = _seal_again(node, case, peer)
        if sealed is not None:
            answers |= node.peers.ask_rulings([(peer, {**body, "sealed": to_hex(sealed)})])
    found = [own]
    for peer in peers:
        signature = _valid(node, digest, peer.address, answers[peer.address])
        found += [signature] if signature is not None else []
    if len(found) >= needed:
        return found[:needed]
    node.log("ruling_short", case_id=case.case_id, ruling=ruling.name, needed=needed,
             answers={peer: "signed" if a.signature else a.refused or "silent" for peer, a in answers.items()})
    return []


def _valid(node: Node, digest: bytes, peer: Address, answer: PeerAnswer) -> bytes | None:
    try:
        if answer.signature is not None:
            require_signer(digest, answer.signature, peer, "The ruling")
    except SignatureInvalid as error:
        node.log("peer_signature_wrong", oracle=peer, error=error.message)
        return None
    return answer.signature


def _seal_again(node: Node, case: CaseRow, peer: Member) -> bytes | None:
    opening = node.store.opening(case.batch_id, case.index, node.address) if case.kind is CaseKind.DISPUTE else None
    try:
        return seal(unseal(opening.sealed, node.seal_secret), peer.encryption_key, new_secret()) if opening else None
    except BadInput:  # it was never read here: then there is nothing to pass on
        return None


def _submit(node: Node, case: CaseRow, ruling: Ruling, key: str, signatures: list[bytes]) -> bool:
    batch = node.store.batch(case.batch_id)
    if batch is None:
        return False
    frees = case.kind is CaseKind.APPEAL and ruling is Ruling.UPHELD
    entries = [row.entry for row in node.store.entries(case.batch_id)] if frees else []
    try:
        node.sender.submit(key, node.chain.rule(case.case_id, ruling, batch.head, entries, signatures))
    except ChainRefused as refusal:  # another oracle was quicker, or the contract's clock is behind ours
        node.log("ruling_refused", case_id=case.case_id, error=refusal.error)
        return False
    node.log("ruling_submitted", case_id=case.case_id, ruling=ruling.name, signatures=len(signatures))
    return True
