"""Scores: nothing is banked, nobody convicts alone, more evidence never weighs less, honest leaves convict nobody."""

from __future__ import annotations

import math
import random
from functools import lru_cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.profile import PROFILE_FORMAT, CalibrationProfile, HonestRange
from protocol.score import (
    BOUND,
    CLEAN,
    PAYER_CAP,
    PROVIDERS,
    Leaf,
    Score,
    is_suspended,
    log_e_value,
    score_of,
)
from protocol.suspicion import p_value_of
from protocol.thresholds import alpha
from protocol.types import AuditStatistics, Sampler
from protocol.verdict import judge, needs_self_noise

GRID = ("0.5", "0.9", "0.99", "0.999")
NAMES = ("max_margin", "end_margin", "mean_margin", "mean_logprob_distance")
RANGE = HonestRange("0.08", "0.0001", dict(zip(GRID, ("0.004", "0.012", "0.03", "0.06"), strict=True)))
PROFILE = CalibrationProfile(
    PROFILE_FORMAT, "tiny", "ab" * 32, "torch", "bf16", "cpu", ("greedy",), (), "1.25", "0.3", 3000, 3000, 90_000,
    "cd" * 32, dict.fromkeys(NAMES, RANGE), (), {},
)  # fmt: skip
HIT = log_e_value(alpha(PROFILE), True, alpha(PROFILE))

evidence = st.floats(math.log(0.25), 12)
leaves = st.lists(st.builds(Leaf, st.sampled_from("abcde"), evidence), max_size=30)


@lru_cache
def judged(largest: float, end: float, mean: float, logprobs: float) -> float:
    found, greedy = AuditStatistics(largest, end, logprobs, 24, mean), Sampler("greedy", 0)
    noise = (AuditStatistics(0.0, 0.0, 0.0, 24),) * 2 if needs_self_noise(PROFILE, greedy, found) else ()
    log_e = judge(PROFILE, greedy, found, noise).log_e
    assert log_e is not None and 0 < p_value_of(PROFILE, found) <= 1
    return log_e


@pytest.mark.parametrize(("p", "bound"), [(0.0, 0.1), (1.1, 0.1), (-1.0, 0.1), (math.nan, 0.1), (0.5, 0.0)])
def test_log_e_value__of_no_probability__is_refused(p: float, bound: float) -> None:
    with pytest.raises(ValueError, match="probabilities"):
        log_e_value(p, False, bound)


def test_log_e_value__in_the_mean_over_honest_leaves__is_no_evidence() -> None:
    """R79: E[e] <= 1 for uniform p and alarms as often as the bound allows."""
    steps = 200_000
    mean = sum(math.exp(log_e_value((i + 0.5) / steps, False, 1.0)) for i in range(steps)) / steps
    assert mean + 0.5 == pytest.approx(1.0, abs=1e-3)


@given(st.text("abcde", min_size=1, max_size=1), st.lists(evidence, max_size=200))
def test_score__of_one_payer_alone__never_convicts(payer: str, found: list[float]) -> None:
    """R79: whatever one requester does, it adds at most ln 1000."""
    score = score_of([Leaf(payer, one) for one in found])
    assert score.value <= PAYER_CAP + 1e-9 and not score.convicts


@given(leaves)
def test_score__convicts__only_with_three_payers(found: list[Leaf]) -> None:
    score = score_of(found)
    assert not score.convicts or (score.value > BOUND and len(score.payers) >= 3)
    two = score_of([leaf for leaf in found if leaf.payer in "ab"])
    assert not two.convicts


@given(st.lists(st.builds(Leaf, st.sampled_from("abcde"), st.floats(math.log(0.25), 0)), max_size=100), leaves)
def test_score__clean_history_before__is_worth_nothing(clean: list[Leaf], found: list[Leaf]) -> None:
    """R79: floored at zero, in whatever order the clean leaves came."""
    expected = score_of(found).value
    assert score_of(clean + found).value == pytest.approx(expected, abs=1e-9)
    assert score_of(clean[::-1] + found).value == pytest.approx(expected, abs=1e-9)
    assert expected >= -1e-12


@given(leaves, st.integers(0, 29), st.floats(0, 5))
def test_score__more_evidence_in_one_leaf__never_weighs_less(found: list[Leaf], place: int, more: float) -> None:
    if not found:
        return
    place %= len(found)
    raised = [*found[:place], Leaf(found[place].payer, found[place].log_e + more), *found[place + 1 :]]
    assert score_of(raised).value >= score_of(found).value - 1e-9


@given(leaves)
def test_score__related_payers__count_in_neither_direction(found: list[Leaf]) -> None:
    """R79: a provider that hires itself cannot thin out what others saw."""
    others = [leaf for leaf in found if leaf.payer not in "ab"]
    assert score_of(found, ("a", "b")) == score_of(others)


def test_score__cheat_in_one_of_ten_leaves__is_not_forgotten() -> None:
    """A bet on all leaves loses 1.4 nats a clean one; the small bets remember."""
    found = [Leaf("abcdefghij"[i % 7], HIT if i % 10 == 0 else CLEAN) for i in range(120)]
    assert score_of(found).convicts
    assert not score_of(found[:11]).convicts


def test_score__steady_int4_like_leaves_of_three_payers__convict_within_a_few() -> None:
    """R79: every leaf beyond the profile, as of int4 (docs/DECISIONS.md)."""
    found: list[Leaf] = []
    while not score_of(found).convicts:
        found.append(Leaf("abcd"[len(found) % 4], HIT))
    assert 4 <= len(found) <= 6


def test_score__hundred_thousand_honest_leaves_from_the_profile_s_quantiles__convict_nobody() -> None:
    """R79: each between the quantiles that it was drawn from, at the worst place there, beyond the thresholds as often
    as the bound allows; forty leaves are in a window at a time."""
    draw, window, highest = random.Random(7), list[Leaf](), 0.0
    edges = (*((float(q), float(RANGE.quantiles[q])) for q in GRID), (1 - alpha(PROFILE) / 4, 0.08), (1.0, 0.11))
    for i in range(100_000):
        values = (next(value for q, value in edges if u <= q) for u in (draw.random() for _ in NAMES))
        log_e = judged(*values)
        window = [*window[-39:], Leaf(f"payer {draw.randrange(12)}", log_e)]
        if log_e > 0:
            highest = max(highest, score_of(window).value)
            assert not score_of(window).convicts, i
    assert 3 < highest < BOUND


@pytest.mark.parametrize(("values", "suspended"), [
    ([], False), ([BOUND] * (PROVIDERS - 1), False), ([BOUND / 2] * 9, False), ([BOUND / 2 + 0.01] * PROVIDERS, True),
    ([0.0] * 50 + [BOUND] * PROVIDERS, True),
])  # fmt: skip
def test_suspension__three_providers_above_half_the_bound__doubts_the_profile(values: list[float],
                                                                              suspended: bool) -> None:
    """R80: when many rise together, the profile is at fault sooner than they are."""
    scores = {str(i): Score(value, frozenset()) for i, value in enumerate(values)}
    assert is_suspended(scores) is is_suspended(values) is suspended
