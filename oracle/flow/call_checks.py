"""What an opened call of a session is held against before any model is asked: its report's line, and its session."""

from __future__ import annotations

from dataclasses import replace

from oracle.flow.measuring import Case, Judged, Unreadable, measure, render_prompt
from oracle.flow.vector_calls import check_vector_call, measure_vector
from oracle.ports import Replayer
from oracle.records.sessions import CallNote, SessionRow
from protocol.claim import FinishReason
from protocol.encoding import keccak, to_hex
from protocol.errors import BadInput, ProviderFault
from protocol.transcript import answer_of, check_logprobs, leaf, spec_digest
from protocol.types import Offer, Transcript
from protocol.verdict import judge_fault


def examine_call(case: Case, session: SessionRow, call: CallNote, transcript: Transcript,
                 replayer: Replayer) -> Judged:
    """As of a job. Raises Unreadable where the opening cannot be tied to the reported leaf."""
    require_reported(case, transcript, call)
    spec = transcript.spec
    details = {
        "model": to_hex(spec.model), "profile": to_hex(spec.profile), "source": case.opening.source,
        "input_tokens": call.line.input_tokens, "output_tokens": call.line.output_tokens, "call": call.number,
    }
    vector = replayer.vector_manifest(spec.model)
    try:
        check_terms(case, transcript, session, call, vector is not None)
        if vector is not None:
            judged = measure_vector(transcript, call, vector, replayer)
            return replace(judged, details={**details, **judged.details})
        prompt_ids = render_prompt(transcript, replayer)
        check_input(call, len(prompt_ids))
    except ProviderFault as fault:
        return Judged(judge_fault(fault), details)
    finish = finish_of(transcript, replayer.manifest(spec.model).stop_token_ids)
    judged = measure(case, transcript, finish.value, prompt_ids, replayer)
    return replace(judged, details={**details, **judged.details})


def require_reported(case: Case, transcript: Transcript, call: CallNote) -> None:
    """Raises Unreadable unless this is the transcript that the line's leaf was made of: whoever sealed it again can
    have altered nothing."""
    if call.spec is not None and spec_digest(transcript.spec) != call.spec:
        raise Unreadable("The transcript's spec is not the one that is committed with the call.")
    if keccak(transcript.prompt) != transcript.spec.prompt_digest:
        raise Unreadable("The transcript's prompt is not the one that its spec names.")
    answer = answer_of(transcript, case.entry.entry.job_id, call.line.input_tokens, "", "")
    try:
        found = leaf(answer, transcript.spec)
    except BadInput:
        found = None  # a salt of another length, say, which no leaf has
    if found != call.line.leaf:
        raise Unreadable("The transcript does not have the leaf that was reported.")


def check_terms(case: Case, transcript: Transcript, session: SessionRow, call: CallNote, vector: bool = False) -> None:
    """Raises ProviderFault, which is exact here: the leaf holds the spec, and no node takes one of another session."""
    _require_session(case, transcript, session, case.offer)
    if vector:
        return check_vector_call(transcript, call)
    spec, count = transcript.spec, len(transcript.output_token_ids)
    most = spec.max_output_tokens
    _require(1 <= count <= most, "length", f"{count} output tokens, allowed are 1 to {most}.")
    _require(count == call.line.output_tokens, "amount",
             f"Reports {call.line.output_tokens} output tokens for a call with {count}.")
    _require(not transcript.vector, "vector", "An answer of tokens comes with a vector.")
    check_logprobs(transcript.logprobs, count)


def check_input(call: CallNote, counted: int) -> None:
    """Raises ProviderFault unless the prompt has as many tokens as are paid."""
    said = call.line.input_tokens
    _require(said == counted, "input", f"Reports {said} input tokens for a prompt with {counted}.")


def finish_of(transcript: Transcript, stop_token_ids: tuple[int, ...]) -> FinishReason:
    """How a call ended: its tokens say it. Its requester signed for what it got, so that it may end anywhere."""
    tokens = transcript.output_token_ids
    if tokens[-1] in stop_token_ids:
        return FinishReason.STOP
    return FinishReason.LENGTH if len(tokens) == transcript.spec.max_output_tokens else FinishReason.CANCELLED


def _require_session(case: Case, transcript: Transcript, session: SessionRow, offer: Offer) -> None:
    spec, row = transcript.spec, session.session
    for name, said, agreed in (
        ("session", to_hex(spec.prompt_blob), to_hex(session.session_id)),
        ("requester", spec.requester, row.requester),
        ("provider", spec.provider, row.provider),
        ("model", to_hex(spec.model), to_hex(offer.model)),
        ("profile", to_hex(spec.profile), to_hex(offer.profile)),
        ("chain", str(spec.chain_id), str(case.chain_id)),
        ("escrow", spec.escrow, case.escrow),
    ):
        _require(said == agreed, "spec", f"The call's spec names the {name} {said}, its session is of {agreed}.")


def _require(holds: bool, check: str, message: str) -> None:
    if not holds:
        raise ProviderFault(check, message)
