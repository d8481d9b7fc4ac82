from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import Refused
from protocol.sampling import (
    GREEDY,
    GUMBEL,
    check_sampler,
    choose,
    gumbel,
    ln,
    nucleus,
    philox,
    weight,
)
from protocol.types import Sampler

ONE = 2**40
UNIFORM = Sampler(GUMBEL, 7, 1_000)


@pytest.mark.parametrize(
    ("sampler", "reason"),
    [
        (Sampler("nucleus", 0), "'nucleus' is not served"),
        (Sampler(GREEDY, 0, temperature_milli=1), "greedy sampler has temperature 0"),
        (Sampler(GREEDY, 0, top_k=1), "greedy sampler has temperature 0"),
        (Sampler(GUMBEL, 0, 0), "temperature is 0"),
        (Sampler(GUMBEL, 0, 2_001), "temperature is 2001"),
        (Sampler(GUMBEL, 0, 1_000, 0), "top-p is 0"),
        (Sampler(GUMBEL, 0, 1_000, 10_001), "top-p is 10001"),
        (Sampler(GUMBEL, 0, 1_000, 10_000, 65), "top-k is 65"),
        (Sampler(GUMBEL, 0, 1_000, min_tokens=5_000), "min_tokens is 5000"),
    ],
)
def test_check_sampler__without_one_meaning__is_refused(sampler: Sampler, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        check_sampler(sampler)


def test_check_sampler__sound__is_taken() -> None:
    check_sampler(Sampler(GREEDY, 2**64 - 1, min_tokens=4))
    check_sampler(Sampler(GUMBEL, 0, 1, 1, 1))


def test_philox__its_published_vectors__come_out() -> None:
    """Known answers of Salmon et al. for Philox4x32-10."""
    assert philox(0, (0, 0, 0, 0)) == (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)
    full = 2**32 - 1
    assert philox(2**64 - 1, (full,) * 4) == (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)


@given(st.integers(1, 2**53 - 1))
def test_ln__any_integer__is_the_logarithm(value: int) -> None:
    assert abs(ln(value) / ONE - math.log(value)) < 4e-8


@given(st.floats(-40, 0, allow_nan=False), st.integers(1, 2_000))
def test_weight__any_distance__is_the_exponential(distance: float, milli: int) -> None:
    assert abs(weight(distance, milli) / ONE - math.exp(distance * 1000 / milli)) < 1e-7


def test_gumbel__many_tokens__has_the_distribution_s_moments() -> None:
    values = [gumbel(3, position, token) / ONE for position in range(100) for token in range(100)]
    mean = math.fsum(values) / len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / len(values)
    assert abs(mean - 0.5772) < 0.05 and abs(variance - math.pi**2 / 6) < 0.1


@pytest.mark.parametrize("change", [{"seed": 8}, {"position": 1}, {"token": 1}])
def test_gumbel__another_seed_position_or_token__is_other_noise(change: dict[str, int]) -> None:
    assert gumbel(**{"seed": 7, "position": 0, "token": 0, **change}) != gumbel(7, 0, 0)


def test_choose__greedy__takes_the_best_and_of_equals_the_lowest_id() -> None:
    assert choose([0.0, 2.0, 2.0, 1.0], Sampler(GREEDY, 0), 0) == 1


def test_choose__banned_before_min_tokens__takes_another() -> None:
    """R99: stop tokens cannot be chosen before `min_tokens`."""
    sampler = Sampler(GREEDY, 0, min_tokens=2)
    assert [choose([0.0, 5.0, 1.0], sampler, position, (1,)) for position in (0, 1, 2)] == [2, 2, 1]


def test_choose__sampled__follows_the_softmax() -> None:
    """R98: Gumbel-max: shares of 0.665, 0.245 and 0.090 in 20,000 positions, within five standard deviations."""
    logits = [2.0, 1.0, 0.0]
    counts = Counter(choose(logits, UNIFORM, position) for position in range(20_000))
    total = sum(math.exp(value) for value in logits)
    for token, value in enumerate(logits):
        share = math.exp(value) / total
        assert abs(counts[token] / 20_000 - share) < 5 * math.sqrt(share * (1 - share) / 20_000)


@settings(max_examples=50)
@given(st.lists(st.floats(-20, 20, width=32), min_size=3, max_size=90, unique=True), st.integers(0, 2**64 - 1),
       st.integers(0, 4_000))
def test_choose__one_more_unlikely_token__changes_nothing(
    logits: list[float], seed: int, position: int
) -> None:
    sampler = Sampler(GUMBEL, seed, 800, 9_000)
    best = choose(logits, sampler, position)
    assert choose([*logits, -100.0], sampler, position) == best


def test_nucleus__top_p__keeps_the_fewest_that_reach_it() -> None:
    ranked = [math.log(0.5), math.log(0.3), math.log(0.2)]
    kept = [nucleus(ranked, Sampler(GUMBEL, 0, 1_000, top_p)) for top_p in (1, 4_900, 5_100, 7_900, 8_100, 10_000)]
    assert kept == [1, 1, 2, 2, 3, 3]
