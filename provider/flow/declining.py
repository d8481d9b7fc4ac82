"""Declining: the node tells the chain that it will not do a job, so that its requester is refunded at once."""

from __future__ import annotations

from protocol.errors import ChainRefused
from protocol.types import JobState
from provider.flow.work import Committing
from provider.records.work import JournalJob, Stage


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
