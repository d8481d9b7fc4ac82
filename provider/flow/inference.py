"""Running one job: what the Celery task does after it holds the lease. The only place where a model is run."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.economics import payment
from protocol.encoding import keccak
from protocol.errors import ConfigInvalid
from protocol.limits import MAX_TRANSCRIPT
from protocol.proofs.fingerprint import fingerprint_root, seed_of
from protocol.sealing import new_secret
from protocol.transcript import (
    answer_of,
    leaf,
    parse_prompt,
    parse_spec,
    sealed_answer,
    transcript_bytes,
)
from protocol.types import NO_FINGERPRINT, Transcript
from provider.ports.work import Backends, Clock, Gpu, Journal, Log
from provider.records.work import Completion, JournalJob, Lease, Work

LEASE_SECONDS = 45.0
OPENING_ROOM = 2_048
"""Bytes that the opened fingerprints add to a transcript, at most: in hexadecimal, for 2^20 tokens."""
RENEW_SECONDS = 2.0
MAX_ATTEMPTS = 3
"""Runs of one job that may be lost before it is given up: a prompt that kills the worker must not stop the queue."""


@dataclass(frozen=True)
class Inference:
    journal: Journal
    backends: Backends
    gpu: Gpu
    clock: Clock
    log: Log
    holder: str
    """Who runs: host and process."""


def infer(inference: Inference, job_id: bytes) -> bool:
    """Run one job and write its transcript into the journal. Does nothing when somebody else holds it or it is done.

    Returns whether a transcript was written. An error of the model leaves the job to be tried again.
    """
    journal, now = inference.journal, inference.clock()
    lease = Lease(inference.holder, now + LEASE_SECONDS)
    job = journal.claim(job_id, lease, now)
    if job is None:
        inference.log("job_not_claimed", job_id=job_id.hex())
        return False
    if job.attempts > MAX_ATTEMPTS:
        journal.drop(job_id, f"given up: {MAX_ATTEMPTS} runs were lost")
        return False
    if now >= job.deadline:
        journal.drop(job_id, "stale: its deadline was over before it was begun")
        return False
    if job.spec is not None and parse_spec(job.spec).model not in inference.backends:
        # Taken before MALLA_MODEL was changed: another model's answer would be fraud.
        journal.drop(job_id, "its model is not served here any more")
        return False
    try:
        work = _run(inference, job)
    except Exception:
        # Whatever the model, the device or the database did: the lease must not keep the job from its next attempt.
        journal.release(job_id, inference.holder)
        raise
    if len(work.transcript) + OPENING_ROOM > MAX_TRANSCRIPT:
        # It could not be opened, which would cost the whole batch its pay.
        journal.drop(job_id, f"its transcript has {len(work.transcript)} bytes, the limit is {MAX_TRANSCRIPT}")
        return False
    written = journal.finish(job_id, inference.holder, work, inference.clock())
    inference.log("job_done", job_id=job_id.hex(), output_tokens=work.output_tokens, written=written)
    return written


def _run(inference: Inference, job: JournalJob) -> Work:
    if job.spec is None or job.prompt is None:
        raise ConfigInvalid(f"The job 0x{job.job_id.hex()} is accepted without its spec or prompt.",
                            "The journal was changed by hand: restore it from a backup.")
    spec, prompt = parse_spec(job.spec), parse_prompt(job.prompt)
    started = inference.clock()
    progress = _Progress(inference, job)
    sampling = inference.gpu.start()
    try:
        done = inference.backends[spec.model].run(
            prompt.messages, spec.max_output_tokens, progress.on_token, progress.is_over, spec.sampler,
            seed_of(job.job_id, 0, spec.nonce))
    finally:
        telemetry = sampling.stop()
    return write_work(job, done, telemetry, inference.journal, started, inference.clock())


def write_work(job: JournalJob, done: Completion, telemetry: dict[str, object], journal: Journal, started: float,
               finished: float) -> Work:
    """Everything that follows from a model run: transcript, leaf, sealed answer, amount. Pure but for a fresh salt."""
    offer = journal.offer(job.job.offer_digest)
    if offer is None or job.spec is None or job.prompt is None:
        raise ConfigInvalid(f"The journal lost the offer of job 0x{job.job_id.hex()}.", "Restore it from a backup.")
    spec = parse_spec(job.spec)
    root = fingerprint_root(done.fingerprints) if done.fingerprints else NO_FINGERPRINT
    transcript = Transcript(spec, job.prompt, done.output_token_ids, done.logprobs, new_secret(), done.top_logprobs,
                            root)
    answer = answer_of(transcript, job.job_id, done.input_tokens, done.text, done.finish)
    sealed = sealed_answer(answer, spec)
    amount = payment(done.input_tokens, len(done.output_token_ids), offer.offer.input_price, offer.offer.output_price)
    return Work(transcript_bytes(transcript), sealed, leaf(answer, spec), done.input_tokens,
                len(done.output_token_ids), amount, telemetry, int(finished), finished - started, done.fingerprints)


def answer_digest(work: Work) -> bytes:
    """What the commitment names: keccak of the sealed answer."""
    return keccak(work.answer)


class _Progress:
    """Renews the lease while tokens come, and stops a run that nobody will be paid for any more."""

    def __init__(self, inference: Inference, job: JournalJob) -> None:
        self._inference, self._job = inference, job
        self._renewed = inference.clock()
        self._lost = False

    def on_token(self, count: int) -> None:
        now = self._inference.clock()
        if now - self._renewed >= RENEW_SECONDS:
            self._renewed = now
            lease = Lease(self._inference.holder, now + LEASE_SECONDS)
            self._lost = not self._inference.journal.renew(self._job.job_id, lease, count)

    def is_over(self) -> bool:
        """The job was refunded or taken by another run, or its deadline is over."""
        return self._lost or self._inference.clock() >= self._job.deadline
