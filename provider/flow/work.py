"""Committing finished work: jobs and vouchers that began under the same terms, one work batch, exactly once.

The journal names the commitment before it is sent, so a node that dies in between sends the same one again. A batch
that the chain refuses is tried line by line, so that a bad one cannot hold up the others.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from protocol.errors import ChainRefused
from protocol.types import JobState
from provider.flow.claiming import COMMIT_MARGIN, find_claim
from provider.flow.lines import Lines, alike, commit_key, commitment_of
from provider.ports.sessions import Claims
from provider.ports.work import Chain, Clock, Journal, Log, Sender
from provider.records.claims import Claimable
from provider.records.work import JournalJob, Stage

REFUSED_SECONDS, VOUCHER_REFUSED_SECONDS = 5.0, 20.0


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
    """Until when a job or session whose line the chain refuses is left alone; forgotten by a restart, which only asks
    again sooner."""
    claims: Claims | None = None
    voucher_wait: float = 5.0


def commit_work(committing: Committing) -> int:
    """One step: follow what was sent, then send the next batch. Returns how many lines were put into a batch."""
    _follow_commits(committing)
    jobs, vouchers = _ready(committing), _due_vouchers(committing)
    alone = [job for job in jobs if committing.journal.commits_alone(job.job_id)]
    if alone:
        return _send(committing, Lines(tuple(alone[:1])))
    if not jobs and not vouchers:
        return 0
    return _send(committing, alike(committing.chain, jobs, vouchers, committing.max_batch))


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


def _due_vouchers(committing: Committing) -> list[Claimable]:
    if committing.claims is None:
        return []
    now, head = committing.clock(), committing.chain.head().timestamp
    free = [one for one in committing.claims.claimable() if committing.refused.get(one.voucher.session_id, 0.0) <= now]
    found = [replace(one, claimed=find_claim(one, head, now - one.touched_at, committing.voucher_wait)) for one in free]
    return [one for one in found if one.claimed is not None]


def _send(committing: Committing, lines: Lines) -> int:
    lines = _without_culprits(committing, lines)
    if not lines:
        return 0
    jobs, vouchers = lines.jobs, [one for one in lines.vouchers if isinstance(one, Claimable)]
    alone = len(lines) == len(jobs) == 1 and committing.journal.commits_alone(jobs[0].job_id)
    key = commit_key(jobs, vouchers, alone)
    if not committing.journal.begin_commit([job.job_id for job in jobs], key, vouchers):
        return 0
    return len(lines) if _submit(committing, key, lines) else 0


def _submit(committing: Committing, key: str, lines: Lines) -> bool:
    try:
        committing.sender.commit(key, lines.commitments, lines.signed, lines.claims)
    except ChainRefused as error:
        _after_revert(committing, key, lines, error.message)
        return False
    committing.log("batch_sent", jobs=len(lines.jobs), vouchers=len(lines.vouchers), key=key)
    return True


def _without_culprits(committing: Committing, lines: Lines) -> Lines:
    """The lines that the chain would take together. A job that it would not take alone is dropped if it is not open;
    a voucher is left alone for a while: what it claims stays claimable."""
    if committing.sender.refuse_commit(lines.commitments, lines.signed, lines.claims) is None:
        return lines
    taken = []
    for job in lines.jobs:
        refusal = committing.sender.refuse_commit([commitment_of(job)])
        if refusal is None:
            taken.append(job)
        elif committing.chain.job_state(job.job_id) is not JobState.OPEN:
            committing.journal.drop(job.job_id, f"not committed: {refusal}")
            committing.log("job_not_committed", job_id=job.job_id.hex(), reason=refusal)
        else:
            committing.refused[job.job_id] = committing.clock() + REFUSED_SECONDS
            committing.log("commit_refused", job_id=job.job_id.hex(), reason=refusal)
    vouchers = []
    for one in lines.vouchers:
        alone = Lines((), (one,))
        refusal = committing.sender.refuse_commit([], alone.signed, alone.claims)
        if refusal is None:
            vouchers.append(one)
        else:
            committing.refused[one.voucher.session_id] = committing.clock() + VOUCHER_REFUSED_SECONDS
            committing.log("voucher_refused", session_id=one.voucher.session_id.hex(), reason=refusal)
    return Lines(tuple(taken), tuple(vouchers))


def _follow_commits(committing: Committing) -> None:
    jobs = committing.journal.committing()
    vouchers = committing.claims.committing_vouchers() if committing.claims is not None else {}
    for key in [*jobs, *(key for key in vouchers if key not in jobs)]:
        lines = Lines(tuple(jobs.get(key, ())), tuple(vouchers.get(key, ())))
        tx = committing.sender.outcome(key)
        if tx is None:
            # The journal was written, the transaction was not: send the very same one.
            _submit(committing, key, lines)
        elif tx.status == "REVERTED":
            _after_revert(committing, key, lines, tx.error)


def _after_revert(committing: Committing, key: str, lines: Lines, error: str) -> None:
    committing.log("batch_reverted", jobs=len(lines.jobs), vouchers=len(lines.vouchers), key=key, error=error)
    for one in lines.vouchers:
        committing.refused[one.voucher.session_id] = committing.clock() + REFUSED_SECONDS
    if lines.vouchers and committing.claims is not None:
        committing.claims.drop_claims(key, error)
    if len(lines) == len(lines.jobs) == 1 and key.startswith("commit-alone/"):
        committing.journal.drop(lines.jobs[0].job_id, f"not committed: {error}")
    elif lines.jobs:
        committing.journal.retry_commit(key, alone=True)
