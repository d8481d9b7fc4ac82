"""Cases of the court as this oracle knows them: what it has to replay for each, and what it may sign about it.

A dispute is about one entry, an appeal about every leaf for which somebody's record says FRAUD. Each is replayed anew,
whatever an audit found before, and whether it was drawn or not.
"""

from __future__ import annotations

from oracle.flow.batch_view import find_unit
from oracle.flow.node import Node
from oracle.flow.verification import PROVIDER
from oracle.records.court import CaseRow
from oracle.records.work import BatchRow, EntryRow
from protocol.ruling import OwnFinding, decide_ruling, opening_due
from protocol.types import BatchState, CaseKind, Ruling, VerdictKind


def open_cases(node: Node) -> list[CaseRow]:
    """Those that this oracle may rule now."""
    return [case for case in node.store.cases(is_open=True) if node.clock() < case.deadline and is_judge(node, case)]


def is_judge(node: Node, case: CaseRow, oracle: str | None = None) -> bool:
    return (oracle or node.address) in node.chain.members(case.set_version)


def is_contested(node: Node, batch_id: int, unit: int, auditor: str) -> bool:
    """Whether the auditor is asked for a ruling about this unit."""
    return any(
        is_judge(node, case, auditor) and (case.index == unit or case.kind is CaseKind.APPEAL)
        for case in node.store.cases(is_open=True, batch_id=batch_id)
    )


def contested_units(node: Node, case: CaseRow) -> list[EntryRow]:
    """The units that a case is about; none before the batch is drawn here, and none of a voucher."""
    batch = node.store.batch(case.batch_id)
    if batch is None or batch.drawn_at is None:  # the draw names the group of fingerprints
        return []
    found = (find_unit(node, case.batch_id, unit) for unit in _units(node, case))
    return [entry for entry in found if entry is not None and (entry.call is not None or not entry.entry.is_voucher)]


def undrawn_batches(node: Node) -> list[BatchRow]:
    """Batches that ended before they were drawn here and that a case asks for."""
    numbers = {case.batch_id for case in node.store.cases(is_open=True)}
    ended = (BatchState.MATURED, BatchState.FORFEITED)
    return [batch for batch in node.store.find_batches(numbers) if batch.drawn_at is None and batch.state in ended]


def wanted_by_cases(node: Node, provider: str) -> list[EntryRow]:
    """Openings that this oracle asks a provider for because of cases, also where a peer's copy is here: a peer that
    sends what cannot be read, again and again, must not keep the provider's own away."""
    found = []
    for case in open_cases(node):
        if case.provider == provider:
            done = {row.unit for row in node.store.reviews(case.case_id) if row.verdict is not None}
            found += [entry for entry in contested_units(node, case)
                      if entry.index not in done and not has_opening(node, case, entry.index, own=True)]
    return found


def has_opening(node: Node, case: CaseRow, unit: int, before: float | None = None,
                own: bool = False) -> bool:
    """Whether a readable opening for this oracle is here, and came before that second. `own`: the provider's own, and
    no peer's copy."""
    return any(note.auditor == node.address and note.readable and (before is None or note.received_at < before)
               and (not own or note.source == PROVIDER) for note in node.store.openings(case.batch_id, unit))


def decide_case(node: Node, case: CaseRow) -> tuple[Ruling | None, str]:
    """What this oracle may sign about a case as of now, and why; what it signed once it signs again."""
    if case.own is not Ruling.NONE:
        return case.own, "This oracle signed it before."
    line = find_unit(node, case.batch_id, case.index)
    is_voucher = case.kind is CaseKind.DISPUTE and line is not None and line.entry.is_voucher
    now = node.clock()
    due = opening_due(case.opened_at, case.deadline, now if case.wanted_at is None else case.wanted_at)
    made = {row.unit: row for row in node.store.reviews(case.case_id)}
    findings = []
    for entry in contested_units(node, case):
        row = made.get(entry.index)
        findings.append(OwnFinding(row.verdict if row else None, row.beyond if row else False,
                                   has_opening(node, case, entry.index, due)))
    return decide_ruling(case.kind, is_voucher, findings, now, due, case.deadline)


def _units(node: Node, case: CaseRow) -> list[int]:
    if case.kind is CaseKind.DISPUTE:
        return [case.index]
    records = node.store.records(case.batch_id)
    return sorted({row.record.index for row in records if row.record.verdict is VerdictKind.FRAUD})
