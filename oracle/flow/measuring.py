"""The half of an audit that asks the reference model: the numbers of a transcript, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from oracle.ports import Replayer
from oracle.records.canaries import CANARY
from oracle.records.scores import KeptNumbers
from oracle.records.sessions import SessionRow
from oracle.records.work import EntryRow, JobRow, OpeningRow
from protocol.bundle import ids_of, numbers_digest, numbers_of, numbers_to_json, statistics_to_json
from protocol.claim import TOP, TOP_BYTES, Asked, Claim, OpenedRows
from protocol.claim_faults import ClaimFault
from protocol.documents import document_to_json
from protocol.encoding import to_hex, unpack_float32
from protocol.errors import BadInput, ProviderFault, Reason, Refused
from protocol.profile import CalibrationProfile
from protocol.proofs.fingerprint import drawn_group, positions, read_opening, seed_of
from protocol.thresholds import thresholds, unjudged
from protocol.transcript import parse_prompt
from protocol.types import NO_FINGERPRINT, AuditStatistics, Offer, Transcript, Verdict, VerdictKind
from protocol.verdict import judge, needs_self_noise
from protocol.wire import to_json

FINGERPRINT = "fingerprint_distance"


class Unreadable(Exception):
    """The opening is no transcript of the committed leaf; the message says why."""


@dataclass(frozen=True)
class Case:
    """What is audited: the committed line, its job or the session of its call, the offer that priced it, the opening,
    and what names the group of its fingerprint (`protocol.draw.Draw.group_seed`)."""

    entry: EntryRow
    job: JobRow | None
    offer: Offer
    opening: OpeningRow
    group_seed: bytes | None = None
    session: SessionRow | None = None
    chain_id: int = 0
    escrow: str = ""


@dataclass(frozen=True)
class Judged:
    """A verdict with its fields of the evidence, what the leaf adds to a score, and the numbers behind both."""

    verdict: Verdict
    details: dict[str, Any] = field(default_factory=dict)
    log_e: float | None = None
    kept: KeptNumbers | None = None


def measure(case: Case, transcript: Transcript, finish: str, prompt_ids: Sequence[int],
            replayer: Replayer) -> Judged:
    spec, asked = transcript.spec, _asked(case, transcript, prompt_ids)
    profile = _judging(case, transcript, replayer.profile(spec.profile, spec.model))
    facts: dict[str, Any] = {"thresholds": thresholds(profile)}
    claim = Claim(transcript.output_token_ids, tuple(unpack_float32(transcript.logprobs)), finish,
                  transcript.top_logprobs, _opened(case, transcript))
    found = replayer.measure(spec.model, asked, claim)
    if isinstance(found, ClaimFault):
        return Judged(Verdict(VerdictKind.FRAUD, found.reason, (found.code.value,)), facts)
    noise: tuple[AuditStatistics, ...] = ()
    if needs_self_noise(profile, spec.sampler, found.statistics):
        noise = replayer.measure_self_noise(spec.model, profile.dtype, asked, claim)
    judgement = judge(profile, spec.sampler, found.statistics, noise)
    kept = KeptNumbers(numbers_to_json(numbers_of(claim, found.replay, noise)),
                       ids_of(asked, claim, transcript), document_to_json(profile))
    facts |= {
        "sampler": to_json(spec.sampler), "p_value": repr(judgement.p_value),
        "log_e": None if judgement.log_e is None else repr(judgement.log_e),
        "self_noise": [statistics_to_json(one) for one in noise],
        "unjudged": list(unjudged(profile, found.statistics)), "numbers": to_hex(numbers_digest(kept.numbers)),
    }
    return Judged(judgement.verdict, facts, judgement.log_e, kept)


def render_prompt(transcript: Transcript, replayer: Replayer) -> tuple[int, ...]:
    """The prompt's token ids. Raises Refused(prompt_unreadable), and unknown_model where nobody knows the model."""
    try:
        messages = parse_prompt(transcript.prompt).messages
    except BadInput as error:
        # The requester sent this and its provider should have declined; neither can be convicted for it.
        raise Refused(Reason.PROMPT_UNREADABLE, f"The requester's prompt cannot be read: {error.message}") from error
    return replayer.encode(transcript.spec.model, messages)


def require_one_reading(transcript: Transcript) -> None:
    """Raises Unreadable on a copy that a peer sealed again and may have cut elsewhere: the leaf digests logprobs, top
    logprobs and vector in a row, so their bytes could be moved from one into the other. It is asked for again."""
    count = len(transcript.output_token_ids)
    sizes = (len(transcript.logprobs), len(transcript.top_logprobs))
    of_tokens = sizes in ((4 * count, 0), (4 * count, TOP * TOP_BYTES * count)) and not transcript.vector
    if not (of_tokens if count else sizes == (0, 0)):
        raise Unreadable("The copy's logprobs, top logprobs and vector are not cut as an answer's are.")


def _asked(case: Case, transcript: Transcript, prompt_ids: Sequence[int]) -> Asked:
    seed = seed_of(case.entry.entry.job_id, 0, transcript.spec.nonce) if _has_fingerprint(transcript) else None
    spec = transcript.spec
    # Of a call its requester signed every token; of a job it reserved a price.
    most = spec.max_output_tokens if case.job is None else case.job.job.max_output_tokens
    return Asked(prompt_ids, most, spec.sampler, seed, may_end_early=case.job is None)


def _judging(case: Case, transcript: Transcript, profile: CalibrationProfile) -> CalibrationProfile:
    """A requester gets no opened rows with its answer: there the other numbers speak alone. Without a root the claim
    lacks what its class always brings, whoever asks."""
    if case.opening.source != CANARY or not _has_fingerprint(transcript):
        return profile
    kept = {name: honest for name, honest in profile.statistics.items() if name != FINGERPRINT}
    return replace(profile, statistics=kept, required=tuple(name for name in profile.required if name != FINGERPRINT))


def _opened(case: Case, transcript: Transcript) -> OpenedRows | None:
    """The rows that the draw names. Nothing but the root in the leaf fixes them, so what does not lead to it may be a
    peer's work, and convicts nobody: it is asked for again, until it is overdue."""
    if not _has_fingerprint(transcript) or case.opening.source == CANARY:
        return None
    if case.group_seed is None:
        raise ValueError("The draw of this batch names no groups of fingerprints here.")
    tokens = len(transcript.output_token_ids)
    group = drawn_group(case.group_seed, case.entry.index, tokens)
    try:
        rows, units = read_opening(transcript.fingerprint_opening, transcript.fingerprint_root, tokens, group)
    except ProviderFault as fault:
        raise Unreadable(fault.message) from fault
    return OpenedRows(rows, units, tuple(positions(tokens, group)))


def _has_fingerprint(transcript: Transcript) -> bool:
    return transcript.fingerprint_root != NO_FINGERPRINT
