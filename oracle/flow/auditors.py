"""How diligent the other auditors are: what they missed, and numbers that an honest replay does not give.

Each oracle counts for itself; nothing is signed about it, and what an oracle is paid is as the contract has it.
"""

from __future__ import annotations

import math
from typing import Any

from oracle.flow.batch_view import BatchView
from oracle.flow.node import Node
from oracle.flow.turns import is_passed, turns_begun
from oracle.records.confirmations import AuditorFault
from oracle.records.work import EntryRow, RecordRow
from protocol.draw import epoch_of

MISSED, OFF_SPREAD, COPIED = "missed", "off_spread", "copied"


def compare_findings(node: Node, view: BatchView, index: int) -> None:
    """Count, of what is known about a leaf, numbers beyond the honest spread and late copies of somebody else's."""
    rows = [row for row in view.records_at(index) if _numbers(row)]
    own = next((row for row in rows if row.oracle == node.address), None)
    found = []
    for row in rows:
        if row.oracle == node.address:
            continue
        if own is not None and is_off_spread(own.evidence, row.evidence):
            found.append(_fault(node, view, index, row.oracle, OFF_SPREAD))
        if not row.timely and any(_numbers(other) == _numbers(row) for other in rows if other is not row):
            found.append(_fault(node, view, index, row.oracle, COPIED))
    _keep(node, found)


def is_off_spread(own: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two replays of one transcript differ by more than the profile lets an honest one differ from the claim:
    both measure the distance to the same claim, so honest ones lie no farther apart than one threshold."""
    limits, mine, theirs = own.get("thresholds"), own.get("statistics"), other.get("statistics")
    if not (isinstance(limits, dict) and isinstance(mine, dict) and isinstance(theirs, dict)):
        return False
    gaps = {name: abs(_number(value) - _number(theirs.get(name))) for name, value in mine.items() if value is not None}
    return any(not gaps[name] <= _number(limit) for name, limit in limits.items() if name in gaps)


def note_missed(node: Node, view: BatchView) -> None:
    """Count auditors that had the opening for longer than a turn when it was their duty, and committed to nothing."""
    now, turn, found = node.clock(), node.rules.audit_turn, []
    committed = {(row.index, row.oracle) for row in node.store.commitments(view.batch.batch_id)}
    for entry in view.entries:
        for auditor, since in _duties(view, entry, now, turn).items():
            opening = view.opening_for(entry.index, auditor)
            late = opening is not None and now > max(since, opening.received_at) + turn
            if late and auditor != node.address and (entry.index, auditor) not in committed:
                found.append(_fault(node, view, entry.index, auditor, MISSED))
    _keep(node, found)


def show_auditors(node: Node) -> list[dict[str, Any]]:
    """What this oracle counted, an oracle and epoch a row, newest first."""
    rows: dict[tuple[int, str], dict[str, Any]] = {}
    for oracle, epoch, kind, count in node.store.count_faults():
        row = rows.setdefault((epoch, oracle), {"oracle": oracle, "epoch": epoch, MISSED: 0, OFF_SPREAD: 0, COPIED: 0})
        row[kind] = count
    return list(rows.values())


def _duties(view: BatchView, entry: EntryRow, now: float, turn: float) -> dict[str, float]:
    """Who has to audit an entry, and since when."""
    if not entry.is_owed:
        return {}
    if entry.escalated_at is not None:
        return dict.fromkeys(view.members, entry.escalated_at)
    begun = turns_begun(view, entry, now, turn)
    return {} if is_passed(view, entry, begun) else begun


def _numbers(row: RecordRow) -> dict[str, Any] | None:
    found = row.evidence.get("statistics")
    return found if isinstance(found, dict) and found else None


def _number(value: Any) -> float:
    """Numbers are texts in evidence; what is none is as far off as can be."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _fault(node: Node, view: BatchView, index: int, oracle: str, kind: str) -> AuditorFault:
    epoch = epoch_of(view.batch.committed_block, node.chain.epoch_blocks())
    return AuditorFault(oracle, epoch, view.batch.batch_id, index, kind)  # type: ignore[arg-type]


def _keep(node: Node, faults: list[AuditorFault]) -> None:
    if faults and node.store.put_faults(faults):
        for fault in faults:
            node.log("auditor_fault", oracle=fault.oracle, batch_id=fault.batch_id, index=fault.index, kind=fault.kind)
