"""What the api shows of jobs: JSON values, wei as strings, bytes as 0x strings."""

from __future__ import annotations

from typing import Any

from oracle.flow.node import Node
from oracle.flow.turns import FINAL
from oracle.records import BatchRow, JobRow
from protocol.encoding import to_hex
from protocol.errors import Reason, Refused
from protocol.types import BatchState, JobState, Outcome, VerdictKind

HARDEST_FIRST = (VerdictKind.FRAUD, VerdictKind.MALFORMED, VerdictKind.PASS, VerdictKind.UNKNOWN)


def show_job(node: Node, job_id: bytes) -> dict[str, Any]:
    """Raises Refused(not_found)."""
    row = node.store.job(job_id)
    if row is None:
        raise Refused(Reason.NOT_FOUND, f"There is no job {to_hex(job_id)} here.", "It shows once its block is final.")
    return _job(node, row)


def show_jobs(node: Node, requester: str | None, provider: str | None, state: str | None, limit: int) -> list[Any]:
    """Newest first."""
    number = int(JobState[state]) if state else None
    rows = node.store.jobs(requester=requester, provider=provider, state=number, limit=limit)
    return [_job(node, row) for row in rows]


def _job(node: Node, row: JobRow) -> dict[str, Any]:
    batch = node.store.batch(row.batch_id) if row.batch_id is not None else None
    report = node.store.report(row.job_id)
    settlement = node.store.settlement(row.closed_tx) if row.closed_tx else None
    convicted = node.store.convictions(row.job.provider)
    return {
        "job_id": to_hex(row.job_id),
        "requester": row.job.requester,
        "provider": row.job.provider,
        "offer_digest": to_hex(row.job.offer_digest),
        "spec_digest": to_hex(row.job.spec_digest),
        "model": hex_or_none(row.model),
        "model_name": node.catalogue.name_of(row.model) if row.model else None,
        "profile": hex_or_none(row.profile),
        "state": row.state.name,
        "reason": row.reason.name,
        "price": str(row.job.price),
        "paid": str(row.paid),
        "refunded": str(row.refunded),
        "input_tokens": row.job.input_tokens,
        "max_output_tokens": row.job.max_output_tokens,
        "output_tokens": report.report.output_tokens if report else None,
        "reported": report is not None,
        "opened_at": row.opened_at,
        "deadline": row.deadline,
        "closed_at": row.closed_at,
        "opened_tx": to_hex(row.opened_tx),
        "settlement_tx": hex_or_none(row.closed_tx),
        "settlement_gas": settlement.gas_used if settlement else None,
        "answer_digest": to_hex(report.report.answer_digest) if report else None,
        "index": row.index,
        "batch": show_batch_record(batch) if batch else None,
        "verdict": _verdict(node, row, batch),
        "slashed": str(sum(c.slashed for c in convicted)),
    }


def show_batch_record(batch: BatchRow) -> dict[str, Any]:
    return {
        "batch_id": batch.batch_id,
        "provider": batch.provider,
        "set_version": batch.set_version,
        "entries_hash": to_hex(batch.entries_hash),
        "committed_at": batch.committed_at,
        "committed_block": batch.committed_block,
        "committed_tx": to_hex(batch.committed_tx),
        "state": batch.state.name,
        "outcome": batch.outcome.name,
        "frozen_until": batch.frozen_until,
        "decided_tx": hex_or_none(batch.decided_tx),
        "closed_tx": hex_or_none(batch.closed_tx),
    }


def _verdict(node: Node, row: JobRow, batch: BatchRow | None) -> dict[str, Any] | None:
    """The finding that counts: this oracle's own if it has one, else the hardest one of its peers."""
    if batch is None or row.index is None:
        return None
    records = [r for r in node.store.records(batch.batch_id) if r.record.index == row.index]
    records.sort(key=lambda r: (r.oracle != node.address or r.record.verdict not in FINAL,
                                HARDEST_FIRST.index(r.record.verdict)))
    if not records:
        return _unaudited(batch)
    chosen = records[0]
    evidence = chosen.evidence
    return {
        "kind": chosen.record.verdict.name,
        "reason": evidence.get("reason", ""),
        "checks": evidence.get("checks", []),
        "statistics": evidence.get("statistics"),
        "thresholds": evidence.get("thresholds"),
        "oracle": chosen.oracle,
        "records": {r.oracle: r.record.verdict.name for r in records},
    }


def _unaudited(batch: BatchRow) -> dict[str, Any] | None:
    if batch.state is BatchState.PENDING:
        return None
    reasons = {
        Outcome.PASS: "Its report is valid and it was not drawn.",
        Outcome.NOT_OPENED: "A drawn leaf of its batch was not opened in time.",
        Outcome.DEFAULT: "No quorum decided; the stored answers did.",
    }
    reason = reasons.get(batch.outcome, "Its provider was convicted for other work.")
    return {"kind": batch.outcome.name if batch.outcome in reasons else "CONVICTED", "reason": reason, "checks": [],
            "statistics": None, "thresholds": None, "oracle": None, "records": {}}


def hex_or_none(value: bytes | None) -> str | None:
    return None if value is None else to_hex(value)
