"""The journal in memory, for tests: the same rules as PostgreSQL's, one process only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from protocol.encoding import to_hex
from protocol.types import BatchState, SignedOffer
from protocol.units import Digest, Wei
from provider.edges.fake_claims import FakeClaims
from provider.edges.fake_outbox import FakeOutbox
from provider.records.claims import Claimable
from provider.records.court import Contested
from provider.records.figures import Earnings, Speed
from provider.records.work import JournalBatch, JournalJob, Lease, Stage, StoredReceipt, Work

LIVE = (Stage.ACCEPTED, Stage.RUNNING)
UNFINISHED = (Stage.SEEN, Stage.DECLINING, *LIVE, Stage.DONE, Stage.COMMITTING)


@dataclass
class FakeJournal(FakeOutbox):
    """`provider.ports.work.Journal`."""

    rows: dict[bytes, JournalJob] = field(default_factory=dict)
    enqueued: dict[bytes, float] = field(default_factory=dict)
    leases: dict[bytes, Lease] = field(default_factory=dict)
    alone: set[bytes] = field(default_factory=set)
    kept_reveals: dict[tuple[str, int], bytes] = field(default_factory=dict)
    kept_offers: dict[bytes, tuple[SignedOffer, bool]] = field(default_factory=dict)
    signs: dict[str, tuple[float, dict[str, Any]]] = field(default_factory=dict)
    measured: float | None = None
    claims: FakeClaims = field(default_factory=FakeClaims)
    cases: list[Contested] = field(default_factory=list)
    burns: dict[int, int] = field(default_factory=dict)
    """Wei burned, by block."""

    def contested(self, now: float) -> list[Contested]:
        return [case for case in self.cases if now < case.deadline]

    def jobs(self, *stages: Stage, limit: int = 256) -> list[JournalJob]:
        found = [job for job in self.rows.values() if job.stage in stages]
        return sorted(found, key=lambda job: (job.opened_at, job.job_id))[:limit]

    def job(self, job_id: bytes) -> JournalJob | None:
        return self.rows.get(job_id)

    def accept(self, job_id: bytes, spec: bytes, prompt: bytes, input_tokens: int, now: float) -> bool:
        return self._move(job_id, [Stage.SEEN], stage=Stage.ACCEPTED, spec=spec, prompt=prompt,
                          input_tokens=input_tokens)

    def start_decline(self, job_id: bytes, reason: str) -> bool:
        return self._move(job_id, [Stage.SEEN], stage=Stage.DECLINING, reason=reason)

    def drop(self, job_id: bytes, reason: str) -> bool:
        return self._move(job_id, UNFINISHED, stage=Stage.DROPPED, reason=reason)

    def to_enqueue(self, now: float, patience: float) -> list[Digest]:
        found = []
        for job in self.jobs(*LIVE):
            since = self.enqueued.get(job.job_id)
            ended = job.stage is Stage.RUNNING and self.leases[job.job_id].until < now
            lost = ended and (since is None or since < now - 5)
            waits = job.stage is Stage.ACCEPTED and (since is None or since < now - patience)
            if lost or waits:
                found.append(job.job_id)
        return found

    def mark_enqueued(self, job_id: bytes, now: float) -> None:
        self.enqueued[job_id] = now

    def claim(self, job_id: bytes, lease: Lease, now: float) -> JournalJob | None:
        job = self.rows[job_id]
        held = self.leases.get(job_id)
        if job.stage is Stage.RUNNING and held is not None and held.until >= now and held.holder != lease.holder:
            return None
        if not self._move(job_id, LIVE, stage=Stage.RUNNING, attempts=job.attempts + 1):
            return None
        self.leases[job_id] = lease
        return self.rows[job_id]

    def renew(self, job_id: bytes, lease: Lease, tokens: int) -> bool:
        if not self._holds(job_id, lease.holder):
            return False
        self.leases[job_id] = lease
        return True

    def release(self, job_id: bytes, holder: str) -> None:
        if self._holds(job_id, holder):
            self.leases[job_id] = Lease(holder, 0.0)

    def release_lost(self, holders: Sequence[str]) -> None:
        for job_id, lease in self.leases.items():
            if lease.holder in holders:
                self.leases[job_id] = Lease(lease.holder, 0.0)

    def holders(self) -> list[str]:
        return sorted({self.leases[job.job_id].holder for job in self.jobs(Stage.RUNNING)})

    def finish(self, job_id: bytes, holder: str, work: Work, now: float) -> bool:
        return self._holds(job_id, holder) and self._move(
            job_id, [Stage.RUNNING], stage=Stage.DONE, work=work, input_tokens=work.input_tokens, done_at=now)

    def begin_commit(self, job_ids: Sequence[bytes], key: str, vouchers: Sequence[Claimable] = ()) -> bool:
        if any(self.rows[job_id].stage is not Stage.DONE for job_id in job_ids):
            return False
        if not all([self.claims.begin(one, key) for one in vouchers]):
            return False
        return all([self._move(job_id, [Stage.DONE], stage=Stage.COMMITTING, commit_key=key) for job_id in job_ids])

    def committing(self) -> dict[str, list[JournalJob]]:
        by_key: dict[str, list[JournalJob]] = {}
        for job in sorted(self.jobs(Stage.COMMITTING), key=lambda job: (job.deadline, job.job_id)):
            by_key.setdefault(str(job.commit_key), []).append(job)
        return by_key

    def retry_commit(self, key: str, alone: bool) -> None:
        for job in self.committing().get(key, []):
            self._move(job.job_id, [Stage.COMMITTING], stage=Stage.DONE, commit_key=None)
            if alone:
                self.alone.add(job.job_id)

    def commits_alone(self, job_id: bytes) -> bool:
        return job_id in self.alone

    def batches(self, *states: BatchState) -> list[JournalBatch]:
        return [batch for _, batch in sorted(self.its_batches.items()) if batch.state in states]

    def batch(self, batch_id: int) -> JournalBatch | None:
        return self.its_batches.get(batch_id)

    def burned(self, last: int) -> int:
        return sum(wei for block, wei in self.burns.items() if block <= last)

    def undelivered_jobs(self, limit: int = 64) -> list[JournalJob]:
        found = [job for job in self.jobs(Stage.COMMITTED) if job.job_id not in self.queued_for and job.work]
        return sorted(found, key=lambda job: (job.batch_id or 0, job.index or 0))[:limit]

    def receipts(self, blob: bytes) -> list[StoredReceipt]:
        return list(self.kept_receipts.get(blob, []))

    def reveal(self, oracle: str, epoch: int) -> bytes | None:
        return self.kept_reveals.get((oracle, epoch))

    def keep_reveal(self, oracle: str, epoch: int, reveal: bytes) -> None:
        self.kept_reveals[oracle, epoch] = reveal

    def offers(self, active_only: bool = False) -> list[SignedOffer]:
        return [offer for offer, active in self.kept_offers.values() if active or not active_only]

    def keep_offer(self, digest: bytes, offer: SignedOffer, active: bool) -> None:
        self.kept_offers[digest] = (offer, active)

    def offer(self, digest: bytes) -> SignedOffer | None:
        found = self.kept_offers.get(digest)
        return found[0] if found else None

    def beat(self, role: str, now: float, detail: dict[str, Any]) -> None:
        self.signs[role] = (now, detail)

    def beats(self) -> dict[str, tuple[float, dict[str, Any]]]:
        return dict(self.signs)

    def speed(self) -> Speed:
        return Speed(self.measured)

    def waiting_tokens(self) -> int:
        return sum(job.job.max_output_tokens for job in self.jobs(*LIVE))

    def stages(self) -> dict[str, int]:
        names = sorted(job.stage.value for job in self.rows.values())
        return {name: names.count(name) for name in names}

    def earnings(self) -> Earnings:
        return Earnings(Wei(0), Wei(0), Wei(0), Wei(0), len(self.its_batches), 0, len(self.due_deliveries(2.0**60)))

    def list_jobs(self, limit: int, stage: str | None = None) -> list[dict[str, object]]:
        return [{"id": to_hex(job.job_id), "stage": job.stage.value} for job in list(self.rows.values())[:limit]
                if stage in (None, job.stage.value)]

    def _holds(self, job_id: bytes, holder: str) -> bool:
        lease = self.leases.get(job_id)
        return self.rows[job_id].stage is Stage.RUNNING and lease is not None and lease.holder == holder

    def _move(self, job_id: bytes, before: Sequence[Stage], **values: Any) -> bool:
        job = self.rows.get(job_id)
        if job is None or job.stage not in before:
            return False
        self.rows[job_id] = replace(job, **values)
        return True
