"""What a provider claims to have computed, what a replay found, and the numbers that compare the two.

A claim that breaks a rule of greedy generation is a fault of the provider and comes back as a value
with an exact reason. It is never raised: an exception always means that the verifier itself failed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from protocol.types import AuditStatistics

# The argmax of V logits has probability of at least 1/V, so its logprob is at least -ln V. One whole
# unit of slack is a thousand times the numeric noise and still bounds what a claim can contain.
LOGPROB_SLACK = 1.0


class FinishReason(StrEnum):
    """Why generation ended: the model's stop token (part of the output), or the token limit."""

    STOP = "stop"
    LENGTH = "length"


class FaultCode(StrEnum):
    """Rules of greedy generation that a claim can break without any replay."""

    OUTPUT_EMPTY = "OUTPUT_EMPTY"
    OUTPUT_TOO_LONG = "OUTPUT_TOO_LONG"
    TOKEN_INVALID = "TOKEN_INVALID"
    TOKEN_AFTER_STOP = "TOKEN_AFTER_STOP"
    FINISH_UNKNOWN = "FINISH_UNKNOWN"
    STOP_WITHOUT_STOP_TOKEN = "STOP_WITHOUT_STOP_TOKEN"
    LENGTH_WITH_STOP_TOKEN = "LENGTH_WITH_STOP_TOKEN"
    LENGTH_TOO_SHORT = "LENGTH_TOO_SHORT"
    LOGPROBS_WRONG_COUNT = "LOGPROBS_WRONG_COUNT"
    LOGPROB_NOT_FINITE = "LOGPROB_NOT_FINITE"
    LOGPROB_POSITIVE = "LOGPROB_POSITIVE"
    LOGPROB_TOO_LOW = "LOGPROB_TOO_LOW"


@dataclass(frozen=True)
class ClaimFault:
    """The provider's failure: a code for machines and a sentence with the operands."""

    code: FaultCode
    reason: str


@dataclass(frozen=True)
class Claim:
    """A provider's answer: token ids, the float32 logprob of each output token, and how it ended."""

    output_token_ids: tuple[int, ...]
    chosen_logprobs: tuple[float, ...]
    finish_reason: str


@dataclass(frozen=True)
class ClaimRules:
    """What the job and the model's manifest allow an answer to be."""

    max_output_tokens: int
    vocabulary: int
    stop_token_ids: tuple[int, ...]


@dataclass(frozen=True)
class Replay:
    """The reference model's view of a claimed output, one entry a token, float32 values.

    `margins[i]` is the largest logit minus the logit of the claimed token, in nats and never negative;
    `chosen_logprobs[i]` is the reference's own logprob of the claimed token.
    """

    margins: tuple[float, ...]
    chosen_logprobs: tuple[float, ...]


def find_fault(claim: Claim, rules: ClaimRules) -> ClaimFault | None:
    """The first rule of greedy generation that the claim breaks, or None. Never raises on a bad claim."""
    return (
        _find_token_fault(claim, rules)
        or _find_finish_fault(claim, rules)
        or _find_logprob_fault(claim, rules)
    )


def compute_statistics(claim: Claim, replay: Replay) -> AuditStatistics:
    """Compare a claim without faults with its replay.

    `max_margin` is taken over the answer without a final stop token; that token's own margin is
    `end_margin`, which is 0 when the answer ended by length.
    Errors: `ValueError` when the two have different lengths, which is the caller's mistake.
    """
    tokens = len(claim.output_token_ids)
    if not tokens == len(claim.chosen_logprobs) == len(replay.margins) == len(replay.chosen_logprobs):
        raise ValueError(
            f"A claim of {tokens} tokens and {len(claim.chosen_logprobs)} logprobs cannot be compared with a "
            f"replay of {len(replay.margins)}; check it with find_fault first."
        )
    ended_by_stop = claim.finish_reason == FinishReason.STOP
    answer = replay.margins[:-1] if ended_by_stop else replay.margins
    # fsum rounds once, so the mean does not depend on the order of addition.
    distance = math.fsum(
        abs(claimed - own) for claimed, own in zip(claim.chosen_logprobs, replay.chosen_logprobs, strict=True)
    )
    return AuditStatistics(
        max_margin=max(answer, default=0.0),
        end_margin=replay.margins[-1] if ended_by_stop else 0.0,
        mean_logprob_distance=distance / tokens,
        tokens=tokens,
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
        if token in rules.stop_token_ids and place + 1 < len(tokens):
            return ClaimFault(
                FaultCode.TOKEN_AFTER_STOP,
                f"Output token {place} is the stop token {token}; {len(tokens) - place - 1} more follow.",
            )
    return None


def _find_finish_fault(claim: Claim, rules: ClaimRules) -> ClaimFault | None:
    count, last = len(claim.output_token_ids), claim.output_token_ids[-1]
    if claim.finish_reason not in set(FinishReason):
        return ClaimFault(
            FaultCode.FINISH_UNKNOWN,
            f"The finish reason is {claim.finish_reason!r}; only 'stop' and 'length' exist.",
        )
    stopped = last in rules.stop_token_ids
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
        if value < lowest:
            return ClaimFault(
                FaultCode.LOGPROB_TOO_LOW,
                f"Logprob {place} is {value}, but the best of {rules.vocabulary} has at least {lowest:.3f}.",
            )
    return None
