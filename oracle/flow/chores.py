"""What anyone may do so that no state lasts for ever: oracles take turns, and doing it twice harms nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from oracle.flow.court_chores import court_due
from oracle.flow.node import Node
from oracle.flow.submitting import fresh_key, has_turn
from protocol.encoding import to_hex
from protocol.errors import ChainRefused
from protocol.types import BatchState, Entry, JobState

BURN_EVERY = 300
"""Blocks between two burns of the fees."""
MOST = 16
"""Chores of one turn."""


def do_chores(node: Node) -> int:
    """While it is this oracle's turn, submit what is due, each call after a look at the chain. Returns how many calls
    were submitted."""
    head, set_version = node.chain.head(), node.chain.set_version()
    if not set_version or not has_turn(node, set_version, head.number):
        return 0
    done = 0
    for key, call in _due(node, head):
        if done == MOST:
            break
        name = fresh_key(node, key)
        if node.sender.outcome(name) is not None:
            continue
        if not has_turn(node, set_version, node.chain.head().number):
            break  # the calls before took their time: whoever's turn it is by now does the rest
        try:
            node.sender.submit(name, call)
        except ChainRefused as refusal:
            # Another oracle was quicker, or the contract's clock is behind ours: the next turn looks again.
            node.log("chore_refused", key=name, error=refusal.error)
            continue
        node.log("chore_submitted", key=name)
        done += 1
    return done


def _due(node: Node, head: Any) -> Iterator[tuple[str, Any]]:
    yield from _forfeits(node, head)
    yield from _defaults(node, head)
    yield from _refunds(node, head)
    yield from court_due(node, head)
    yield from _burns(node, head)


def _forfeits(node: Node, head: Any) -> Iterator[tuple[str, Any]]:
    for batch in node.store.batches(BatchState.FROZEN, BatchState.PENDING):
        if batch.state is BatchState.FROZEN:
            due = batch.frozen_until is not None and head.timestamp >= batch.frozen_until
        else:
            due = batch.batch_id <= node.chain.provider_record(batch.provider).convicted_through
        if due and node.chain.batch(batch.batch_id).state == batch.state:
            call = node.chain.forfeit(batch.batch_id, batch.head, _entries(node, batch.batch_id))
            yield f"forfeit/{batch.batch_id}", call


def _defaults(node: Node, head: Any) -> Iterator[tuple[str, Any]]:
    for batch in node.store.batches(BatchState.PENDING):
        terms = node.chain.parameters_at(batch.terms_version)
        since = batch.opened_at or batch.committed_at  # openings posted on-chain start the windows again
        if head.timestamp < since + terms.maturity_window + terms.evidence_window:
            continue
        record = node.chain.provider_record(batch.provider)
        held = record.frozen_batch or batch.batch_id <= record.convicted_through
        if not held and node.chain.batch(batch.batch_id).state == BatchState.PENDING:
            call = node.chain.mature_by_default(batch.batch_id, batch.head, _entries(node, batch.batch_id))
            yield f"default/{batch.batch_id}", call


def _refunds(node: Node, head: Any) -> Iterator[tuple[str, Any]]:
    for row in node.store.open_jobs():
        convicted = node.chain.provider_record(row.job.provider).convicted_at
        if head.timestamp < row.deadline and not row.opened_at <= convicted:
            continue
        if node.chain.job(row.job_id).state == JobState.OPEN:
            yield "refund/" + to_hex(row.job_id), node.chain.refund_job(row.job)


def _burns(node: Node, head: Any) -> Iterator[tuple[str, Any]]:
    """Fees, and what slashes condemned, in the first round of turns of every so many blocks."""
    number, since = divmod(head.number, BURN_EVERY)
    if since >= 4 * len(node.chain.members(node.chain.set_version())):
        return
    if node.chain.fees_to_burn():
        yield f"burn-fees/{number}", node.chain.burn_fees()
    if node.chain.condemned():
        yield f"burn-condemned/{number}", node.chain.burn_condemned()


def _entries(node: Node, batch_id: int) -> list[Entry]:
    return [row.entry for row in node.store.entries(batch_id)]
