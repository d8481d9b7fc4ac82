"""The journal's jobs. Each method is one transaction; a change names the stage that it changes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, Row, and_, case, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from protocol.types import Job
from protocol.units import Digest, Wei
from protocol.wire import from_json
from provider.edges.claim_rows import ClaimOvertaken, insert_claims
from provider.edges.tables import JOBS
from provider.records.claims import Claimable
from provider.records.figures import Speed
from provider.records.work import JournalJob, Lease, Stage, Work

_LIVE = (Stage.ACCEPTED, Stage.RUNNING)


class JobRows:
    """Mixed into `PostgresJournal`."""

    engine: Engine

    def jobs(self, *stages: Stage, limit: int = 256) -> list[JournalJob]:
        """Oldest first."""
        query = select(JOBS).where(JOBS.c.stage.in_(stages)).order_by(JOBS.c.opened_at, JOBS.c.job_id).limit(limit)
        with self.engine.connect() as connection:
            return [read_job(row) for row in connection.execute(query)]

    def job(self, job_id: bytes) -> JournalJob | None:
        with self.engine.connect() as connection:
            row = connection.execute(select(JOBS).where(JOBS.c.job_id == job_id)).one_or_none()
        return read_job(row) if row else None

    def accept(self, job_id: bytes, spec: bytes, prompt: bytes, input_tokens: int, now: float) -> bool:
        return self._move(job_id, [Stage.SEEN], stage=Stage.ACCEPTED, spec=spec, prompt=prompt,
                          input_tokens=input_tokens, accepted_at=now)

    def start_decline(self, job_id: bytes, reason: str) -> bool:
        return self._move(job_id, [Stage.SEEN], stage=Stage.DECLINING, reason=reason)

    def drop(self, job_id: bytes, reason: str) -> bool:
        before = [Stage.SEEN, Stage.DECLINING, Stage.ACCEPTED, Stage.RUNNING, Stage.DONE, Stage.COMMITTING]
        return self._move(job_id, before, stage=Stage.DROPPED, reason=reason, lease_holder=None)

    def to_enqueue(self, now: float, patience: float) -> list[Digest]:
        """Accepted jobs that were not enqueued for `patience` seconds, and running ones whose lease is over."""
        waiting = and_(JOBS.c.stage == Stage.ACCEPTED,
                       or_(JOBS.c.enqueued_at.is_(None), JOBS.c.enqueued_at < now - patience))
        lost = and_(JOBS.c.stage == Stage.RUNNING, JOBS.c.lease_until < now,
                    or_(JOBS.c.enqueued_at.is_(None), JOBS.c.enqueued_at < now - 5))
        query = select(JOBS.c.job_id).where(or_(waiting, lost)).order_by(JOBS.c.deadline).limit(64)
        with self.engine.connect() as connection:
            return [Digest(row.job_id) for row in connection.execute(query)]

    def mark_enqueued(self, job_id: bytes, now: float) -> None:
        self._move(job_id, _LIVE, enqueued_at=now)

    def claim(self, job_id: bytes, lease: Lease, now: float) -> JournalJob | None:
        """Take the job for running unless somebody else holds it."""
        free = or_(JOBS.c.stage == Stage.ACCEPTED,
                   and_(JOBS.c.stage == Stage.RUNNING,
                        or_(JOBS.c.lease_until < now, JOBS.c.lease_holder == lease.holder)))
        change = update(JOBS).where(JOBS.c.job_id == job_id, free).values(
            stage=Stage.RUNNING, lease_holder=lease.holder, lease_until=lease.until, attempts=JOBS.c.attempts + 1,
            tokens_so_far=0,
        ).returning(JOBS)
        with self.engine.begin() as connection:
            row = connection.execute(change).one_or_none()
        return read_job(row) if row else None

    def renew(self, job_id: bytes, lease: Lease, tokens: int) -> bool:
        return self._move(job_id, [Stage.RUNNING], holder=lease.holder, lease_until=lease.until, tokens_so_far=tokens)

    def release(self, job_id: bytes, holder: str) -> None:
        self._move(job_id, [Stage.RUNNING], holder=holder, lease_until=0.0)

    def release_lost(self, holders: Sequence[str]) -> None:
        """End the leases of processes that are known to be gone."""
        with self.engine.begin() as connection:
            connection.execute(update(JOBS).where(JOBS.c.stage == Stage.RUNNING, JOBS.c.lease_holder.in_(holders))
                               .values(lease_until=0.0))

    def holders(self) -> list[str]:
        query = select(JOBS.c.lease_holder).where(JOBS.c.stage == Stage.RUNNING).distinct()
        with self.engine.connect() as connection:
            return [holder for (holder,) in connection.execute(query) if holder]

    def finish(self, job_id: bytes, holder: str, work: Work, now: float) -> bool:
        """The transcript is written once: by the first run that ends, whoever else runs it too."""
        return self._move(
            job_id, [Stage.RUNNING], holder=holder, stage=Stage.DONE, done_at=now, transcript=work.transcript,
            answer=work.answer, leaf=work.leaf, input_tokens=work.input_tokens, output_tokens=work.output_tokens,
            amount=int(work.amount), telemetry=work.telemetry, finished_at=work.finished_at, duration=work.duration,
            tokens_so_far=work.output_tokens, lease_holder=None, fingerprints=work.fingerprints,
        )

    def begin_commit(self, job_ids: Sequence[bytes], key: str, vouchers: Sequence[Claimable] = ()) -> bool:
        """All of them or none."""
        try:
            with self.engine.begin() as connection:
                found = connection.execute(
                    update(JOBS).where(JOBS.c.job_id.in_(job_ids), JOBS.c.stage == Stage.DONE)
                    .values(stage=Stage.COMMITTING, commit_key=key))
                if found.rowcount != len(job_ids):
                    connection.rollback()
                    return False
                insert_claims(connection, vouchers, key)
        except (IntegrityError, ClaimOvertaken):
            return False  # a voucher of one of these sessions is on its way already, or something came meanwhile
        return True

    def committing(self) -> dict[str, list[JournalJob]]:
        """By key, in the order in which they were put into the batch."""
        by_key: dict[str, list[JournalJob]] = {}
        query = select(JOBS).where(JOBS.c.stage == Stage.COMMITTING).order_by(JOBS.c.deadline, JOBS.c.job_id)
        with self.engine.connect() as connection:
            for row in connection.execute(query):
                by_key.setdefault(row.commit_key, []).append(read_job(row))
        return by_key

    def retry_commit(self, key: str, alone: bool) -> None:
        with self.engine.begin() as connection:
            connection.execute(update(JOBS).where(JOBS.c.stage == Stage.COMMITTING, JOBS.c.commit_key == key)
                               .values(stage=Stage.DONE, commit_alone=alone, commit_key=None))

    def commits_alone(self, job_id: bytes) -> bool:
        with self.engine.connect() as connection:
            return bool(connection.scalar(select(JOBS.c.commit_alone).where(JOBS.c.job_id == job_id)))

    def undelivered_jobs(self, limit: int = 64) -> list[JournalJob]:
        """Committed for good, with a transcript, and nothing of it queued for the oracles yet."""
        query = select(JOBS).where(JOBS.c.stage == Stage.COMMITTED, JOBS.c.delivery_queued.is_(False),
                                   JOBS.c.transcript.is_not(None)).order_by(JOBS.c.batch_id, JOBS.c.batch_index)
        with self.engine.connect() as connection:
            return [read_job(row) for row in connection.execute(query.limit(limit))]

    def speed(self) -> Speed:
        """Over the last sixteen finished jobs."""
        recent = (select(JOBS.c.output_tokens, JOBS.c.duration).where(JOBS.c.duration > 0)
                  .order_by(JOBS.c.done_at.desc()).limit(16).subquery())
        sums = select(func.sum(recent.c.output_tokens), func.sum(recent.c.duration))
        with self.engine.connect() as connection:
            tokens, seconds = connection.execute(sums).one()
        return Speed(float(tokens) / float(seconds) if tokens and seconds else None)

    def waiting_tokens(self) -> int:
        """Most output tokens that the queue may still have to make."""
        asked = JOBS.c.job["max_output_tokens"].as_integer()
        left = case((JOBS.c.stage == Stage.RUNNING, asked - JOBS.c.tokens_so_far), else_=asked)
        with self.engine.connect() as connection:
            return int(connection.scalar(select(func.coalesce(func.sum(left), 0)).where(JOBS.c.stage.in_(_LIVE))) or 0)

    def _move(self, job_id: bytes, before: Sequence[Stage], holder: str | None = None, **values: Any) -> bool:
        change = update(JOBS).where(JOBS.c.job_id == job_id, JOBS.c.stage.in_(before)).values(**values)
        if holder is not None:
            change = change.where(JOBS.c.lease_holder == holder)
        with self.engine.begin() as connection:
            return connection.execute(change).rowcount == 1


def read_job(row: Row[Any]) -> JournalJob:
    """A row of `jobs` as the flows see it."""
    work = None
    if row.transcript is not None:
        work = Work(row.transcript, row.answer, Digest(row.leaf), row.input_tokens, row.output_tokens,
                    Wei(int(row.amount)), row.telemetry, row.finished_at, row.duration, row.fingerprints)
    return JournalJob(
        job_id=Digest(row.job_id), job=from_json(Job, row.job, "job"), opened_at=row.opened_at, deadline=row.deadline,
        stage=Stage(row.stage), reason=row.reason, spec=row.spec, prompt=row.prompt, input_tokens=row.input_tokens,
        attempts=row.attempts, commit_key=row.commit_key, batch_id=row.batch_id, index=row.batch_index, work=work,
        done_at=row.done_at or 0.0,
    )
