"""Whose turn an audit is, and which openings this oracle wants.

The seat that the seed names begins, at the draw and when openings were posted on-chain. The next takes over one turn
after the opening for the one before was here, or after its turn began if none came; at once if that one said UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Mapping

from oracle.flow.batch_view import BatchView, view_batch
from oracle.flow.evidence import is_of_canary
from oracle.flow.node import Node
from oracle.records.work import EntryRow
from protocol.committee import faults
from protocol.draw import auditor_at
from protocol.types import AUDIT_OPEN, BatchState, Outcome, VerdictKind

FINAL = (VerdictKind.PASS, VerdictKind.FRAUD)


def turns_begun(view: BatchView, entry: EntryRow, now: float, turn: float) -> dict[str, float]:
    """The auditors of an entry whose turn has begun, in the order of their ranks, and when it began."""
    start = turns_from(view, entry)
    if start is None or entry.auditor is None:
        return {}
    begun: dict[str, float] = {}
    for rank in range(len(view.members)):
        if start > now:
            break
        auditor = view.members[auditor_at(entry.auditor, rank, len(view.members))]
        begun[auditor] = start
        if entry.audit != AUDIT_OPEN:  # else all of them begin at once
            start = _next_start(view, entry, auditor, start, turn)
    return begun


def turns_from(view: BatchView, entry: EntryRow) -> float | None:
    """Since when auditors take turns: a call can be opened once it is reported."""
    start = view.batch.turns_from
    return start if start is None or entry.call is None else max(start, entry.call.since)


def is_passed(view: BatchView, entry: EntryRow, begun: Mapping[str, float]) -> bool:
    """Whether the named auditor passed the entry, or f + 1 of those whose turn has begun, so that one is honest. Who
    committed to a pass only after it could have seen another's does not count among these."""
    passes = [row for row in view.records_at(entry.index) if row.record.verdict is VerdictKind.PASS]
    if next(iter(begun), None) in {row.oracle for row in passes}:
        return True
    return len({row.oracle for row in passes if row.timely} & set(begun)) > faults(len(view.members))


def wants_opening(node: Node, view: BatchView, entry: EntryRow) -> bool:
    """Whether this oracle has to audit the entry now and holds nothing to audit."""
    return owes_audit(node, view, entry) and view.opening_for(entry.index, node.address) is None


def owes_audit(node: Node, view: BatchView, entry: EntryRow) -> bool:
    """Whether this oracle has to find out about the entry itself, and has not."""
    own = view.own_record(entry.index, node.address)
    verdict = own.record.verdict if own else None
    if not entry.is_owed or verdict in FINAL:
        return False
    is_told = own is not None and own.received_at >= (entry.escalated_at or 0.0) and not is_of_canary(own.evidence)
    if is_told and verdict is VerdictKind.UNKNOWN:
        return False
    if entry.escalated_at is not None:
        return True
    begun = turns_begun(view, entry, node.clock(), node.rules.audit_turn)
    return node.address in begun and not is_passed(view, entry, begun)


def wanted_openings(node: Node, provider: str) -> list[EntryRow]:
    """Openings that this oracle asks a provider for, also in its last chance to show them."""
    found = []
    for batch in node.store.batches(BatchState.PENDING, BatchState.FROZEN, provider=provider):
        if batch.drawn_at is not None and batch.outcome is not Outcome.FRAUD:
            view = view_batch(node, batch)
            found += [entry for entry in view.entries if wants_opening(node, view, entry)]
    return found


def _next_start(view: BatchView, entry: EntryRow, auditor: str, start: float, turn: float) -> float:
    for row in view.records_at(entry.index):
        if row.oracle == auditor and row.record.verdict is VerdictKind.UNKNOWN:
            return max(start, row.received_at)
    opening = view.opening_for(entry.index, auditor)
    return (opening.received_at if opening and start < opening.received_at <= start + turn else start) + turn
