"""One audit, from a sealed opening to a verdict. Nothing here signs or sends; see `flow/findings.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from oracle.flow.evidence import build_evidence
from oracle.ports import Replayer
from oracle.records import EntryRow, JobRow, OpeningRow
from protocol.claim import Claim, ClaimFault, FinishReason
from protocol.encoding import keccak, to_hex, unpack_float32
from protocol.errors import BadInput, ProviderFault, Reason, Refused
from protocol.profile import STATISTICS, exceeds, threshold
from protocol.sealing import unseal
from protocol.transcript import answer_of, check_transcript, leaf, parse_prompt, parse_transcript, spec_digest
from protocol.types import Answer, Offer, Transcript, Verdict, VerdictKind
from protocol.verdict import judge, judge_fault


class Unreadable(Exception):
    """The opening is no transcript of the committed leaf; the message says why."""


@dataclass(frozen=True)
class Case:
    """What is audited: the committed line, its job, the offer that priced it, and the opening."""

    entry: EntryRow
    job: JobRow
    offer: Offer
    opening: OpeningRow


@dataclass(frozen=True)
class Finding:
    """A verdict with the evidence whose digest is signed; `transcript` are the opened bytes, None if unreadable."""

    verdict: Verdict
    evidence: dict[str, Any]
    transcript: bytes | None


def audit(case: Case, seal_secret: bytes, replayer: Replayer) -> Finding:
    """Open, check, replay, judge.

    Whatever contradicts the commitment is FRAUD, an opening that cannot be tied to its leaf MALFORMED, an unknown
    model or profile UNKNOWN. Any other exception is this verifier's own failure and is the caller's to count.
    """
    plaintext: bytes | None = None
    details: dict[str, Any] = {}
    try:
        plaintext = _unseal(case.opening, seal_secret)
        transcript = _parse(plaintext)
        verdict, details = _examine(case, transcript, replayer)
    except Unreadable as error:
        verdict, plaintext = Verdict(VerdictKind.MALFORMED, str(error), ("opening",)), None
    except Refused as error:
        if error.reason not in (Reason.UNKNOWN_MODEL, Reason.UNKNOWN_PROFILE, Reason.PROMPT_UNREADABLE):
            raise
        verdict = Verdict(VerdictKind.UNKNOWN, error.message, (error.reason.value,))
    return Finding(verdict, build_evidence(case.entry, verdict, details, replayer.versions()), plaintext)


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


def _examine(case: Case, transcript: Transcript, replayer: Replayer) -> tuple[Verdict, dict[str, Any]]:
    spec, entry = transcript.spec, case.entry.entry
    # First of all, because an invented spec could name a model that nobody knows, and unknown convicts nobody.
    if spec_digest(spec) != case.job.job.spec_digest:
        raise Unreadable("The transcript's spec is not the one that the job names.")
    if keccak(transcript.prompt) != spec.prompt_digest:
        raise Unreadable("The transcript's prompt is not the one that its spec names.")
    prompt_ids = _render(transcript, replayer)
    answer = _derive(case, transcript, len(prompt_ids), replayer)
    if not _has_leaf(answer, transcript, entry.leaf):
        raise Unreadable("The transcript does not have the leaf that was committed.")
    details = {
        "model": to_hex(spec.model), "profile": to_hex(spec.profile), "source": case.opening.source,
        "input_tokens": len(prompt_ids), "output_tokens": len(transcript.output_token_ids),
    }
    try:
        check_transcript(transcript, answer, case.job.job, entry, case.offer)
    except ProviderFault as fault:
        # Leaf and spec digest fix the whole transcript, so this holds of a copy that a peer sealed again, too.
        return judge_fault(fault), details
    verdict, thresholds = _replay(case, transcript, answer.finish, prompt_ids, replayer)
    return verdict, {**details, "thresholds": thresholds}


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


def _render(transcript: Transcript, replayer: Replayer) -> tuple[int, ...]:
    try:
        messages = parse_prompt(transcript.prompt).messages
    except BadInput as error:
        # The requester sent this and its provider should have declined; neither can be convicted for it.
        raise Refused(Reason.PROMPT_UNREADABLE, f"The requester's prompt cannot be read: {error.message}") from error
    return replayer.encode(transcript.spec.model, messages)


def _replay(case: Case, transcript: Transcript, finish: str, prompt_ids: Sequence[int],
            replayer: Replayer) -> tuple[Verdict, dict[str, str]]:
    spec = transcript.spec
    profile = replayer.profile(spec.profile, spec.model)
    thresholds = {name: str(threshold(profile, name)) for name in STATISTICS}
    claim = Claim(transcript.output_token_ids, tuple(unpack_float32(transcript.logprobs)), finish)
    found = replayer.measure(spec.model, prompt_ids, claim, case.job.job.max_output_tokens)
    if isinstance(found, ClaimFault):
        return Verdict(VerdictKind.FRAUD, found.reason, (found.code.value,)), thresholds
    verdict = judge(found, exceeds(profile, found))
    # The names of the statistics say more than the one word that the core has for all of them.
    checks = tuple(name for name in STATISTICS if Decimal(getattr(found, name)) > threshold(profile, name))
    return Verdict(verdict.kind, verdict.reason, checks, verdict.statistics), thresholds
