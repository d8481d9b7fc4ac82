"""GPU challenges: commitments in time, openings once drawn, checks in the worker (R89 to R94).

What a provider signed and what is wrong with it becomes its failure, with the reason; what nobody signed is refused and
leaves no trace. A result is a badge beside the provider's offers: no money follows it.
"""

from __future__ import annotations

from dataclasses import replace

from oracle.flow.node import Node, not_ready
from oracle.records.challenges import ChallengeRow, ChallengeState
from protocol.challenge import (
    SignedCommitment,
    allowed_seconds,
    challenge_seed,
    claim_fault,
    commitment_digest,
    last_block,
    late_block,
    opening_block,
    opening_digest,
    opening_draw,
    require_form,
    window_of,
)
from protocol.challenge_opening import Opening, check_opening, opening_bytes
from protocol.encoding import to_hex
from protocol.errors import Malformed, ProviderFault, Reason, Refused
from protocol.proofs.freivalds import Multiply
from protocol.signing import recover
from protocol.units import Digest

NOBODY = "0x0000000000000000000000000000000000000000"
MOST = 16
"""Checks that the broker is told of in one step."""
SIGNATURE = 65


def accept_commitment(node: Node, signed: SignedCommitment) -> ChallengeRow:
    """Keep a provider's commitment of the present window; one that is late or cannot be true is a failure at once.

    Raises SignatureInvalid, Malformed, or Refused with unknown_provider, stake_too_low, wrong_signer, stale, not_ready,
    replay.
    """
    said, terms = signed.commitment, node.rules.challenges
    digest = commitment_digest(node.domain, said)
    _require_node_key(node, said.provider, digest, signed.signature)
    require_form(said, terms)
    if said.terms != terms.digest:
        raise Refused(Reason.STALE, f"The terms {to_hex(said.terms)} are not this oracle's, {to_hex(terms.digest)}.",
                      "Take the terms of challenges that the oracles have.")
    head, epoch = node.chain.head(), node.chain.epoch_blocks()
    if said.window > head.number:
        raise not_ready(f"Block {said.window} is not here yet.")
    if said.window != window_of(head.number, epoch, terms):
        raise Refused(Reason.STALE, f"Block {said.window} is not the present window.", "Wait for the next one.")
    block = node.chain.block(said.window)
    if block is None or block.hash != said.window_hash:
        raise not_ready(f"Block {said.window} has another hash here.")
    allowed, seconds = allowed_seconds(said.claim, said.products, terms), head.timestamp - block.timestamp
    why = claim_fault(said, terms, _largest_model(node, said.provider))
    if head.number >= late_block(said.window, terms):
        why = f"late: block {head.number} is here, and block {opening_block(said.window, terms)} draws"
    elif not why and seconds > allowed:
        why = f"late: {seconds} s where {said.claim.int8_ops} operations a second allow {allowed} s"
    state = ChallengeState.FAILED if why else ChallengeState.COMMITTED
    kept = node.store.put_challenge(ChallengeRow(digest, signed, head.timestamp, seconds, state, why))
    if kept.digest != digest:
        raise Refused(Reason.REPLAY, f"Device {said.device} committed to {to_hex(kept.digest)} in this window already.")
    node.log("challenge_committed", provider=said.provider, window=said.window, products=said.products, why=why)
    return kept


def accept_challenge_opening(node: Node, digest: bytes, body: bytes) -> ChallengeRow:
    """Keep what was drawn until the worker has checked it; `body` is the node key's signature and the packed opening.

    Raises SignatureInvalid, Malformed, or Refused with not_found, not_ready, stale, wrong_signer.
    """
    row = node.store.challenge(digest)
    if row is None:
        raise Refused(Reason.NOT_FOUND, f"There is no commitment {to_hex(digest)} here.")
    if row.state is not ChallengeState.COMMITTED:
        return row
    said, terms = row.signed.commitment, node.rules.challenges
    if len(body) > SIGNATURE + opening_bytes(said.products, terms):
        raise Malformed(f"An opening of {said.products} products has {opening_bytes(said.products, terms)} bytes.")
    _require_node_key(node, said.provider, opening_digest(node.domain, digest, body[SIGNATURE:]), body[:SIGNATURE])
    number = node.chain.head().number
    if number < opening_block(said.window, terms):
        raise not_ready(f"Block {opening_block(said.window, terms)} has not drawn yet.")
    if number > last_block(said.window, terms):
        raise Refused(Reason.STALE, f"The last block for this opening was {last_block(said.window, terms)}.")
    node.store.put_challenge_opening(digest, body[SIGNATURE:])
    return replace(row, state=ChallengeState.OPENED)


def want_checks(node: Node) -> int:
    """Fail what was never opened, tell the worker of what was. Returns how many checks it was told of."""
    terms, head = node.rules.challenges, node.chain.head().number
    for digest in node.store.unopened_challenges(head - terms.commit_blocks - terms.answer_blocks - 1):
        node.store.decide_challenge(digest, ChallengeState.FAILED, "not opened: nothing came until the last block")
    due = node.store.challenges_due(node.clock() - node.rules.enqueue_again, MOST)
    for digest in due:
        node.queue.enqueue_challenge(digest)
        node.store.mark_challenge_enqueued(digest, node.clock())
    return len(due)


def perform_check(node: Node, multiply: Multiply, digest: bytes) -> ChallengeState | None:
    """Check one opening and keep the result; None when there is nothing to check. Whatever is wrong with the opening is
    the provider's failure; what the verifier cannot do raises, and the check stays owed."""
    row, body = node.store.challenge(digest), node.store.challenge_opening(digest)
    if row is None or body is None or row.state is not ChallengeState.OPENED:
        return None
    said, terms = row.signed.commitment, node.rules.challenges
    drawn = node.chain.block(opening_block(said.window, terms))
    if drawn is None:
        raise not_ready(f"Block {opening_block(said.window, terms)} is not here.")
    seed = challenge_seed(node.domain.chain_id, said.window_hash, said.provider, said.device)
    state, why = ChallengeState.PASSED, ""
    try:
        opening = Opening.parse(body, said.products, terms)
        check_opening(seed, opening_draw(drawn.hash, digest), said.root, said.products, terms, opening, multiply)
    except ProviderFault as fault:
        state, why = ChallengeState.FAILED, f"{fault.check}: {fault.message}"
    node.store.decide_challenge(digest, state, why)
    node.log("challenge_checked", provider=said.provider, window=said.window, result=state.name, why=why)
    return state


def _require_node_key(node: Node, provider: str, digest: Digest, signature: bytes) -> None:
    stake = node.chain.provider(provider)
    if stake.node_key == NOBODY:
        raise Refused(Reason.UNKNOWN_PROVIDER, f"{provider} is not registered.", "Run: malla provider register")
    if stake.active <= 0:
        raise Refused(Reason.STAKE_TOO_LOW, f"{provider} has no active stake.", "Stake, then take challenges.")
    signer = recover(digest, signature)
    if signer != stake.node_key:
        raise Refused(Reason.WRONG_SIGNER, f"Signed by {signer}, not by the node key {stake.node_key}.",
                      "Sign with the present node key, for this chain and escrow.")


def _largest_model(node: Node, provider: str) -> int:
    models = {signed.offer.model for _, signed, _ in node.store.offers(node.clock(), None, provider)}
    return max((node.catalogue.bytes_of(model) for model in models), default=0)
