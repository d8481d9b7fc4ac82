"""The verdict that the api shows of a job: a finding, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oracle.flow.evidence import checks_of
from oracle.flow.node import Node
from oracle.flow.turns import FINAL
from oracle.records.work import BatchRow, JobRow, RecordRow
from protocol.types import CANARY_ONLY, BatchState, Outcome, VerdictKind
from protocol.verdict import NOT_OPENED, is_beyond

HARDEST_FIRST = (VerdictKind.FRAUD, VerdictKind.MALFORMED, VerdictKind.PASS, VerdictKind.UNKNOWN)


def show_verdict(node: Node, row: JobRow, batch: BatchRow | None, found: Sequence[RecordRow]) -> dict[str, Any] | None:
    """The finding that counts: this oracle's own if it has one, else the hardest one of its peers."""
    return None if row.index is None else verdict_of(node, batch, row.index, row.audit == CANARY_ONLY, found)


def verdict_of(node: Node, batch: BatchRow | None, unit: int, kept_back: bool,
               found: Sequence[RecordRow]) -> dict[str, Any] | None:
    """The same of any audited unit; `kept_back` if the order lets nobody audit it."""
    if batch is None:
        return None
    records = [r for r in found if (r.record.batch_id, r.record.index) == (batch.batch_id, unit)]
    records.sort(key=lambda r: (r.oracle != node.address or r.record.verdict not in FINAL,
                                HARDEST_FIRST.index(r.record.verdict)))
    if not records:
        fraud = any(r.record.batch_id == batch.batch_id and r.record.verdict is VerdictKind.FRAUD for r in found)
        return _unaudited(batch, fraud, kept_back)
    chosen = records[0]
    evidence, kind = chosen.evidence, chosen.record.verdict
    by_score = batch.outcome is Outcome.FRAUD and is_beyond(kind, checks_of(evidence))
    return {
        "kind": VerdictKind.FRAUD.name if by_score else kind.name,
        "reason": evidence.get("reason", "") + (" The score of its provider convicts." if by_score else ""),
        "checks": evidence.get("checks", []),
        "statistics": evidence.get("statistics"),
        "thresholds": evidence.get("thresholds"),
        "p_value": evidence.get("p_value"),
        "self_noise": evidence.get("self_noise"),
        "oracle": chosen.oracle,
        "records": {r.oracle: r.record.verdict.name for r in records},
    }


def _unaudited(batch: BatchRow, fraud: bool, kept_back: bool) -> dict[str, Any] | None:
    """`fraud`: an audit of another entry of the batch found it; `kept_back`: the order lets nobody audit this one."""
    if batch.state is BatchState.PENDING:
        return None
    if batch.outcome is Outcome.FRAUD and batch.opened_at is not None and not fraud:
        return _no_record("FRAUD", "A drawn leaf of its batch was still not opened after its provider had posted "
                          "openings on-chain.", NOT_OPENED)
    reasons = {
        Outcome.PASS: "Its report is valid; its class is canary-only, so nobody audited it." if kept_back
        else "Its report is valid and it was not drawn.",
        Outcome.NOT_OPENED: "A drawn leaf of its batch was not opened in time.",
        Outcome.DEFAULT: "No quorum decided; the stored answers did.",
    }
    reason = reasons.get(batch.outcome, "Its provider was convicted for other work.")
    return _no_record(batch.outcome.name if batch.outcome in reasons else "CONVICTED", reason)


def _no_record(kind: str, reason: str, *checks: str) -> dict[str, Any]:
    return {"kind": kind, "reason": reason, "checks": list(checks), "statistics": None, "thresholds": None,
            "p_value": None, "self_noise": None, "oracle": None, "records": {}}
