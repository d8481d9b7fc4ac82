"""What final blocks do to the rows. Every write can be repeated: a block may be applied again after a crash."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import update

from oracle.edges.store.audits import AuditStore
from oracle.edges.store.tables import BATCHES, BURNS, CONVICTIONS, ENTRIES, JOBS, REFERENCES
from oracle.records.work import OpeningRow
from protocol.types import BatchState, JobState, Outcome


class ProjectionStore(AuditStore):
    def open_job(self, event: Any, tx_hash: bytes) -> None:
        job = event.job
        with self._begin() as c:
            c.execute(
                self._insert(JOBS)
                .values(
                    job_id=event.job_id, requester=job.requester, provider=job.provider, offer_digest=job.offer_digest,
                    spec_digest=job.spec_digest, input_tokens=job.input_tokens,
                    max_output_tokens=job.max_output_tokens, price=job.price, nonce=job.nonce,
                    opened_at=event.opened_at, deadline=event.deadline, opened_tx=tx_hash, state=int(JobState.OPEN),
                    reason=0, paid=0, refunded=0,
                )
                .on_conflict_do_nothing()
            )
            c.execute(self._insert(REFERENCES).values(digest=job.spec_digest, job_id=event.job_id)
                      .on_conflict_do_nothing())

    def move_deadline(self, job_id: bytes, deadline: int) -> None:
        with self._begin() as c:
            c.execute(update(JOBS).where(JOBS.c.job_id == job_id).values(deadline=deadline))

    def refund_job(self, job_id: bytes, amount: int, reason: int, at: int, tx_hash: bytes) -> None:
        self._close(job_id, at, tx_hash, state=int(JobState.REFUNDED), reason=int(reason), paid=0, refunded=amount)

    def settle_job(self, job_id: bytes, paid: int, refunded: int, at: int, tx_hash: bytes) -> None:
        self._close(job_id, at, tx_hash, state=int(JobState.SETTLED), reason=0, paid=paid, refunded=refunded)

    def commit_batch(self, event: Any, block: int, at: int, tx_hash: bytes) -> None:
        head = event.head(block, at)
        with self._begin() as c:
            c.execute(
                self._insert(BATCHES)
                .values(
                    batch_id=event.batch_id, provider=head.provider, set_version=head.set_version,
                    terms_version=head.terms_version, entries_hash=head.entries_hash, committed_at=at,
                    committed_block=block, committed_tx=tx_hash, state=int(BatchState.PENDING),
                    outcome=int(Outcome.NONE),
                )
                .on_conflict_do_nothing()
            )
            for index, entry in enumerate(event.entries):
                c.execute(
                    self._insert(ENTRIES)
                    .values(batch_id=event.batch_id, index=index, job_id=entry.job_id, requester=entry.requester,
                            price=entry.price, amount=entry.amount, leaf=entry.leaf,
                            answer_digest=entry.answer_digest)
                    .on_conflict_do_nothing()
                )
                if entry.is_voucher:  # it has no answer here, and its id is no job's
                    continue
                c.execute(self._insert(REFERENCES).values(digest=entry.answer_digest, job_id=entry.job_id)
                          .on_conflict_do_nothing())
                c.execute(update(JOBS).where(JOBS.c.job_id == entry.job_id).values(
                    state=int(JobState.COMMITTED), reason=0, batch_id=event.batch_id, index=index))

    def note_burn(self, provider: str, burned: int, block: int, log_index: int) -> None:
        with self._begin() as c:
            c.execute(self._insert(BURNS).values(block=block, log_index=log_index, provider=provider, burned=burned)
                      .on_conflict_do_nothing())

    def end_batch(self, batch_id: int, state: int, outcome: int | None, tx_hash: bytes) -> None:
        """A batch that is over; a forfeited one keeps the decision that froze it."""
        values: dict[str, Any] = {"state": int(state), "closed_tx": tx_hash}
        if outcome is not None:
            values |= {"outcome": int(outcome), "decided_tx": tx_hash}
        self._change(batch_id, **values)

    def freeze_batch(self, batch_id: int, outcome: int, until: int, tx_hash: bytes) -> None:
        self._change(batch_id, state=int(BatchState.FROZEN), outcome=int(outcome), frozen_until=until,
                     decided_tx=tx_hash)

    def hold_freeze(self, batch_id: int, until: int) -> None:
        self._change(batch_id, frozen_until=until)

    def reopen_batch(self, batch_id: int, openings: Sequence[OpeningRow], at: int) -> None:
        """Openings were posted on-chain: the batch is pending again."""
        self._change(batch_id, state=int(BatchState.PENDING), outcome=int(Outcome.NONE), frozen_until=None,
                     decided_tx=None, opened_at=at)
        for opening in openings:
            self.put_opening(opening, b"")  # its transaction says who posted it

    def skip_batch(self, batch_id: int, at: int) -> None:
        self._change(batch_id, skipped_at=at)

    def convict(self, event: Any, at: int, tx_hash: bytes) -> None:
        with self._begin() as c:
            c.execute(
                self._insert(CONVICTIONS)
                .values(batch_id=event.batch_id, provider=event.provider, slashed=event.slashed,
                        through=event.through, at=at, tx_hash=tx_hash)
                .on_conflict_do_nothing()
            )

    def _change(self, batch_id: int, **values: Any) -> None:
        with self._begin() as c:
            c.execute(update(BATCHES).where(BATCHES.c.batch_id == batch_id).values(**values))

    def _close(self, job_id: bytes, at: int, tx_hash: bytes, **values: int) -> None:
        with self._begin() as c:
            c.execute(update(JOBS).where(JOBS.c.job_id == job_id).values(closed_at=at, closed_tx=tx_hash, **values))
