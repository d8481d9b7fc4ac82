"""Whose turn an audit is, which openings this oracle wants, and what it knows of a batch.

The seat that the seed names begins, at the draw and when openings were posted on-chain. The next takes over one turn
after the opening for the one before was here, or after its turn began if none came; at once if that one said UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from oracle.flow.batch_view import BatchView, view_batch
from oracle.flow.node import Node
from oracle.records import EntryRow, OpeningNote
from protocol.committee import faults
from protocol.draw import auditor_at
from protocol.types import AUDIT_OPEN, BatchState, Outcome, VerdictKind
from protocol.verdict import EntryEvidence

FINAL = (VerdictKind.PASS, VerdictKind.FRAUD)
CONTRARY = (VerdictKind.FRAUD, VerdictKind.MALFORMED)


def turns_begun(view: BatchView, entry: EntryRow, now: float, turn: float) -> dict[str, float]:
    """The auditors of an entry whose turn has begun, in the order of their ranks, and when it began."""
    start = view.batch.turns_from
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
    if own and verdict is VerdictKind.UNKNOWN and own.received_at >= (entry.escalated_at or 0.0):
        return False
    if entry.escalated_at is not None:
        return True
    begun = turns_begun(view, entry, node.clock(), node.rules.audit_turn)
    return node.address in begun and not is_passed(view, entry, begun)


def weigh(node: Node, view: BatchView) -> list[EntryEvidence]:
    """What `protocol.verdict.decide` is asked with."""
    now, turn = node.clock(), node.rules.audit_turn
    return [_weigh(node, view, entry, turns_begun(view, entry, now, turn)) for entry in view.entries]


def wanted_openings(node: Node, provider: str) -> list[EntryRow]:
    """Openings that this oracle asks a provider for, also in its last chance to show them."""
    found = []
    for batch in node.store.batches(BatchState.PENDING, BatchState.FROZEN, provider=provider):
        if batch.drawn_at is not None and batch.outcome is not Outcome.FRAUD:
            view = view_batch(node, batch)
            found += [entry for entry in view.entries if wants_opening(node, view, entry)]
    return found


def _weigh(node: Node, view: BatchView, entry: EntryRow, begun: Mapping[str, float]) -> EntryEvidence:
    # From the commitment on that speaks against it: the finding itself may come later.
    passed = entry.escalated_at is None and is_passed(view, entry, begun)
    parameters = node.chain.parameters_at(view.batch.terms_version)
    records = {
        str(row.oracle): row.record.verdict
        for row in view.records_at(entry.index)
        # Whatever speaks against it counts at once; a pass counts from those whose turn it was.
        if row.record.verdict in CONTRARY or (passed and row.oracle in begun)
    }
    since = view.batch.turns_from or node.clock()
    if entry.escalated_at is not None:
        deadline = max(entry.escalated_at, since) + parameters.open_window
        opened = _came_by(view.opening_for(entry.index, node.address), deadline)
    else:
        # A provider can only open to auditors that ask: with up to f silent ones, one more has asked by then.
        deadline = since + faults(len(view.members)) * node.rules.audit_turn + parameters.open_window
        if node.address in begun:  # we asked ourselves: what others were given does not count
            deadline = max(deadline, begun[node.address] + parameters.open_window)
            opened = _came_by(view.opening_for(entry.index, node.address), deadline)
        else:
            opened = any(view.opening_for(entry.index, auditor) for auditor in begun)
        opened = opened or passed  # an auditor that passed it must have had it, even if it never came here
    own = view.own_verdict(entry.index, node.address)
    return EntryEvidence(
        report_valid=entry.entry.is_voucher or (entry.has_report and entry.has_answer),  # who pays a voucher signed it
        drawn=entry.is_owed,
        records=records,
        own=own,
        opened=opened or own in FINAL,
        open_deadline=ceil(deadline),  # whole seconds, and never before its time
    )


def _next_start(view: BatchView, entry: EntryRow, auditor: str, start: float, turn: float) -> float:
    for row in view.records_at(entry.index):
        if row.oracle == auditor and row.record.verdict is VerdictKind.UNKNOWN:
            return max(start, row.received_at)
    opening = view.opening_for(entry.index, auditor)
    return (opening.received_at if opening and start < opening.received_at <= start + turn else start) + turn


def _came_by(opening: OpeningNote | None, deadline: float) -> bool:
    return opening is not None and opening.received_at < deadline
