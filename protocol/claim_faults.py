"""The rules of a claim's form, which it can break without any replay.

A claim that breaks a rule of generation is a fault of the provider and comes back as a value
with an exact reason. It is never raised: an exception always means that the verifier itself failed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from protocol.claim import TOP, TOP_BYTES, Claim, FinishReason, unpack_top

# The argmax of V logits has probability of at least 1/V, so its logprob is at least -ln V. One whole
# unit of slack is a thousand times the numeric noise and still bounds what a claim can contain.
LOGPROB_SLACK = 1.0


class FaultCode(StrEnum):
    """Rules of generation that a claim can break without any replay."""

    OUTPUT_EMPTY = "OUTPUT_EMPTY"
    OUTPUT_TOO_LONG = "OUTPUT_TOO_LONG"
    TOKEN_INVALID = "TOKEN_INVALID"
    TOKEN_AFTER_STOP = "TOKEN_AFTER_STOP"
    TOKEN_BANNED = "TOKEN_BANNED"
    FINISH_UNKNOWN = "FINISH_UNKNOWN"
    STOP_WITHOUT_STOP_TOKEN = "STOP_WITHOUT_STOP_TOKEN"
    LENGTH_WITH_STOP_TOKEN = "LENGTH_WITH_STOP_TOKEN"
    LENGTH_TOO_SHORT = "LENGTH_TOO_SHORT"
    CANCELLED_COMPLETE = "CANCELLED_COMPLETE"
    LOGPROBS_WRONG_COUNT = "LOGPROBS_WRONG_COUNT"
    LOGPROB_NOT_FINITE = "LOGPROB_NOT_FINITE"
    LOGPROB_POSITIVE = "LOGPROB_POSITIVE"
    LOGPROB_TOO_LOW = "LOGPROB_TOO_LOW"
    TOP_LOGPROBS_INVALID = "TOP_LOGPROBS_INVALID"


@dataclass(frozen=True)
class ClaimFault:
    """The provider's failure: a code for machines and a sentence with the operands."""

    code: FaultCode
    reason: str


@dataclass(frozen=True)
class ClaimRules:
    """What the job and the model's manifest allow an answer to be."""

    max_output_tokens: int
    vocabulary: int
    stop_token_ids: tuple[int, ...]
    min_tokens: int = 0
    greedy: bool = True
    may_end_early: bool = False


def find_fault(claim: Claim, rules: ClaimRules) -> ClaimFault | None:
    """The first rule of generation that the claim breaks, or None. Never raises on a bad claim."""
    return (
        _find_token_fault(claim, rules)
        or _find_finish_fault(claim, rules)
        or _find_logprob_fault(claim, rules)
        or _find_top_fault(claim, rules)
    )


def _find_token_fault(claim: Claim, rules: ClaimRules) -> ClaimFault | None:
    tokens = claim.output_token_ids
    if not tokens:
        return ClaimFault(
            FaultCode.OUTPUT_EMPTY, "The output has no tokens; even an empty answer has its stop token."
        )
    if len(tokens) > rules.max_output_tokens:
        return ClaimFault(
            FaultCode.OUTPUT_TOO_LONG,
            f"The output has {len(tokens)} tokens, but the job allows {rules.max_output_tokens}.",
        )
    for place, token in enumerate(tokens):
        if type(token) is not int or not 0 <= token < rules.vocabulary:
            return ClaimFault(
                FaultCode.TOKEN_INVALID,
                f"Output token {place} is {token!r}, outside the vocabulary 0 to {rules.vocabulary - 1}.",
            )
        if token in rules.stop_token_ids and place < rules.min_tokens:
            return ClaimFault(
                FaultCode.TOKEN_BANNED,
                f"Output token {place} is the stop token {token}, which is banned before token {rules.min_tokens}.",
            )
        if token in rules.stop_token_ids and place + 1 < len(tokens):
            return ClaimFault(
                FaultCode.TOKEN_AFTER_STOP,
                f"Output token {place} is the stop token {token}; {len(tokens) - place - 1} more follow.",
            )
    return None


def _find_finish_fault(claim: Claim, rules: ClaimRules) -> ClaimFault | None:
    count, last = len(claim.output_token_ids), claim.output_token_ids[-1]
    legal = set(FinishReason) if rules.may_end_early else {FinishReason.STOP, FinishReason.LENGTH}
    if claim.finish_reason not in legal:
        return ClaimFault(
            FaultCode.FINISH_UNKNOWN,
            f"The finish reason is {claim.finish_reason!r}; only {' and '.join(map(repr, sorted(legal)))} exist here.",
        )
    stopped = last in rules.stop_token_ids
    if claim.finish_reason == FinishReason.CANCELLED:
        if stopped or count == rules.max_output_tokens:
            return ClaimFault(
                FaultCode.CANCELLED_COMPLETE,
                f"The finish reason is 'cancelled', but the output of {count} tokens is complete.",
            )
        return None
    if claim.finish_reason == FinishReason.STOP:
        if not stopped:
            return ClaimFault(
                FaultCode.STOP_WITHOUT_STOP_TOKEN,
                f"The finish reason is 'stop', but the last token {last} is not in {rules.stop_token_ids}.",
            )
    elif stopped:
        return ClaimFault(
            FaultCode.LENGTH_WITH_STOP_TOKEN,
            f"The finish reason is 'length', but the last token is the stop token {last}.",
        )
    elif count < rules.max_output_tokens:
        return ClaimFault(
            FaultCode.LENGTH_TOO_SHORT,
            f"The finish reason is 'length' after {count} of {rules.max_output_tokens} tokens.",
        )
    return None


def _find_logprob_fault(claim: Claim, rules: ClaimRules) -> ClaimFault | None:
    if claim.chosen_logprobs is None:
        return None
    expected, found = len(claim.output_token_ids), len(claim.chosen_logprobs)
    if found != expected:
        return ClaimFault(
            FaultCode.LOGPROBS_WRONG_COUNT, f"There are {found} logprobs for {expected} output tokens."
        )
    lowest = -math.log(rules.vocabulary) - LOGPROB_SLACK
    for place, value in enumerate(claim.chosen_logprobs):
        if type(value) is not float or not math.isfinite(value):
            return ClaimFault(
                FaultCode.LOGPROB_NOT_FINITE, f"Logprob {place} is {value!r}, not a finite number."
            )
        if value > 0:
            return ClaimFault(FaultCode.LOGPROB_POSITIVE, f"Logprob {place} is {value}, above 0.")
        if rules.greedy and value < lowest:
            return ClaimFault(
                FaultCode.LOGPROB_TOO_LOW,
                f"Logprob {place} is {value}, but the best of {rules.vocabulary} has at least {lowest:.3f}.",
            )
    return None


def _find_top_fault(claim: Claim, rules: ClaimRules) -> ClaimFault | None:
    tokens = len(claim.output_token_ids)
    if not claim.top_logprobs:
        return None
    if len(claim.top_logprobs) != tokens * TOP * TOP_BYTES:
        return ClaimFault(
            FaultCode.TOP_LOGPROBS_INVALID,
            f"There are {len(claim.top_logprobs)} bytes of top logprobs instead of {tokens * TOP * TOP_BYTES}.",
        )
    for place, row in enumerate(unpack_top(claim.top_logprobs)):
        values = [value for _, value in row]
        falling = all(math.isfinite(value) and value <= 0 for value in values) and values == sorted(values)[::-1]
        known = {token for token, _ in row if token < rules.vocabulary}
        if not falling or len(known) != TOP:
            return ClaimFault(
                FaultCode.TOP_LOGPROBS_INVALID,
                f"The top logprobs of output token {place} are not five known tokens with falling finite numbers.",
            )
    return None
