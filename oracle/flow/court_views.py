"""What the api shows of cases: JSON values, wei as strings, bytes as 0x strings."""

from __future__ import annotations

from typing import Any

from oracle.flow.batch_view import find_unit
from oracle.flow.case_waits import awaited
from oracle.flow.node import Node
from oracle.flow.ruling_answers import find_case
from oracle.records.court import CaseRow
from protocol.encoding import to_hex
from protocol.types import CaseKind, Ruling

MOST = 100


def show_cases(node: Node, plaintiff: str | None, provider: str | None, is_open: bool | None) -> list[dict[str, Any]]:
    """Newest first."""
    found = [case for case in node.store.cases(is_open=is_open)
             if plaintiff in (None, case.plaintiff) and provider in (None, case.provider)]
    newest = sorted(found, key=lambda case: case.case_id, reverse=True)
    return [_show(node, case) for case in newest[:MOST]]


def show_case(node: Node, case_id: int) -> dict[str, Any]:
    """With what this oracle's own replays found once it is closed: before, another could copy them. Raises
    Refused(not_found, not_ready)."""
    case = find_case(node, case_id)
    reviews = [] if case.is_open else node.store.reviews(case_id)
    found = [{"unit": row.unit, "verdict": row.verdict.name, "beyond_profile": row.beyond, "reason": row.reason}
             for row in reviews if row.verdict is not None]
    return _show(node, case) | {"own_findings": found}


def _show(node: Node, case: CaseRow) -> dict[str, Any]:
    line = find_unit(node, case.batch_id, case.index) if case.kind is CaseKind.DISPUTE else None
    signed, wait = case.own is not Ruling.NONE, awaited(node, case)
    return {
        "case_id": case.case_id,
        "kind": case.kind.name,
        "state": "OPEN" if case.is_open else case.ruling.name,
        "batch_id": case.batch_id,
        "index": case.index,
        "job_id": to_hex(line.entry.job_id) if line is not None else None,
        "plaintiff": case.plaintiff,
        "provider": case.provider,
        "bond": str(case.bond),
        "set_version": case.set_version,
        "opened_at": case.opened_at,
        "deadline": case.deadline,
        "opened_tx": to_hex(case.opened_tx),
        "closed_at": case.closed_at,
        "closed_tx": to_hex(case.closed_tx) if case.closed_tx else None,
        "own_ruling": case.own.name if signed and not case.is_open else None,
        "waits_for": wait.what if wait else None,
        "waits_on": wait.who if wait else None,
        "waits_until": wait.until if wait else None,
    }
