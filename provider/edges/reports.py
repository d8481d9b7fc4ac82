"""Figures out of the journal for people: jobs by stage, earnings, the list of jobs."""

from __future__ import annotations

from sqlalchemy import Engine, func, select

from protocol.encoding import to_hex
from protocol.units import Wei
from provider.edges.session_figures import sum_vouchers
from provider.edges.tables import BATCHES, CONVICTIONS, DELIVERIES, JOBS
from provider.records.figures import Earnings


class ReportRows:
    """Mixed into `PostgresJournal`."""

    engine: Engine

    def stages(self) -> dict[str, int]:
        """How many jobs are in each stage."""
        query = select(JOBS.c.stage, func.count()).group_by(JOBS.c.stage).order_by(JOBS.c.stage)
        with self.engine.connect() as connection:
            return {stage: count for stage, count in connection.execute(query)}

    def earnings(self) -> Earnings:
        matured = select(func.coalesce(func.sum(BATCHES.c.payout), 0), func.coalesce(func.sum(BATCHES.c.fee), 0),
                         func.count(BATCHES.c.batch_id))
        pending = select(func.coalesce(func.sum(JOBS.c.amount), 0)).join_from(
            JOBS, BATCHES, BATCHES.c.batch_id == JOBS.c.batch_id).where(BATCHES.c.state.in_(("PENDING", "FROZEN")))
        with self.engine.connect() as connection:
            payout, fee, batches = connection.execute(matured).one()
            unpaid = connection.scalar(pending)
            slashed = connection.scalar(select(func.coalesce(func.sum(CONVICTIONS.c.slashed), 0)))
            paid = connection.scalar(select(func.count()).where(JOBS.c.stage == "SETTLED"))
            waiting = connection.scalar(select(func.count()).where(DELIVERIES.c.done_at.is_(None)))
            vouchers = sum_vouchers(connection)
        return Earnings(Wei(int(payout)), Wei(int(fee)), Wei(int(unpaid or 0) + vouchers.pending),
                        Wei(int(slashed or 0)), batches, int(paid or 0), int(waiting or 0), vouchers.paid,
                        vouchers.unclaimed)

    def list_jobs(self, limit: int, stage: str | None = None) -> list[dict[str, object]]:
        """Newest first, as JSON."""
        query = select(JOBS).order_by(JOBS.c.opened_at.desc(), JOBS.c.job_id).limit(limit)
        if stage is not None:
            query = query.where(JOBS.c.stage == stage)
        with self.engine.connect() as connection:
            return [
                {
                    "id": to_hex(row.job_id), "requester": row.job["requester"], "stage": row.stage,
                    "reason": row.reason, "price_wei": row.job["price"], "amount_wei": _wei(row.amount),
                    "paid_wei": _wei(row.paid), "input_tokens": row.input_tokens,
                    "output_tokens": row.output_tokens, "tokens_so_far": row.tokens_so_far,
                    "batch_id": row.batch_id, "index": row.batch_index, "opened_at": row.opened_at,
                    "deadline": row.deadline,
                }
                for row in connection.execute(query)
            ]


def _wei(value: object) -> str | None:
    return None if value is None else str(int(str(value)))
