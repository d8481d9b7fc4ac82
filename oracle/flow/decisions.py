"""What this oracle decides about batches, and what it signs for a proposer.

One oracle signs one outcome a batch and set version, and one more after openings were posted on-chain, ever: what is
about to be signed is stored before it is signed.
"""

from __future__ import annotations

from collections.abc import Sequence

from oracle.flow.batch_view import BatchView, view_batch
from oracle.flow.node import Node, require_member
from oracle.flow.scoring import weigh_scores
from oracle.flow.weighing import weigh
from oracle.records.work import BatchRow
from protocol.committee import seats_bitmap
from protocol.errors import Reason, Refused
from protocol.limits import MAX_DECISIONS
from protocol.messages import settlement_digest
from protocol.types import BatchState, Decision, Outcome
from protocol.units import Wei
from protocol.verdict import decide


def decide_batch(node: Node, batch: BatchRow) -> tuple[Decision | None, str]:
    """What this oracle may sign about a batch as of now, and why; None when nothing yet."""
    if batch.state is not BatchState.PENDING:
        return None, f"The batch is {batch.state.name}."
    if batch.drawn_at is None:
        return None, "The batch is not drawn yet."
    view = view_batch(node, batch)
    outcome, why = decide(weigh_scores(node, view, weigh(node, view)), int(node.clock()), batch.opened_at is not None)
    if outcome is None:
        return None, why
    amount = sum(entry.entry.amount for entry in view.entries) if outcome is Outcome.PASS else 0
    return Decision(batch.batch_id, batch.entries_hash, outcome, Wei(amount), _auditors(node, view)), why


def sign_once(node: Node, decision: Decision, set_version: int) -> Decision:
    """Note what is about to be signed; returns what this oracle noted first. Sign only when the two are equal."""
    batch = node.store.batch(decision.batch_id)
    reopened = batch is not None and batch.opened_at is not None
    return node.store.sign_once(decision, set_version, node.clock(), reopened)


def sign_list(node: Node, set_version: int, decisions: Sequence[Decision],
              signature: bytes) -> tuple[bytes | None, dict[int, str]]:
    """Answer a proposer: a signature over its whole list, or the batches that cannot be signed, with the reason.

    Raises SignatureInvalid, Refused(not_member), or Refused(quota) on too long a list.
    """
    if not 1 <= len(decisions) <= MAX_DECISIONS or len({d.batch_id for d in decisions}) != len(decisions):
        raise Refused(Reason.QUOTA, f"A list has 1 to {MAX_DECISIONS} different batches, not {len(decisions)}.")
    digest = settlement_digest(node.domain, set_version, decisions)
    require_member(node, digest, signature, set_version)
    refused = {}
    for decision in decisions:
        objection = _object_to(node, set_version, decision)
        if objection:
            refused[decision.batch_id] = objection
    if refused:
        return None, refused
    for decision in decisions:
        first = sign_once(node, decision, set_version)
        if first != decision:
            refused[decision.batch_id] = f"This oracle signed {first.outcome.name} for it before."
    if refused:
        return None, refused
    # Whoever asked will submit it: this oracle proposes something else meanwhile, but only once for each batch, or a
    # member that collects signatures and submits nothing could hold it up for ever.
    held = node.store.held_since(node.clock() - 86_400)
    node.store.hold([d.batch_id for d in decisions if d.batch_id not in held], node.clock())
    return node.signer.sign(digest), {}


def _object_to(node: Node, set_version: int, decision: Decision) -> str | None:
    batch = node.store.batch(decision.batch_id)
    if batch is None:
        return "This oracle does not know it yet."
    if batch.set_version != set_version:
        return f"It belongs to set version {batch.set_version}."
    own, why = decide_batch(node, batch)
    if own is None:
        return why
    if own == decision:
        return None
    return f"Here it is {own.outcome.name} over {own.amount} wei with the auditors {own.auditors:#b}: {why}"


def _auditors(node: Node, view: BatchView) -> int:
    """The seats that the draw names for drawn leaves: the same bits at every oracle that made the same draw, whoever
    audited them in the end."""
    named = {entry.auditor for entry in view.entries
             if entry.drawn and entry.auditor is not None and entry.call is None}
    # Calls by what the chain says of their number: reports may have come to some oracles only.
    named |= {seat for entry in view.entries if entry.voucher is not None for seat in entry.voucher.named}
    return seats_bitmap([view.members[place] for place in sorted(named)], node.chain.seats(view.batch.set_version))
