"""Plans of canaries: nobody tells them from the traffic by what everybody sees, and who plans otherwise is told."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy
import pytest

from benchmarks.canaries import COPIED, compare, naive_planners, nearest, plan_canaries
from benchmarks.traffic import OPEN_FEE, WEEK, by_program, make_lines
from benchmarks.two_sample import chi_square, gamma_tail, smirnov, told_apart
from protocol.canary import live_again, plan
from protocol.canary_lines import Line, SeenDeposit, SeenJob, ahead_of, fund, habit_of, shared_by
from protocol.types import Sampler

DRAWS, FEWER, OBSERVED, SEED = 2_500, 1_200, 8_000, 2
JOB = SeenJob(100.0, 50, 64, 1, 2, "0xp", Sampler("greedy", 0), "one")


@pytest.fixture(scope="module")
def week() -> tuple[list[Line], list[Line]]:
    return make_lines(OBSERVED, SEED), make_lines(DRAWS, SEED + 1_000, WEEK)


def test_canaries__beside_the_traffic_of_the_next_week__are_not_told_apart(
    week: tuple[list[Line], list[Line]]
) -> None:
    """R105: by size, price, timing, funding, age and length of sessions and wallets, provider, sampler, all together,
    or as copies of what was observed. `python -m benchmarks.canaries` has the test with ten thousand draws."""
    observed, fresh = week
    planned = plan_canaries(observed, DRAWS, SEED)
    found = compare(planned, fresh, SEED, DRAWS)
    found[COPIED] = smirnov(nearest(planned, observed), nearest(fresh, observed))
    found.pop("area under the curve")
    assert {name: p for name, p in found.items() if p <= 0.05} == {}


def test_canaries__planned_the_obvious_ways__are_told_apart(week: tuple[list[Line], list[Line]]) -> None:
    """R105: the same tests see each of these."""
    observed, fresh = week
    planners = naive_planners(observed, FEWER, SEED)
    assert len(planners) >= 3
    for name, lines in planners.items():
        assert compare(lines, fresh, SEED, FEWER)["all together"] < 1e-6, name
    copies = [replace(line, jobs=tuple(replace(job, at=job.at + WEEK) for job in line.jobs)) for line in observed]
    assert smirnov(nearest(copies[:DRAWS], observed), nearest(fresh, observed)) < 1e-6


@pytest.mark.parametrize("share", [0.0, -0.1, 1.5])
def test_plan__share_that_is_none__is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        plan([], {}, 0.0, WEEK, share, b"seed")


def test_plan__same_seed__is_the_same_and_another_is_another(week: tuple[list[Line], list[Line]]) -> None:
    one, again, other = (plan(week[0][:200], {}, 0.0, WEEK, 0.5, seed) for seed in (b"a", b"a", b"b"))
    assert one == again != other


def test_plan__own_wallet__goes_on_as_one_of_its_age(week: tuple[list[Line], list[Line]]) -> None:
    """R105: a wallet that is there already grows older as others do."""
    early = [replace(line, wallet=f"e{i}") for i, line in enumerate(make_lines(300, 9, -WEEK, WEEK * 2))]
    own = replace(early[0], wallet="mine", jobs=early[0].jobs[:1])
    made = [line for seed in range(40) for line in plan(early, {"mine": own}, 0.0, WEEK, 0.01, bytes([seed]))
            if line.wallet == "mine"]
    assert len(made) > 5 and all(WEEK <= job.at < 2 * WEEK + 3_600 for line in made for job in line.jobs)


def test_live_again__wallet_by_the_clock__stays_by_the_clock_and_asks_the_same() -> None:
    line = Line("w", (), tuple(replace(JOB, at=100.0 + 3_600 * i) for i in range(20)), 10)
    made = live_again(line, WEEK, shared_by([line]), numpy.random.Generator(numpy.random.PCG64(1)))
    assert {round(b.at - a.at) for a, b in zip(made.jobs, made.jobs[1:], strict=False)} == {3_600}
    assert len({job.input_tokens for job in made.jobs}) == 1


def test_live_again__chat__grows_and_is_no_copy() -> None:
    line = Line("w", (), tuple(replace(JOB, at=100.0 + 40 * i * i, input_tokens=50 + 60 * i + i * i)
                               for i in range(6)), 10)
    made = live_again(line, WEEK, shared_by([line]), numpy.random.Generator(numpy.random.PCG64(1)))
    lengths = [job.input_tokens for job in made.jobs]
    assert lengths == sorted(lengths) and lengths != [job.input_tokens for job in line.jobs]
    assert made.deposits == (), "the program makes them"


def test_ahead_of__deposits_of_a_program__are_seen_through() -> None:
    jobs = tuple(replace(JOB, at=100.0 + i, input_tokens=50 + i) for i in range(40))
    assert ahead_of(by_program(jobs, 10), jobs, OPEN_FEE) == 10
    topped = (SeenDeposit(99.0, 10 * (jobs[0].price + OPEN_FEE)), SeenDeposit(110.0, 10 * (jobs[10].price + OPEN_FEE)
                                                                              - OPEN_FEE // 2))
    assert ahead_of(topped, jobs, OPEN_FEE) == 10, "the second one counts what was left"
    assert ahead_of((SeenDeposit(99.0, 12345 * OPEN_FEE // 1000),), jobs, OPEN_FEE) is None
    assert ahead_of((), jobs, OPEN_FEE) is None


def test_fund__a_persons_habit__pays_for_every_job() -> None:
    jobs = tuple(replace(JOB, at=100.0 + 10 * i) for i in range(30))
    line = Line("w", (SeenDeposit(90.0, 500), SeenDeposit(118.0, 1_000)), jobs)
    habit = habit_of(line)
    assert (habit.sums, habit.when_needed) == ((500, 1_000), True)
    balance = 0
    made = list(fund(jobs, habit))
    for job in jobs:
        while made and made[0].at <= job.at:
            balance += made.pop(0).amount
        balance -= job.price
        assert balance >= 0


def test_two_sample__known_values__are_those_of_the_tables() -> None:
    assert gamma_tail(0.5, 3.841458820694124 / 2) == pytest.approx(0.05, abs=1e-9)
    assert gamma_tail(5, 18.307038053275146 / 2) == pytest.approx(0.05, abs=1e-9)
    one = numpy.arange(2_000) / 2_000
    assert smirnov(one, one) == 1.0 and smirnov(one, one + 0.2) < 1e-6
    assert smirnov(one, one + 0.0429) == pytest.approx(0.05, abs=0.01)
    with pytest.raises(ValueError, match="1,000"):
        smirnov(one[:10], one)
    assert chi_square(numpy.array(["a", "b"] * 500), numpy.array(["a", "b"] * 500)) == 1.0
    assert chi_square(numpy.array(["a"] * 1000), numpy.array(["a", "b"] * 500)) < 1e-6


def test_classifier__same_and_other_clouds__sees_the_other_only() -> None:
    chance = numpy.random.Generator(numpy.random.PCG64(3))
    one, same = chance.normal(size=(2, 2_000, 3))
    ring = chance.normal(size=(2_000, 3))
    ring[:, 2] = ring[:, 0] * ring[:, 1] + 0.3 * ring[:, 2]
    assert told_apart(one, same, 1)[1] > 0.01 and told_apart(one, ring, 1)[1] < 1e-9
    assert math.isfinite(told_apart(one, ring, 1)[0])
