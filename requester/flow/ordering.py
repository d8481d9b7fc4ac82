"""From what a user says about sampling and audits to what the job's spec names."""

from __future__ import annotations

import math
import secrets

from protocol.errors import BadInput, Reason, Refused
from protocol.sampling import CANDIDATES, GREEDY, GUMBEL, check_sampler
from protocol.types import AUDIT_CLASSES, Sampler
from requester.ports.jobs import ModelChoice


def sampler_of(temperature: float = 0.0, top_p: float = 1.0, top_k: int = CANDIDATES, seed: int | None = None,
               min_tokens: int = 0) -> Sampler:
    """Greedy at temperature 0, else "gumbel". Temperature is rounded to thousandths, top-p to basis points.

    Without a seed greedy work gets 0 and sampled work a random one. Errors: BadInput for a number out of range, or for
    top-p and top-k at temperature 0, where they mean nothing; Refused(unknown_sampler) for what no provider serves.
    """
    for name, value in (("temperature", temperature), ("top-p", top_p)):
        if not (math.isfinite(value) and value >= 0):
            raise BadInput(f"The {name} is {value}.", "Write a number from 0 up.")
    if seed is not None and not 0 <= seed < 2**64:
        raise BadInput(f"The seed is {seed}, outside of 0 to 2^64 - 1.", "Name another seed.")
    if min_tokens < 0:
        raise BadInput(f"min-tokens is {min_tokens}.", "Write a whole number from 0 up.")
    milli, nucleus = round(temperature * 1_000), round(top_p * 10_000)
    if milli == 0:
        if (nucleus, top_k) != (10_000, CANDIDATES):
            raise BadInput("Temperature 0 takes the likeliest token: top-p and top-k would change nothing.",
                           "Leave them out, or name a temperature.")
        made = Sampler(GREEDY, seed or 0, min_tokens=min_tokens)
    else:
        made = Sampler(GUMBEL, secrets.randbits(63) if seed is None else seed, milli, nucleus, top_k, min_tokens)
    check_sampler(made)
    return made


def require_order(sampler: Sampler, max_tokens: int, audit: str) -> None:
    """Errors: BadInput for an output limit that does not fit, Refused(unknown_audit) for a class that nobody knows."""
    if max_tokens < 1:
        raise BadInput(f"The output limit is {max_tokens} tokens.", "Ask for at least 1 token.")
    if sampler.min_tokens > max_tokens:
        raise BadInput(f"min-tokens is {sampler.min_tokens}, but the output limit {max_tokens}.",
                       "Ask for fewer --min-tokens.")
    if audit not in AUDIT_CLASSES:
        raise Refused(Reason.UNKNOWN_AUDIT, f"There is no audit class '{audit[:40]}'.",
                      f"Use {', '.join(AUDIT_CLASSES)}.")


def require_context(model: ModelChoice, tokens: int, max_tokens: int) -> None:
    """Errors: Refused(too_many_tokens)."""
    if tokens + max_tokens > model.context_tokens:
        raise Refused(
            Reason.TOO_MANY_TOKENS,
            f"{tokens} prompt tokens and up to {max_tokens} output tokens do not fit into the {model.context_tokens} "
            f"tokens of {model.name}.",
            "Shorten the prompt or ask for fewer --max-tokens.",
        )
