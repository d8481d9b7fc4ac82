"""Committing finished work: many jobs that began under the same terms, one work batch, exactly once.

The journal names the commitment before it is sent, so a node that dies in between sends the same one again. A batch
that the chain refuses is tried job by job, so that one bad job cannot hold up the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from protocol.encoding import keccak
from protocol.errors import ChainRefused
from protocol.types import Commitment, JobState
from provider.ports import Chain, Clock, Journal, Log, Sender
from provider.records import JournalJob, Stage

REFUSED_SECONDS = 5.0
COMMIT_MARGIN = 2
"""Seconds before a deadline in which nothing is committed any more: the transaction could be mined too late."""


@dataclass(frozen=True)
class Committing:
    journal: Journal
    chain: Chain
    sender: Sender
    clock: Clock
    log: Log
    max_batch: int
    batch_wait: float
    refused: dict[bytes, float] = field(default_factory=dict)
    """Until when a job that the chain refuses is left alone; forgotten by a restart, which only asks again sooner."""


def commit_work(committing: Committing) -> int:
    """One step: follow what was sent, then send the next batch. Returns how many jobs were put into a batch."""
    _follow_commits(committing)
    ready = _ready(committing)
    if not ready:
        return 0
    alone = [job for job in ready if committing.journal.commits_alone(job.job_id)]
    version = committing.chain.job_terms(ready[0].job_id)
    alike = [job for job in ready if committing.chain.job_terms(job.job_id) == version]
    return _send(committing, alone[:1] or alike[: committing.max_batch])


def send_declines(committing: Committing) -> None:
    """Send the declines that the journal holds, and give up those that came too late."""
    for job in committing.journal.jobs(Stage.DECLINING):
        key = f"decline/{job.job_id.hex()}"
        tx = committing.sender.outcome(key)
        if tx is None:
            _decline(committing, key, job)
        elif tx.status == "REVERTED":
            committing.journal.drop(job.job_id, f"{job.reason} (the decline was refused: {tx.error})")


def _decline(committing: Committing, key: str, job: JournalJob) -> None:
    if committing.chain.job_state(job.job_id) is not JobState.OPEN:
        return  # it has ended by itself; the follower will tell
    try:
        committing.sender.decline(key, job.job)
    except ChainRefused as error:
        committing.journal.drop(job.job_id, f"{job.reason} (the decline was refused: {error.message})")


def commitment_of(job: JournalJob) -> Commitment:
    """The line of a work batch for a finished job."""
    if job.work is None:
        raise ValueError(f"The job 0x{job.job_id.hex()} has no transcript yet.")
    return Commitment(job.job, job.work.amount, job.work.leaf, keccak(job.work.answer))


def commit_key(jobs: Sequence[JournalJob], alone: bool) -> str:
    """The same jobs with the same leaves have the same key, so nothing is sent twice."""
    parts = b"".join(job.job_id + (job.work.leaf if job.work else b"") for job in jobs)
    return ("commit-alone/" if alone else "commit/") + keccak(parts).hex()


def _ready(committing: Committing) -> list[JournalJob]:
    head = committing.chain.head().timestamp
    ready = []
    for job in committing.journal.jobs(Stage.DONE):
        if head + COMMIT_MARGIN >= job.deadline:
            committing.journal.drop(job.job_id, f"stale: finished at {int(job.done_at)}, too late for {job.deadline}")
            committing.log("job_too_late", job_id=job.job_id.hex())
        elif committing.refused.get(job.job_id, 0.0) <= committing.clock():
            ready.append(job)
    ready.sort(key=lambda job: (job.deadline, job.job_id))
    if not ready or len(ready) >= committing.max_batch:
        return ready
    oldest = min(job.done_at for job in ready)
    return ready if committing.clock() - oldest >= committing.batch_wait else []


def _send(committing: Committing, jobs: list[JournalJob]) -> int:
    jobs = _without_culprits(committing, jobs)
    if not jobs:
        return 0
    key = commit_key(jobs, len(jobs) == 1 and committing.journal.commits_alone(jobs[0].job_id))
    if not committing.journal.begin_commit([job.job_id for job in jobs], key):
        return 0
    return len(jobs) if _submit(committing, key, jobs) else 0


def _submit(committing: Committing, key: str, jobs: list[JournalJob]) -> bool:
    try:
        committing.sender.commit(key, [commitment_of(job) for job in jobs])
    except ChainRefused as error:
        _after_revert(committing, key, jobs, error.message)
        return False
    committing.log("batch_sent", jobs=len(jobs), key=key)
    return True


def _without_culprits(committing: Committing, jobs: list[JournalJob]) -> list[JournalJob]:
    """The jobs that the chain would take together. One that it would not take alone is dropped if it is not open."""
    if committing.sender.refuse_commit([commitment_of(job) for job in jobs]) is None:
        return jobs
    taken = []
    for job in jobs:
        refusal = committing.sender.refuse_commit([commitment_of(job)])
        if refusal is None:
            taken.append(job)
        elif committing.chain.job_state(job.job_id) is not JobState.OPEN:
            committing.journal.drop(job.job_id, f"not committed: {refusal}")
            committing.log("job_not_committed", job_id=job.job_id.hex(), reason=refusal)
        else:
            committing.refused[job.job_id] = committing.clock() + REFUSED_SECONDS
            committing.log("commit_refused", job_id=job.job_id.hex(), reason=refusal)
    return taken


def _follow_commits(committing: Committing) -> None:
    for key, jobs in committing.journal.committing().items():
        tx = committing.sender.outcome(key)
        if tx is None:
            # The journal was written, the transaction was not: send the very same one.
            _submit(committing, key, jobs)
        elif tx.status == "REVERTED":
            _after_revert(committing, key, jobs, tx.error)


def _after_revert(committing: Committing, key: str, jobs: list[JournalJob], error: str) -> None:
    committing.log("batch_reverted", jobs=len(jobs), key=key, error=error)
    if len(jobs) == 1 and key.startswith("commit-alone/"):
        committing.journal.drop(jobs[0].job_id, f"not committed: {error}")
        return
    committing.journal.retry_commit(key, alone=True)
