"""One audit, from a sealed opening to a verdict. Nothing here signs or sends; see `flow/findings.py`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from oracle.flow.call_checks import examine_call
from oracle.flow.evidence import build_evidence
from oracle.flow.measuring import Case, Judged, Unreadable, measure, render_prompt, require_one_reading
from oracle.flow.node import Node
from oracle.ports import Replayer
from oracle.records.canaries import CANARY
from oracle.records.scores import KeptNumbers
from oracle.records.work import BatchRow, EntryRow, JobRow, OpeningRow
from protocol.calls import split_unit
from protocol.claim import FinishReason
from protocol.encoding import keccak, to_hex
from protocol.errors import BadInput, ProviderFault, Reason, Refused
from protocol.sealing import unseal
from protocol.transcript import answer_of, check_transcript, leaf, parse_transcript, spec_digest
from protocol.types import Answer, Transcript, Verdict, VerdictKind
from protocol.verdict import judge_fault

__all__ = ["Case", "Finding", "audit", "build_case"]

PROVIDER = "provider"
"""Source of an opening that its provider signed or posted."""


@dataclass(frozen=True)
class Finding:
    """A verdict with the evidence whose digest is signed; `transcript` are the opened bytes, None if unreadable."""

    verdict: Verdict
    evidence: dict[str, Any]
    transcript: bytes | None
    log_e: float | None = None
    kept: KeptNumbers | None = None


def build_case(node: Node, batch: BatchRow, entry: EntryRow, opening: OpeningRow) -> Case:
    """What `audit` is asked with. Raises Refused(not_found)."""
    if entry.call is not None:
        return _build_call(node, batch, entry, opening)
    if (job := node.store.job(entry.entry.job_id)) is None:
        raise Refused(Reason.NOT_FOUND, f"Job {to_hex(entry.entry.job_id)} of a committed batch is not here.")
    # The opening transaction carries the offer: it is public even if it was never sent to this oracle.
    digest = job.job.offer_digest
    if (signed := node.store.offer(digest) or node.chain.offer_in(job.opened_tx)) is None:
        raise Refused(Reason.NOT_FOUND, f"The offer {to_hex(digest)} is neither here nor in the opening transaction.")
    return Case(entry, job, signed.offer, opening, batch.group_seed)


def _build_call(node: Node, batch: BatchRow, entry: EntryRow, opening: OpeningRow) -> Case:
    session = node.store.session(entry.entry.job_id)
    if session is None:
        raise Refused(Reason.NOT_FOUND, f"Session {to_hex(entry.entry.job_id)} of a committed voucher is not here.")
    voucher = node.store.voucher(batch.batch_id, split_unit(entry.index)[0])
    if voucher is None or voucher.report is None:
        raise Refused(Reason.NOT_FOUND, f"The report of the voucher of unit {entry.index} is not here.")
    # The report brings the session's offer, held against the session's id: whoever hides it elsewhere is audited, too.
    return Case(entry, None, voucher.report.offer, opening, batch.group_seed, session, node.domain.chain_id,
                node.domain.contract)


def audit(case: Case, seal_secret: bytes, replayer: Replayer) -> Finding:
    """Open, check, replay, judge.

    Whatever contradicts the commitment is FRAUD, an opening that cannot be tied to its leaf MALFORMED, an unknown
    model or profile UNKNOWN. Any other exception is this verifier's own failure and is the caller's to count.
    """
    plaintext: bytes | None = None
    try:
        plaintext = _unseal(case.opening, seal_secret)
        judged = _examine(case, _parse(plaintext), replayer)
    except Unreadable as error:
        judged, plaintext = Judged(Verdict(VerdictKind.MALFORMED, str(error), ("opening",))), None
    except Refused as error:
        if error.reason not in (Reason.UNKNOWN_MODEL, Reason.UNKNOWN_PROFILE, Reason.PROMPT_UNREADABLE):
            raise
        judged = Judged(Verdict(VerdictKind.UNKNOWN, error.message, (error.reason.value,)))
    evidence = build_evidence(case.entry, judged.verdict, judged.details, replayer.versions())
    return Finding(judged.verdict, evidence, plaintext, judged.log_e, judged.kept)


def _unseal(opening: OpeningRow, seal_secret: bytes) -> bytes:
    try:
        return unseal(opening.sealed, seal_secret)
    except BadInput as error:
        raise Unreadable(error.message) from error


def _parse(plaintext: bytes) -> Transcript:
    try:
        return parse_transcript(plaintext)
    except BadInput as error:
        raise Unreadable(error.message) from error


def _examine(case: Case, transcript: Transcript, replayer: Replayer) -> Judged:
    if case.opening.source not in (PROVIDER, CANARY):
        require_one_reading(transcript)
    if case.job is not None:
        return _examine_job(case, case.job, transcript, replayer)
    if case.session is None or case.entry.call is None:
        raise ValueError("An audit is of a job, or of a call with its session.")
    return examine_call(case, case.session, case.entry.call, transcript, replayer)


def _examine_job(case: Case, job: JobRow, transcript: Transcript, replayer: Replayer) -> Judged:
    spec, entry = transcript.spec, case.entry.entry
    # First of all, because an invented spec could name a model that nobody knows, and unknown convicts nobody.
    if spec_digest(spec) != job.job.spec_digest:
        raise Unreadable("The transcript's spec is not the one that the job names.")
    if keccak(transcript.prompt) != spec.prompt_digest:
        raise Unreadable("The transcript's prompt is not the one that its spec names.")
    prompt_ids = render_prompt(transcript, replayer)
    answer = _derive(case, transcript, len(prompt_ids), replayer)
    if not _has_leaf(answer, transcript, entry.leaf):
        raise Unreadable("The transcript does not have the leaf that was committed.")
    details = {
        "model": to_hex(spec.model), "profile": to_hex(spec.profile), "source": case.opening.source,
        "input_tokens": len(prompt_ids), "output_tokens": len(transcript.output_token_ids),
    }
    try:
        check_transcript(transcript, answer, job.job, entry, case.offer)
    except ProviderFault as fault:
        # Leaf and spec digest fix the whole transcript, so this holds of a copy that a peer sealed again, too.
        return Judged(judge_fault(fault), details)
    judged = measure(case, transcript, answer.finish, prompt_ids, replayer)
    return replace(judged, details={**details, **judged.details})


def _derive(case: Case, transcript: Transcript, input_tokens: int, replayer: Replayer) -> Answer:
    """The one answer that a provider with these output tokens had to deliver; nothing in it is taken on its word."""
    model, tokens = transcript.spec.model, transcript.output_token_ids
    stopped = bool(tokens) and tokens[-1] in replayer.manifest(model).stop_token_ids
    finish = FinishReason.STOP if stopped else FinishReason.LENGTH
    return answer_of(transcript, case.entry.entry.job_id, input_tokens, replayer.decode(model, tokens), finish.value)


def _has_leaf(answer: Answer, transcript: Transcript, committed: bytes) -> bool:
    """False also for values that have no leaf at all, such as a salt of another length."""
    try:
        return leaf(answer, transcript.spec) == committed
    except BadInput:
        return False
