"""What this oracle knows of each entry and call of a batch, as `protocol.verdict.decide` is asked with."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from oracle.flow.batch_view import BatchView
from oracle.flow.node import Node
from oracle.flow.turns import FINAL, is_passed, turns_begun, turns_from
from oracle.records.work import EntryRow, OpeningNote
from protocol.committee import faults
from protocol.types import VerdictKind
from protocol.verdict import EntryEvidence

CONTRARY = (VerdictKind.FRAUD, VerdictKind.MALFORMED)


def weigh(node: Node, view: BatchView) -> list[EntryEvidence]:
    """What `protocol.verdict.decide` is asked with."""
    now, turn = node.clock(), node.rules.audit_turn
    return [_weigh(node, view, entry, turns_begun(view, entry, now, turn)) for entry in view.entries]


def _weigh_voucher(node: Node, view: BatchView, entry: EntryRow) -> EntryEvidence:
    """Who pays it signed it. What it owes is the report of its calls; as long as that is missing, it counts as not
    opened whether a call of it is drawn or not: an amount that no call explains is paid to nobody (R123)."""
    voucher, name = entry.voucher, f"the report of voucher {entry.index}"
    if voucher is None or voucher.is_complete:
        return EntryEvidence(report_valid=voucher is not None, drawn=False, name=name)
    since = view.batch.turns_from or node.clock()
    deadline = since + _longest_opening(node, view)
    return EntryEvidence(report_valid=False, drawn=not voucher.is_reported, open_deadline=ceil(deadline), name=name)


def _longest_opening(node: Node, view: BatchView) -> float:
    """A provider can only open to auditors that ask: with up to f silent ones, one more has asked by then."""
    open_window = node.chain.parameters_at(view.batch.terms_version).open_window
    return faults(len(view.members)) * node.rules.audit_turn + open_window


def _weigh(node: Node, view: BatchView, entry: EntryRow, begun: Mapping[str, float]) -> EntryEvidence:
    if entry.call is None and entry.entry.is_voucher:
        return _weigh_voucher(node, view, entry)
    # From the commitment on that speaks against it: the finding itself may come later.
    passed = entry.escalated_at is None and is_passed(view, entry, begun)
    parameters = node.chain.parameters_at(view.batch.terms_version)
    records = {
        str(row.oracle): row.record.verdict
        for row in view.records_at(entry.index)
        # Whatever speaks against it counts at once; a pass counts from those whose turn it was.
        if row.record.verdict in CONTRARY or (passed and row.oracle in begun)
    }
    since = turns_from(view, entry) or node.clock()
    if entry.escalated_at is not None:
        deadline = max(entry.escalated_at, since) + parameters.open_window
        opened = _came_by(view.opening_for(entry.index, node.address), deadline)
    else:
        deadline = since + _longest_opening(node, view)
        if node.address in begun:  # we asked ourselves: what others were given does not count
            deadline = max(deadline, begun[node.address] + parameters.open_window)
            opened = _came_by(view.opening_for(entry.index, node.address), deadline)
        else:
            opened = any(view.opening_for(entry.index, auditor) for auditor in begun)
        opened = opened or passed  # an auditor that passed it must have had it, even if it never came here
    own = view.own_verdict(entry.index, node.address)
    return EntryEvidence(
        report_valid=entry.call is not None or (entry.has_report and entry.has_answer),
        drawn=entry.is_owed,
        records=records,
        own=own,
        opened=opened or own in FINAL,
        open_deadline=ceil(deadline),  # whole seconds, and never before its time
        name=f"entry {entry.index}" if entry.call is None else f"call {entry.call.number} (unit {entry.index})",
    )


def _came_by(opening: OpeningNote | None, deadline: float) -> bool:
    return opening is not None and opening.received_at < deadline
