"""Taking jobs: from an opened job on the chain to an accepted one in the journal, or to a decline with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.encoding import keccak
from protocol.errors import BadInput, Malformed, Reason, Refused, Unavailable
from protocol.limits import MAX_TRANSCRIPT
from protocol.types import JobState
from protocol.units import Address
from provider.flow.checks import check_job, check_prompt
from provider.ports.work import Broker, Chain, Clock, Counters, Journal, Keys, Log, OracleClient
from provider.records.work import JournalJob, Oracle, Stage
from provider.shelf import Shelf

LEAST_SECONDS = 5
"""Below this a job is not begun: its answer could not be committed in time."""
BYTES_PER_TOKEN = 48
"""Upper estimate of what one output token adds to a transcript: its id and its logprob, with room."""
ENQUEUE_PATIENCE = 60.0
"""Seconds after which a job that nobody has begun is put into the queue again."""


@dataclass(frozen=True)
class Serving:
    owner: Address
    shelf: Shelf
    journal: Journal
    chain: Chain
    client: OracleClient
    counters: Counters
    keys: Keys
    broker: Broker
    clock: Clock
    log: Log


@dataclass(frozen=True)
class Accepted:
    spec: bytes
    prompt: bytes
    input_tokens: int


def take_jobs(serving: Serving, oracles: Sequence[Oracle]) -> int:
    """Accept, decline or drop every job that is new. Returns how many were accepted."""
    accepted = 0
    for job in serving.journal.jobs(Stage.SEEN):
        accepted += _take(serving, job, oracles)
    return accepted


def enqueue_jobs(serving: Serving) -> int:
    """Hand the worker what it has not begun, and what a lost worker left behind. The broker may forget; we do not."""
    now = serving.clock()
    waiting = serving.journal.to_enqueue(now, ENQUEUE_PATIENCE)
    for job_id in waiting:
        serving.broker.enqueue(job_id)
        serving.journal.mark_enqueued(job_id, now)
        serving.log("job_enqueued", job_id=job_id.hex())
    return len(waiting)


def _take(serving: Serving, job: JournalJob, oracles: Sequence[Oracle]) -> bool:
    if serving.chain.job_state(job.job_id) is not JobState.OPEN:
        return False  # refunded or committed already; the follower will tell
    try:
        _check_time(serving, job)
        accepted = _examine(serving, job, oracles)
    except Unavailable as error:
        return _wait_for_blob(serving, job, error)
    except (BadInput, Refused) as error:
        reason = error.reason.value if isinstance(error, Refused) else error.code
        _turn_away(serving, job, f"{reason}: {error.message}")
        return False
    if serving.journal.accept(job.job_id, accepted.spec, accepted.prompt, accepted.input_tokens, serving.clock()):
        serving.log("job_accepted", job_id=job.job_id.hex(), input_tokens=accepted.input_tokens)
        return True
    return False


def _examine(serving: Serving, job: JournalJob, oracles: Sequence[Oracle]) -> Accepted:
    offer = serving.journal.offer(job.job.offer_digest)
    if offer is None:
        raise Refused(Reason.WRONG_JOB, "The job names an offer that this node does not know.")
    spec_data = _fetch(serving, job.job.spec_digest, oracles, "spec")
    spec = check_job(job.job, spec_data, serving.chain.domain, serving.owner, serving.shelf)
    if (offer.offer.model, offer.offer.profile) != (spec.model, spec.profile):
        raise Refused(Reason.WRONG_JOB, "The spec names another model or profile than the offer.")
    plaintext = serving.keys.unseal(_fetch(serving, spec.prompt_blob, oracles, "prompt"))
    prompt = check_prompt(spec, plaintext)
    count = serving.counters[spec.model].count(prompt.messages, spec.max_output_tokens)
    if count > job.job.input_tokens:
        raise Refused(Reason.TOO_MANY_TOKENS, f"The prompt has {count} tokens, reserved were {job.job.input_tokens}.")
    size = 2 * len(plaintext) + BYTES_PER_TOKEN * spec.max_output_tokens + 2 * len(spec_data)
    if size > MAX_TRANSCRIPT:
        raise Refused(Reason.TOO_MANY_TOKENS, f"Its transcript may reach {size} bytes, the limit is {MAX_TRANSCRIPT}.")
    return Accepted(spec_data, plaintext, count)


def _check_time(serving: Serving, job: JournalJob) -> None:
    left = job.deadline - serving.chain.head().timestamp
    speed = serving.journal.speed().tokens_per_second
    needed = float(LEAST_SECONDS)
    if speed:
        needed += (serving.journal.waiting_tokens() + job.job.max_output_tokens) / speed
    if left < needed:
        raise Refused(Reason.BUSY, f"{max(left, 0)} s are left, this node needs {needed:.0f} s with its queue.")


def _fetch(serving: Serving, digest: bytes, oracles: Sequence[Oracle], what: str) -> bytes:
    for oracle in oracles:
        try:
            data = serving.client.get_blob(oracle, digest)
        except (Unavailable, Refused, Malformed) as error:
            serving.log("blob_not_fetched", oracle=oracle.address, what=what, error=error.message)
            continue
        if data is not None and keccak(data) == digest:
            return data
    raise Unavailable(f"No oracle has the {what} 0x{digest.hex()}.", "The requester has to store it at the oracles.")


def _wait_for_blob(serving: Serving, job: JournalJob, error: Unavailable) -> bool:
    # The requester may still be storing it; half of the start window is left to decline in.
    if serving.chain.head().timestamp < job.opened_at + serving.chain.terms().start_window // 2:
        return False
    _turn_away(serving, job, f"{Reason.NOT_FOUND.value}: {error.message}")
    return False


def _turn_away(serving: Serving, job: JournalJob, reason: str) -> None:
    until = job.opened_at + serving.chain.terms().start_window
    if serving.chain.head().timestamp < until and serving.journal.start_decline(job.job_id, reason):
        serving.log("job_declined", job_id=job.job_id.hex(), reason=reason)
    elif serving.journal.drop(job.job_id, reason):
        serving.log("job_dropped", job_id=job.job_id.hex(), reason=reason)
