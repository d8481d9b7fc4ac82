from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from protocol.shares import (
    VIRTUAL_SHARES,
    Pool,
    add_reward,
    amount_for,
    capacity,
    enter,
    least_delegation,
    redeem,
)
from protocol.units import TOKEN
from tests.contracts.expect import NOBODY, at, now, numbers, refused
from tests.contracts.market import STAKE, Market
from tests.contracts.nouns import Person

LOT = 100 * TOKEN
COMMISSION = 1_000


@pytest.fixture
def delegator(market: Market) -> Iterator[Person]:
    """The stranger with tokens to delegate, at a provider that takes delegations."""
    market.fund(market.stranger, market.staking, 1_000 * TOKEN)
    market.staking.setCommission(COMMISSION, {"from": market.providers[0].owner.account})
    yield market.stranger


@pytest.fixture
def owner(market: Market) -> str:
    return market.providers[0].owner.address


def delegate(market: Market, who: Person, amount: int) -> Any:
    return market.staking.delegate(market.providers[0].owner.address, amount, {"from": who.account})


def undelegate(market: Market, who: Person, shares: int) -> Any:
    return market.staking.undelegate(market.providers[0].owner.address, shares, {"from": who.account})


def withdraw(market: Market, who: Person) -> Any:
    return market.staking.withdrawDelegation(market.providers[0].owner.address, {"from": who.account})


def pool(market: Market, owner: str) -> Pool:
    return Pool(*numbers(market.staking.delegationPool(owner))[:2])


def held(market: Market, owner: str, who: Person) -> tuple[int, ...]:
    """Shares and their worth."""
    return numbers(market.staking.delegation(owner, who.address))


def reward(market: Market, owner: str, amount: int) -> Any:
    """What `Rewards` does: tokens first, then the word."""
    market.token.transfer(market.staking.address, amount, {"from": market.treasury})
    return market.staking.addDelegationReward(owner, amount, {"from": market.impersonated(market.rewards)})


def test_delegate__to_nobody__is_refused(market: Market, delegator: Person) -> None:
    with refused("NotRegistered", delegator.address):
        market.staking.delegate(delegator.address, LOT, {"from": delegator.account})


def test_delegate__to_a_provider_that_named_no_commission__is_refused(
    market: Market, delegator: Person
) -> None:
    """R53: nobody is made to share its rewards."""
    shy = market.providers[1].owner.address
    with refused("DelegationNotOpen", shy):
        market.staking.delegate(shy, LOT, {"from": delegator.account})


def test_delegate__of_less_than_a_token__is_refused(market: Market, delegator: Person) -> None:
    """R52."""
    with refused("DelegationTooSmall", TOKEN - 1, TOKEN):
        delegate(market, delegator, TOKEN - 1)


def test_delegate__while_paused__is_refused(market: Market, delegator: Person) -> None:
    """R55."""
    until = now() + 1_000
    market.staking.pause(until, {"from": market.guardian.account})
    with refused("Paused", until):
        delegate(market, delegator, LOT)


def test_delegate__over_the_allowance__is_refused(market: Market, delegator: Person) -> None:
    market.token.approve(market.staking.address, LOT - 1, {"from": delegator.account})
    with refused("ERC20InsufficientAllowance", str(market.staking.address), LOT - 1, LOT):
        delegate(market, delegator, LOT)


def test_delegate__a_lot__buys_shares_and_deters_nothing(market: Market, delegator: Person, owner: str) -> None:
    """R53: no deterrent, capacity up to the multiple."""
    before = market.snapshot()
    event = delegate(market, delegator, LOT).events["Delegated"]
    assert (event["provider"], event["delegator"]) == (owner, delegator.address)
    assert (event["amount"], event["shares"]) == (LOT, LOT * VIRTUAL_SHARES)
    assert market.changes(before) == {"delegated 0": LOT, "wallet of stranger": -LOT, "staking": LOT}
    assert held(market, owner, delegator) == (LOT * VIRTUAL_SHARES, LOT)
    assert market.staking.delegatedStake(owner) == LOT
    assert market.staking.activeStake(owner) == market.staking.slashableStake(owner) == STAKE
    assert market.staking.capacityOf(owner) == capacity(STAKE, LOT, market.plan.delegation_multiple)
    assert numbers(market.staking.rewardSplit(owner)) == (COMMISSION, STAKE, LOT)


@pytest.mark.parametrize("multiple", [0, 1, 16])
def test_capacity__over_the_multiple__counts_the_multiple(
    market: Market, delegator: Person, owner: str, multiple: int
) -> None:
    """R53."""
    market.staking.unstake(STAKE - 10 * TOKEN, {"from": market.providers[0].owner.account})
    delegate(market, delegator, 500 * TOKEN)
    set_to = market.staking.setDelegationMultiple(multiple, {"from": market.as_governor})
    assert set_to.events["DelegationMultipleChanged"]["multiple"] == multiple
    assert market.staking.capacityOf(owner) == 10 * TOKEN * (1 + multiple)


def test_multiple__over_sixteen__is_refused(market: Market) -> None:
    """R55."""
    with refused("ParameterOutOfBounds", "delegationMultiple", 17, 0, 16):
        market.staking.setDelegationMultiple(17, {"from": market.as_governor})


def test_reward__by_anyone_but_the_rewards__is_refused(market: Market, owner: str) -> None:
    for caller in (market.stranger, market.providers[0].owner, market.oracles[0]):
        with refused("OnlyRewards", caller.address):
            market.staking.addDelegationReward(owner, 1, {"from": caller.account})


def test_reward__of_a_pool__raises_the_price_for_who_comes_later(
    market: Market, delegator: Person, owner: str
) -> None:
    """R52, R54: who delegates later buys nothing of the past."""
    first, _ = enter(Pool(), LOT)
    delegate(market, delegator, LOT)
    event = reward(market, owner, 10 * TOKEN + 3).events["DelegationRewarded"]
    assert (event["provider"], event["amount"]) == (owner, 10 * TOKEN + 3)
    late = market.requesters[0]
    market.fund(late, market.staking, LOT)
    expected, shares = enter(add_reward(first, 10 * TOKEN + 3), LOT)
    assert delegate(market, late, LOT).events["Delegated"]["shares"] == shares
    assert pool(market, owner) == expected
    assert held(market, owner, late) == (shares, amount_for(expected, shares))
    assert LOT - 2 <= held(market, owner, late)[1] <= LOT
    assert held(market, owner, delegator)[1] in (LOT + 10 * TOKEN + 1, LOT + 10 * TOKEN + 2)


def test_delegate__after_the_price_was_blown_up__costs_the_attacker(
    market: Market, delegator: Person, owner: str
) -> None:
    """R52: the first depositor's share is inflated, and the tokens that did it belong to nobody."""
    shares = delegate(market, delegator, TOKEN).events["Delegated"]["shares"]
    undelegate(market, delegator, shares - 1)
    gift = 5_000_000 * TOKEN
    reward(market, owner, gift)
    victim, least = market.requesters[0], least_delegation(pool(market, owner))
    market.fund(victim, market.staking, 2 * least)
    with refused("DelegationTooSmall", least - 1, least):
        delegate(market, victim, least - 1)
    delegate(market, victim, least)
    assert least - held(market, owner, victim)[1] <= least // 10**6 + 1
    assert held(market, owner, delegator)[1] <= gift // 10**6 + 1


def test_undelegate__of_nothing__is_refused(market: Market, delegator: Person) -> None:
    with refused("ZeroAmount"):
        undelegate(market, delegator, 0)


def test_undelegate__of_more_shares_than_held__is_refused(
    market: Market, delegator: Person, owner: str
) -> None:
    """R24: nobody takes out what is another's."""
    shares = delegate(market, delegator, LOT).events["Delegated"]["shares"]
    with refused("TooFewShares", owner, delegator.address, shares, shares + 1):
        undelegate(market, delegator, shares + 1)
    thief = market.requesters[0]
    with refused("TooFewShares", owner, thief.address, 0, shares):
        undelegate(market, thief, shares)


def test_undelegate__a_seventeenth_time__is_refused(market: Market, delegator: Person, owner: str) -> None:
    """R51: sixteen each, so that nobody fills another's."""
    delegate(market, delegator, LOT)
    for _ in range(16):
        undelegate(market, delegator, VIRTUAL_SHARES)
    with refused("TooManyUnstakings", owner, 16):
        undelegate(market, delegator, 1)
    other = market.requesters[0]
    market.fund(other, market.staking, LOT)
    delegate(market, other, LOT)
    undelegate(market, other, VIRTUAL_SHARES)
    assert len(market.staking.undelegations(owner, other.address)) == 1


def test_undelegate__a_part__is_paid_after_the_delay_and_not_before(
    market: Market, delegator: Person, owner: str
) -> None:
    """R51."""
    shares = delegate(market, delegator, LOT).events["Delegated"]["shares"]
    before = market.snapshot()
    sent = undelegate(market, delegator, shares // 4)
    event, release = sent.events["UndelegateStarted"], sent.timestamp + market.plan.unstake_delay
    assert (event["provider"], event["delegator"], event["shares"]) == (owner, delegator.address, shares // 4)
    assert (event["amount"], event["releaseAt"]) == (LOT // 4, release)
    assert market.changes(before) == {"delegated 0": -(LOT // 4), "undelegating 0": LOT // 4}
    assert [numbers(part) for part in market.staking.undelegations(owner, delegator.address)] == [
        (LOT // 4, release)
    ]
    at(release - 1)
    with refused("NothingToWithdraw", owner, release):
        withdraw(market, delegator)
    at(release)
    event = withdraw(market, delegator).events["DelegationWithdrawn"]
    assert (event["provider"], event["delegator"], event["amount"]) == (owner, delegator.address, LOT // 4)
    assert market.changes(before) == {
        "delegated 0": -(LOT // 4), "staking": -(LOT // 4), "wallet of stranger": LOT // 4
    }  # fmt: skip
    with refused("NothingToWithdraw", owner, 0):
        withdraw(market, delegator)


def test_undelegate__everything_while_paused__leaves_dust(market: Market, delegator: Person, owner: str) -> None:
    """R52, R55: rounded down, so a wei of a reward may stay, and no exit waits for the guardian."""
    before = market.snapshot()
    shares = delegate(market, delegator, LOT).events["Delegated"]["shares"]
    reward(market, owner, 7)
    market.staking.pause(now() + 1_000, {"from": market.guardian.account})
    _, paid = redeem(Pool(LOT + 7, shares), shares)
    release = undelegate(market, delegator, shares).events["UndelegateStarted"]["releaseAt"]
    at(release)
    assert withdraw(market, delegator).events["DelegationWithdrawn"]["amount"] == paid == LOT + 6
    assert market.changes(before) == {"delegated 0": 1, "staking": 1, "wallet of stranger": 6}
    assert numbers(market.staking.rewardSplit(owner)) == (COMMISSION, STAKE, 0)


def test_delegation__of_an_unknown__is_nothing(market: Market, owner: str) -> None:
    assert held(market, owner, market.oracles[0]) == (0, 0)
    assert market.staking.undelegations(owner, NOBODY) == ()
