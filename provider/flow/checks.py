"""What a job must be for this provider to take it: pure, and each refusal has its reason."""

from __future__ import annotations

from protocol.encoding import keccak
from protocol.errors import BadInput, Reason, Refused
from protocol.messages import Domain
from protocol.sampling import check_sampler
from protocol.transcript import parse_prompt, parse_spec
from protocol.types import AUDIT_CLASSES, Job, JobSpec, Prompt
from provider.shelf import CHAT, Shelf


def check_job(job: Job, spec_data: bytes, domain: Domain, owner: str, shelf: Shelf) -> JobSpec:
    """The spec of a job. Raises BadInput or Refused with the reason for which a provider declines."""
    if keccak(spec_data) != job.spec_digest:
        raise Refused(Reason.TAMPERED, "The spec's bytes do not have the digest that the job names.")
    spec = parse_spec(spec_data)
    same = {
        "chain id": (spec.chain_id, domain.chain_id),
        "escrow": (spec.escrow.lower(), domain.contract.lower()),
        "requester": (spec.requester.lower(), job.requester.lower()),
        "provider": (spec.provider.lower(), owner.lower()),
        "input tokens": (spec.input_tokens, job.input_tokens),
        "output tokens": (spec.max_output_tokens, job.max_output_tokens),
        "nonce": (spec.nonce, job.nonce),
    }
    for what, (in_spec, in_job) in same.items():
        if in_spec != in_job:
            raise Refused(Reason.WRONG_JOB, f"The spec's {what} is {in_spec}, the job's is {in_job}.")
    check_sampler(spec.sampler)
    served = shelf.find(spec.model)
    if served is None:
        raise Refused(Reason.UNKNOWN_MODEL, f"The model 0x{spec.model.hex()} is not served here.")
    if CHAT not in served.kinds:
        raise Refused(Reason.UNKNOWN_MODEL, f"{served.name} answers calls of sessions, not jobs.",
                      "Ask it through the gateway: malla request serve.")
    if spec.sampler.kind not in served.samplers or spec.sampler.min_tokens > served.min_tokens:
        raise Refused(Reason.UNKNOWN_SAMPLER,
                      f"The backend here serves {' and '.join(served.samplers)} jobs with min_tokens of at most "
                      f"{served.min_tokens}.", "Ask with temperature 0, or ask another provider.")
    if spec.audit not in AUDIT_CLASSES:
        raise Refused(Reason.UNKNOWN_AUDIT, f"There is no audit class '{spec.audit[:40]}'.",
                      f"Use {', '.join(AUDIT_CLASSES)}.")
    if spec.profile != served.profile:
        raise Refused(Reason.UNKNOWN_PROFILE, f"The profile 0x{spec.profile.hex()} is not served here.")
    return spec


def check_prompt(spec: JobSpec, plaintext: bytes) -> Prompt:
    """The prompt of a spec. Raises Refused when it is another one or cannot be read."""
    if keccak(plaintext) != spec.prompt_digest:
        raise Refused(Reason.TAMPERED, "The prompt does not have the digest that the spec names.")
    try:
        return parse_prompt(plaintext)
    except BadInput as error:
        raise Refused(Reason.PROMPT_UNREADABLE, error.message) from error
