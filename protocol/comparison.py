"""A claim beside the reference model's own view of it: the numbers that an audit is judged by."""

from __future__ import annotations

import math
from dataclasses import dataclass

from protocol.claim import Claim, FinishReason, unpack_top
from protocol.proofs.fingerprint import Rows, distance
from protocol.types import AuditStatistics

MARGIN_CLIP = 1.0
"""Nats. A single token counts for no more in the mean: the maximum is there for it (arXiv 2511.20621)."""


@dataclass(frozen=True)
class Replay:
    """The reference model's view of a claimed output, one entry a token.

    `margins[i]` says how much better the best token would have scored than the claimed one under the agreed sampling,
    in nats and never negative; `chosen_logprobs[i]` is the reference's own logprob of the claimed token. Of a claim
    with top logprobs, `claimed_top[i]` are its own logprobs of the claimed five ids and `own_top[i]` of its own best
    five; `rows` are its projections at the opened positions.
    """

    margins: tuple[float, ...]
    chosen_logprobs: tuple[float, ...]
    claimed_top: tuple[tuple[float, ...], ...] = ()
    own_top: tuple[tuple[float, ...], ...] = ()
    rows: Rows | None = None


def compute_statistics(claim: Claim, replay: Replay) -> AuditStatistics:
    """Compare a claim without faults with its replay.

    `max_margin` is taken over the answer without a final stop token; that token's own margin is
    `end_margin`, which is 0 when the answer ended by length.
    Errors: `ValueError` when the two have different lengths, which is the caller's mistake.
    """
    tokens = len(claim.output_token_ids)
    given = tokens if claim.chosen_logprobs is None else len(claim.chosen_logprobs)
    if not tokens == given == len(replay.margins) == len(replay.chosen_logprobs):
        raise ValueError(
            f"A claim of {tokens} tokens and {given} logprobs cannot be compared with a "
            f"replay of {len(replay.margins)}; check it with find_fault first."
        )
    ended_by_stop = claim.finish_reason == FinishReason.STOP
    answer = replay.margins[:-1] if ended_by_stop else replay.margins
    opened = claim.opened
    return AuditStatistics(
        max_margin=max(answer, default=0.0),
        end_margin=replay.margins[-1] if ended_by_stop else 0.0,
        mean_logprob_distance=_mean_distance(claim.chosen_logprobs, replay.chosen_logprobs),
        tokens=tokens,
        # fsum rounds once, so a mean does not depend on the order of addition.
        mean_margin=math.fsum(min(margin, MARGIN_CLIP) for margin in replay.margins) / tokens,
        mean_top_logprob_distance=_mean_top_distance(unpack_top(claim.top_logprobs), replay),
        fingerprint_distance=None if opened is None or replay.rows is None
        else distance(opened.rows, opened.units, replay.rows),
    )


def _mean_distance(claimed: tuple[float, ...] | None, own: tuple[float, ...]) -> float | None:
    if claimed is None:
        return None
    return math.fsum(abs(one - other) for one, other in zip(claimed, own, strict=True)) / len(own)


def _mean_top_distance(claimed: list[tuple[tuple[int, float], ...]], replay: Replay) -> float | None:
    """Each claimed logprob is held against our own of the same token and against our own of the same rank: whoever
    names unlikely tokens to be right about them is far off in rank."""
    if not claimed:
        return None
    distances = [
        max(abs(value - same), abs(value - ranked))
        for row, own, best in zip(claimed, replay.claimed_top, replay.own_top, strict=True)
        for (_, value), same, ranked in zip(row, own, best, strict=True)
    ]
    return math.fsum(distances) / len(distances)
