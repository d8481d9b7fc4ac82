"""Blobs, and which jobs need them."""

from __future__ import annotations

from sqlalchemy import delete, exists, func, or_, select, update

from oracle.edges.store.market import job_row
from oracle.edges.store.session import Session
from oracle.edges.store.tables import BLOBS, JOBS, REFERENCES
from oracle.records.work import JobRow
from protocol.types import JobState

FINISHED = (int(JobState.SETTLED), int(JobState.REFUNDED))


class BlobStore(Session):
    def put_blob(self, digest: bytes, data: bytes, now: float) -> None:
        with self._begin() as c:
            c.execute(self._insert(BLOBS).values(digest=digest, size=len(data), data=data, stored_at=now)
                      .on_conflict_do_nothing())

    def blob(self, digest: bytes) -> bytes | None:
        with self._begin() as c:
            data = c.execute(select(BLOBS.c.data).where(BLOBS.c.digest == digest)).scalar()
            return None if data is None else bytes(data)

    def has_blob(self, digest: bytes) -> bool:
        with self._begin() as c:
            return c.execute(select(BLOBS.c.size).where(BLOBS.c.digest == digest)).scalar() is not None

    def unreferenced_bytes(self) -> int:
        with self._begin() as c:
            named = exists().where(REFERENCES.c.digest == BLOBS.c.digest)
            # Each counts a little more than its bytes: a flood of empty ones must not fill the table.
            return int(c.execute(select(func.coalesce(func.sum(BLOBS.c.size + 1024), 0)).where(~named)).scalar_one())

    def is_named(self, digest: bytes) -> bool:
        with self._begin() as c:
            named = select(REFERENCES.c.digest).where(REFERENCES.c.digest == digest).limit(1)
            return c.execute(named).first() is not None

    def refer_blob(self, digest: bytes, job_id: bytes) -> None:
        with self._begin() as c:
            c.execute(self._insert(REFERENCES).values(digest=digest, job_id=job_id).on_conflict_do_nothing())

    def sweep_blobs(self, before: float, finished_before: float) -> int:
        """Delete what was stored before `before` and is named by no job, or by jobs only that ended before
        `finished_before`."""
        with self._begin() as c:
            job = JOBS.c.job_id == REFERENCES.c.job_id
            needed = exists().where(
                REFERENCES.c.digest == BLOBS.c.digest, job,
                or_(JOBS.c.state.notin_(FINISHED), JOBS.c.closed_at >= int(finished_before)),
            )
            return c.execute(delete(BLOBS).where(BLOBS.c.stored_at < before, ~needed)).rowcount

    def wait_for_spec(self) -> list[JobRow]:
        """Jobs whose spec arrived but was not read yet."""
        with self._begin() as c:
            here = exists().where(BLOBS.c.digest == JOBS.c.spec_digest)
            return [job_row(r) for r in c.execute(select(JOBS).where(JOBS.c.model.is_(None), here).limit(64))]

    def keep_spec(self, job_id: bytes, model: bytes, profile: bytes, audit: str | None = None) -> None:
        with self._begin() as c:
            c.execute(update(JOBS).where(JOBS.c.job_id == job_id).values(model=model, profile=profile, audit=audit))
