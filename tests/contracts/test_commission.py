from __future__ import annotations

from typing import Any

from protocol.shares import commission_in_force
from protocol.units import TOKEN
from tests.contracts.expect import at, now, refused
from tests.contracts.market import Market


def name(market: Market, bps: int) -> Any:
    return market.staking.setCommission(bps, {"from": market.providers[0].owner.account})


def in_force(market: Market) -> int:
    return int(market.staking.rewardSplit(market.providers[0].owner.address)[0])


def mine_at(market: Market, timestamp: int) -> None:
    """A block at exactly this time; the transaction in it touches nothing of stakes."""
    at(timestamp)
    market.token.approve(market.stranger.address, 0, {"from": market.stranger.account})


def test_commission__of_a_stranger__is_refused(market: Market) -> None:
    with refused("NotRegistered", market.stranger.address):
        market.staking.setCommission(0, {"from": market.stranger.account})


def test_commission__over_half__is_refused(market: Market) -> None:
    """R54."""
    with refused("CommissionTooHigh", 5_001, 5_000):
        name(market, 5_001)


def test_commission__the_first__opens_the_pool_and_counts_at_once(market: Market) -> None:
    """R53, R54: nobody can have delegated before."""
    sent = name(market, 5_000)
    event = sent.events["CommissionChanged"]
    assert (event["bps"], event["from"]) == (5_000, sent.timestamp)
    assert in_force(market) == 5_000
    market.fund(market.stranger, market.staking, TOKEN)
    owner = market.providers[0].owner.address
    market.staking.delegate(owner, TOKEN, {"from": market.stranger.account})
    assert market.staking.delegatedStake(owner) == TOKEN


def test_commission__of_nothing__opens_the_pool_too(market: Market) -> None:
    name(market, 0)
    market.fund(market.stranger, market.staking, TOKEN)
    market.staking.delegate(market.providers[0].owner.address, TOKEN, {"from": market.stranger.account})
    assert in_force(market) == 0


def test_commission__raised__counts_when_delegators_could_have_left(market: Market) -> None:
    """R54: after the delay of an undelegation, to the second."""
    name(market, 1_000)
    sent = name(market, 2_000)
    since = sent.timestamp + market.plan.unstake_delay
    event = sent.events["CommissionChanged"]
    assert (event["provider"], event["bps"], event["from"]) == (
        market.providers[0].owner.address, 2_000, since
    )  # fmt: skip
    for moment in (since - 1, since):
        mine_at(market, moment)
        assert now() == moment
        assert in_force(market) == commission_in_force(1_000, 2_000, since, moment)
    assert in_force(market) == 2_000


def test_commission__lowered__counts_at_once_and_ends_a_raise_that_waits(market: Market) -> None:
    """R54."""
    name(market, 1_000)
    name(market, 5_000)
    event = name(market, 500).events["CommissionChanged"]
    assert event["from"] == now()
    assert in_force(market) == 500
    mine_at(market, now() + market.plan.unstake_delay + 1)
    assert in_force(market) == 500


def test_commission__named_again__counts_on(market: Market) -> None:
    name(market, 1_000)
    assert name(market, 1_000).events["CommissionChanged"]["from"] == now()


def test_commission__raised_again_while_one_waits__waits_anew(market: Market) -> None:
    """R54: a raise cannot be named early and filled in late."""
    name(market, 1_000)
    first = name(market, 1_001).events["CommissionChanged"]["from"]
    at(first - 1)
    second = name(market, 5_000).events["CommissionChanged"]["from"]
    assert second == first - 1 + market.plan.unstake_delay
    mine_at(market, first)
    assert in_force(market) == 1_000
    mine_at(market, second)
    assert in_force(market) == 5_000
