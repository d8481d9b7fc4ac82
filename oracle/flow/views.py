"""What the api shows of jobs: JSON values, wei as strings, bytes as 0x strings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from oracle.flow.court import wanted_by_cases
from oracle.flow.node import Node
from oracle.flow.shown_verdict import show_verdict
from oracle.flow.turns import wanted_openings
from oracle.records.work import BatchRow, Conviction, JobRow, RecordRow
from protocol.encoding import to_hex
from protocol.errors import Reason, Refused
from protocol.types import JobState, Report

MOST_WANTED = 1_000
"""Openings asked for at once: a session has thousands of calls, and the list has to fit into an answer."""


def show_job(node: Node, job_id: bytes) -> dict[str, Any]:
    """Raises Refused(not_found)."""
    row = node.store.job(job_id)
    if row is None:
        raise Refused(Reason.NOT_FOUND, f"There is no job {to_hex(job_id)} here.", "It shows once its block is final.")
    return _jobs(node, [row])[0]


def show_jobs(node: Node, requester: str | None, provider: str | None, state: str | None, limit: int) -> list[Any]:
    """Newest first."""
    number = int(JobState[state]) if state else None
    rows = node.store.jobs(requester=requester, provider=provider, state=number, limit=limit)
    return _jobs(node, rows)


@dataclass(frozen=True)
class _Known:
    """What the store has about some jobs: a query a kind, however many jobs."""

    batches: dict[int, BatchRow]
    records: list[RecordRow]
    reports: dict[bytes, Report]
    gas: dict[bytes, int]
    convictions: list[Conviction]


def _jobs(node: Node, rows: Sequence[JobRow]) -> list[dict[str, Any]]:
    store, numbers = node.store, {row.batch_id for row in rows if row.batch_id is not None}
    known = _Known(
        {batch.batch_id: batch for batch in store.find_batches(numbers)},
        [row for row in store.records(*numbers) if row.revealed],
        {signed.report.job_id: signed.report for signed in store.reports([row.job_id for row in rows])},
        store.gas_used({row.closed_tx for row in rows if row.closed_tx}),
        store.convictions({row.job.provider for row in rows}),
    )
    return [_job(node, row, known) for row in rows]


def _job(node: Node, row: JobRow, known: _Known) -> dict[str, Any]:
    batch = known.batches.get(row.batch_id or 0)
    report = known.reports.get(row.job_id)
    convicted = [c for c in known.convictions if c.provider == row.job.provider]
    return {
        "job_id": to_hex(row.job_id),
        "requester": row.job.requester,
        "provider": row.job.provider,
        "offer_digest": to_hex(row.job.offer_digest),
        "spec_digest": to_hex(row.job.spec_digest),
        "model": hex_or_none(row.model),
        "model_name": node.catalogue.name_of(row.model) if row.model else None,
        "profile": hex_or_none(row.profile),
        "audit": row.audit,
        "state": row.state.name,
        "reason": row.reason.name,
        "price": str(row.job.price),
        "paid": str(row.paid),
        "refunded": str(row.refunded),
        "input_tokens": row.job.input_tokens,
        "max_output_tokens": row.job.max_output_tokens,
        "output_tokens": report.output_tokens if report else None,
        "reported": report is not None,
        "opened_at": row.opened_at,
        "deadline": row.deadline,
        "closed_at": row.closed_at,
        "opened_tx": to_hex(row.opened_tx),
        "settlement_tx": hex_or_none(row.closed_tx),
        "settlement_gas": known.gas.get(row.closed_tx) if row.closed_tx else None,
        "answer_digest": to_hex(report.answer_digest) if report else None,
        "index": row.index,
        "batch": show_batch_record(batch) if batch else None,
        "verdict": show_verdict(node, row, batch, known.records),
        "slashed": str(sum(c.slashed for c in convicted)),
    }


def show_batch_record(batch: BatchRow) -> dict[str, Any]:
    return {
        "batch_id": batch.batch_id,
        "provider": batch.provider,
        "set_version": batch.set_version,
        "terms_version": batch.terms_version,
        "entries_hash": to_hex(batch.entries_hash),
        "committed_at": batch.committed_at,
        "committed_block": batch.committed_block,
        "committed_tx": to_hex(batch.committed_tx),
        "state": batch.state.name,
        "outcome": batch.outcome.name,
        "frozen_until": batch.frozen_until,
        "opened_at": batch.opened_at,
        "decided_tx": hex_or_none(batch.decided_tx),
        "closed_tx": hex_or_none(batch.closed_tx),
    }


def hex_or_none(value: bytes | None) -> str | None:
    return None if value is None else to_hex(value)


def list_wanted(node: Node, provider: str) -> list[dict[str, Any]]:
    """Openings that this oracle asks a provider for, with what names the groups of fingerprints in its draw; the oldest
    MOST_WANTED of them: what was opened makes room for the next."""
    by_place = {(e.batch_id, e.index): e for e in [*wanted_by_cases(node, provider), *wanted_openings(node, provider)]}
    found = list(by_place.values())[:MOST_WANTED]
    seeds = {batch.batch_id: batch.group_seed for batch in node.store.find_batches({e.batch_id for e in found})}
    return [{"batch_id": e.batch_id, "index": e.index, "job_id": to_hex(e.entry.job_id),
             "group_seed": to_hex(seed) if (seed := seeds.get(e.batch_id)) else None} for e in found]
