"""The model of the market: what it refuses, that it counts money as the contracts do, and that it can see a profit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.simulation.agents import HONEST, Strategy
from benchmarks.simulation.market import (
    COST_BPS,
    GWEI,
    INT4,
    NO_WORK,
    PRICE,
    Market,
    audit_rates,
    least_floor,
)
from benchmarks.simulation.world import Rules, gain, play, split_fees
from protocol import economics
from protocol.draw import audit_rate
from protocol.units import BPS_ONE, bps_up

MARKET = Market()
CERTAIN = MARKET.without(floor_bps=BPS_ONE)
"""Everything is audited."""


@pytest.mark.parametrize(("jobs", "batch", "lag"), [(10, 3, 1), (10, 5, 3), (1, 1, 2)])
def test_play__jobs_that_are_no_whole_batches__refused(jobs: int, batch: int, lag: int) -> None:
    with pytest.raises(ValueError, match="choose more"):
        play(MARKET, Strategy("odd", batch=batch, lag=lag), jobs, 4, 1)


def test_split_fees__random_batches__as_the_contracts_split_them() -> None:
    chance = np.random.default_rng(1)
    kept, auditors = chance.integers(0, 30, 500), chance.integers(0, 5, 500)
    burned = split_fees(kept, auditors, 7, 4)
    assert burned.tolist() == [economics.split_fee(int(k), 7, int(a), 4).burned
                               for k, a in zip(kept, auditors, strict=True)]


@pytest.mark.parametrize("floor_bps", [100, 2_000, 10_000])
def test_audit_rates__any_burn__those_of_the_draw(floor_bps: int) -> None:
    burned = np.array([0, 1, 10**8, 10**9, 3 * 10**10, 10**13], np.int64)
    expected = [audit_rate(int(one) * GWEI, floor_bps) / BPS_ONE for one in burned]
    assert np.allclose(audit_rates(burned, floor_bps, MARKET.scale), expected, atol=1.1 / BPS_ONE)


def test_stake__at_the_bound__deters_and_a_gwei_less_does_not() -> None:
    terms = MARKET.terms
    sizes = (terms.slash_bps, terms.challenger_bps, terms.detection_bps)
    assert economics.deters(MARKET.stake * GWEI, PRICE * GWEI, *sizes)
    assert not economics.deters((MARKET.stake - 1) * GWEI, PRICE * GWEI, *sizes)


def test_play__honest__never_slashed_and_earns_its_margin_to_the_gwei() -> None:
    played = play(CERTAIN, HONEST, 40, 50, 1)
    terms = CERTAIN.terms
    split = economics.split_fee(economics.fee(PRICE * GWEI, terms.fee_bps), terms.audit_fee, 1, terms.submit_fee)
    reward = split.burned // GWEI * CERTAIN.beta_bps // BPS_ONE
    margin = PRICE - economics.fee(PRICE, terms.fee_bps) - PRICE * COST_BPS // BPS_ONE + reward
    assert played.convictions.sum() == 0 and played.cheated.sum() == 0
    assert set(played.profit.tolist()) == {40 * margin}


def test_play__cheat_that_every_audit_sees__loses_stake_and_pay_each_time() -> None:
    played = play(CERTAIN, Strategy("int4", INT4, 1.0), 10, 20, 1)
    lost = bps_up(CERTAIN.stake, CERTAIN.terms.slash_bps)
    cost = PRICE * (COST_BPS - INT4.saved_bps) // BPS_ONE
    assert set(played.convictions.tolist()) == {10}
    assert set(played.profit.tolist()) == {-10 * (lost + cost)}


def test_play__friend_disputes__gets_the_challengers_share() -> None:
    agent = Strategy("int4", INT4, 1.0)
    alone = play(CERTAIN, agent, 10, 5, 1)
    helped = play(CERTAIN, replace(agent, has_challenger=True), 10, 5, 1)
    award = bps_up(CERTAIN.stake, CERTAIN.terms.slash_bps) * CERTAIN.terms.challenger_bps // BPS_ONE
    assert set((helped.profit - alone.profit).tolist()) == {10 * award}


def test_play__conviction__takes_all_pending_pay_and_slashes_once() -> None:
    agent = Strategy("burst", INT4, 1.0, lives_for=8, lag=8)
    played = play(CERTAIN, agent, 8, 5, 1)
    lost = bps_up(CERTAIN.stake, CERTAIN.terms.slash_bps)
    cost = 8 * PRICE * (COST_BPS - INT4.saved_bps) // BPS_ONE
    assert set(played.convictions.tolist()) == {1}
    assert set(played.profit.tolist()) == {-lost - cost}


def test_play__all_auditors_collude__nobody_convicted() -> None:
    assert play(CERTAIN, Strategy("int4", INT4, 1.0, colluding=1.0), 20, 20, 1).convictions.sum() == 0


def test_play__new_identity__begins_with_everything_audited() -> None:
    renewed = Strategy("int4", INT4, 1.0, starts_new=True, renews_when_convicted=True)
    played = play(MARKET, renewed, 20, 20, 1)
    assert played.convictions.sum() == 20 * 20
    # The last is decided when its provider has no further job: a new identity begins all the same.
    assert set(played.identities.tolist()) == {21}


def test_gain__floor_above_the_least__loses_and_below_it_wins() -> None:
    least = int(least_floor(NO_WORK, MARKET) * BPS_ONE)
    agent = Strategy("all", NO_WORK, 1.0, has_challenger=True)
    above = gain(MARKET.without(floor_bps=least + 300), agent, 200, 1_000, 1)[1].mean()
    below = gain(MARKET.without(floor_bps=least - 300), agent, 200, 1_000, 1)[1].mean()
    assert above < 0 < below


def test_gain__same_seed__same_figures() -> None:
    agent = Strategy("tenth", NO_WORK, 0.1)
    first, second = (gain(MARKET, agent, 50, 20, 3, Rules())[1] for _ in range(2))
    assert (first == second).all()
