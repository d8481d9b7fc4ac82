"""What a call must be for this provider to take it, before its voucher is looked at: pure but for the tokenizer."""

from __future__ import annotations

from collections.abc import Collection
from typing import NoReturn

from protocol.encoding import to_hex
from protocol.envelope import CallRequest
from protocol.errors import BadInput, MallaError, Reason, Refused
from protocol.limits import MAX_TRANSCRIPT
from protocol.messages import Domain
from protocol.sampling import check_sampler
from protocol.transcript import spec_bytes
from protocol.types import AUDIT_ONE, AUDIT_OPEN, JobSpec
from protocol.units import Address
from provider.flow.checks import check_prompt
from provider.flow.inference import OPENING_ROOM
from provider.ports.work import Counters
from provider.records.sessions import CallRefused, SessionFacts
from provider.shelf import Served, Shelf

TOKEN_BYTES = 96
"""Of a transcript for each output token: its id, its logprob, and the five likeliest, in hexadecimal."""


def check_call(request: CallRequest, kind: str, facts: SessionFacts, shelf: Shelf, owner: Address, domain: Domain,
               counters: Counters) -> int:
    """Prompt tokens by our own count. Raises CallRefused."""
    spec, session, offer = request.spec, facts.session, facts.offer
    if (spec.chain_id, spec.escrow.lower()) != (domain.chain_id, domain.contract.lower()):
        raise CallRefused(403, "wrong_chain", f"The call is of chain {spec.chain_id}, this provider serves "
                          f"{domain.chain_id} with the escrow {domain.contract}.")
    same = {"requester": (spec.requester.lower(), session.requester.lower()),
            "provider": (spec.provider.lower(), owner.lower()),
            "session": (to_hex(spec.prompt_blob), to_hex(facts.session_id))}
    for what, (found, wanted) in same.items():
        if found != wanted:
            raise CallRefused(403, "wrong_session", f"The call's {what} is {found}, the session's is {wanted}.")
    # A session pays the prices of one offer: whatever else the node serves is asked in a session of its own.
    served = shelf.find(spec.model)
    if served is None or spec.model != offer.model:
        raise _not_served(Reason.UNKNOWN_MODEL, spec.model)
    if spec.profile != served.profile or spec.profile != offer.profile:
        raise _not_served(Reason.UNKNOWN_PROFILE, spec.profile)
    require_kind(kind, served.kinds, f"{served.name} is no model")
    _check_sampling(served, spec)
    require_within(spec.input_tokens, spec.max_output_tokens, offer.max_input_tokens, offer.max_output_tokens)
    try:
        prompt = check_prompt(spec, request.prompt)
        tokens = counters[served.model].count(prompt.messages, spec.max_output_tokens)
    except MallaError as error:
        _refuse(error)
    if tokens != spec.input_tokens:
        raise CallRefused(400, "input_tokens", f"The prompt has {tokens} tokens, the call says {spec.input_tokens}.",
                          "Count them with the model's own tokenizer and template.")
    size = OPENING_ROOM + len(spec_bytes(spec)) + 2 * len(request.prompt) + TOKEN_BYTES * spec.max_output_tokens
    if size > MAX_TRANSCRIPT:
        raise CallRefused(400, Reason.TOO_MANY_TOKENS.value, f"The call's transcript may have {size} bytes, the limit "
                          f"is {MAX_TRANSCRIPT}.", "Ask for fewer output tokens, or with a shorter prompt.")
    return tokens


def require_kind(kind: str, kinds: Collection[str], what: str = "This provider serves no model") -> None:
    """Raises CallRefused 404; `what` begins its sentence."""
    if kind not in kinds:
        raise CallRefused(404, Reason.UNKNOWN_MODEL.value, f"{what} of the kind {kind}.",
                          "GET /v1/models says what it serves.")


def _not_served(reason: Reason, said: bytes) -> CallRefused:
    return CallRefused(404, reason.value, f"{to_hex(said)} is not what this provider serves in this session.",
                       "GET /v1/models says what it serves; open a session by an offer of that.")


def _check_sampling(served: Served, spec: JobSpec) -> None:
    try:
        check_sampler(spec.sampler)
    except MallaError as error:
        _refuse(error)
    if spec.sampler.kind not in served.samplers or spec.sampler.min_tokens > served.min_tokens:
        raise CallRefused(400, Reason.UNKNOWN_SAMPLER.value, f"The backend here serves {' and '.join(served.samplers)} "
                          f"calls with min_tokens of at most {served.min_tokens}.",
                          "Ask with temperature 0, or ask another provider.")
    # No oracle sees a call's spec before its opening: one that is kept back would count as not opened, and convict us.
    if spec.audit not in (AUDIT_OPEN, AUDIT_ONE):
        raise CallRefused(400, Reason.UNKNOWN_AUDIT.value, f"Calls have no audit class '{spec.audit[:40]}'.",
                          f"Use {AUDIT_OPEN} or {AUDIT_ONE}; what no oracle may see is a job.")


def require_within(input_tokens: int, max_output_tokens: int, most_in: int, most_out: int) -> None:
    if not 0 < input_tokens <= most_in or not 0 < max_output_tokens <= most_out:
        raise CallRefused(400, Reason.TOO_MANY_TOKENS.value, f"{input_tokens} input and {max_output_tokens} output "
                          f"tokens; the offer takes 1 to {most_in} and 1 to {most_out}.")


def _refuse(error: MallaError) -> NoReturn:
    status = 400 if isinstance(error, BadInput | Refused) else 503
    raise CallRefused(status, error.code, error.message, error.fix) from error
