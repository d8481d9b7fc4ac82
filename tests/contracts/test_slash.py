from __future__ import annotations

import random
from typing import Any

import pytest

from protocol.shares import (
    Pool,
    amount_for,
    challengers_award,
    enter,
    redeem,
    reduce_leaving,
    rescaled,
    seizure,
    slash,
)
from protocol.units import TOKEN
from tests.contracts.expect import NOBODY, at, now, numbers, refused
from tests.contracts.market import STAKE, Market
from tests.contracts.nouns import Person

LOT = 100 * TOKEN


@pytest.fixture
def owner(market: Market) -> Person:
    return market.providers[0].owner


def cut(market: Market, bps: int, challenger: str = NOBODY, share_bps: int = 0, most: int = 0) -> Any:
    arguments = (market.providers[0].owner.address, bps, challenger, share_bps, most)
    return market.staking.slash(*arguments, {"from": market.as_escrow})


def seize(market: Market, amount: int, beneficiary: Person) -> Any:
    arguments = (market.providers[0].owner.address, amount, beneficiary.address)
    return market.staking.seize(*arguments, {"from": market.as_court})


def delegated(market: Market, amount: int) -> int:
    """The stranger delegates; returns its shares."""
    market.staking.setCommission(0, {"from": market.providers[0].owner.account})
    market.fund(market.stranger, market.staking, amount)
    owner, sender = market.providers[0].owner.address, {"from": market.stranger.account}
    sent = market.staking.delegate(owner, amount, sender)
    return int(sent.events["Delegated"]["shares"])


def undelegate(market: Market, shares: int) -> Any:
    owner, sender = market.providers[0].owner.address, {"from": market.stranger.account}
    return market.staking.undelegate(owner, shares, sender)


def test_slash__by_anyone_but_the_escrow__is_refused(market: Market, owner: Person) -> None:
    """R24: only the escrow slashes."""
    for caller in (market.stranger, owner, market.oracles[0], market.guardian):
        with refused("OnlyEscrow", caller.address):
            market.staking.slash(owner.address, 1, NOBODY, 0, 0, {"from": caller.account})
    with refused("OnlyEscrow", str(market.court.address)):
        market.staking.slash(owner.address, 1, NOBODY, 0, 0, {"from": market.as_court})


def test_seize__by_anyone_but_the_court__is_refused(market: Market, owner: Person) -> None:
    """R24."""
    for caller in (market.stranger, owner, market.oracles[0], market.guardian):
        with refused("OnlyCourt", caller.address):
            market.staking.seize(owner.address, 1, caller.address, {"from": caller.account})
    with refused("OnlyCourt", str(market.escrow.address)):
        market.staking.seize(owner.address, 1, owner.address, {"from": market.as_escrow})


def test_slash__over_the_whole__is_refused(market: Market) -> None:
    with refused("SlashTooLarge", 10_001):
        cut(market, 10_001)
    with refused("SlashTooLarge", 10_001):
        cut(market, 1, market.stranger.address, 10_001)


def test_slash__of_every_part__takes_each_rounded_up_and_moves_no_token(market: Market, owner: Person) -> None:
    """R50."""
    shares = delegated(market, 3 * TOKEN + 1)
    undelegate(market, shares // 3)
    market.staking.unstake(7 * TOKEN + 3, {"from": owner.account})
    tokens, _, leaving = numbers(market.staking.delegationPool(owner.address))
    due, before = slash(STAKE - 7 * TOKEN - 3, 7 * TOKEN + 3, tokens, leaving, 1_234), market.snapshot()
    sent = cut(market, 1_234)
    event = sent.events["Slashed"]
    assert (event["provider"], event["bps"]) == (owner.address, 1_234)
    assert (event["fromActive"], event["fromUnstaking"]) == (due.from_active, due.from_unstaking)
    assert event["fromDelegation"] == due.from_delegation
    assert "Awarded" not in sent.events
    assert market.changes(before) == {
        "stake 0": -due.own,
        "delegated 0": -due.from_delegated,
        "undelegating 0": -due.from_undelegating,
        "condemned": due.own + due.from_delegation,
    }
    assert market.staking.activeStake(owner.address) == STAKE - 7 * TOKEN - 3 - due.from_active


def test_slash__of_a_wei__takes_it(market: Market, owner: Person) -> None:
    """R50: no slash rounds to nothing."""
    market.staking.unstake(STAKE - 1, {"from": owner.account})
    at(int(market.staking.unstakings(owner.address)[0][1]))
    market.staking.withdraw({"from": owner.account})
    cut(market, 1)
    assert market.staking.slashableStake(owner.address) == 0


def test_slash__of_somebody_without_stake__takes_nothing(market: Market) -> None:
    before = market.snapshot()
    market.staking.slash(market.stranger.address, 10_000, NOBODY, 0, 0, {"from": market.as_escrow})
    assert market.changes(before) == {}


@pytest.mark.parametrize("most", [0, 3 * TOKEN, 10**27])
def test_slash__with_a_challenger__awards_at_most_its_cap(market: Market, owner: Person, most: int) -> None:
    """R50: a share of the own stake only, rounded down; the rest is burned, once."""
    delegated(market, LOT)
    challenger, before = market.requesters[1], market.snapshot()
    sent = cut(market, 2_500, challenger.address, 3_333, most)
    award = challengers_award(STAKE // 4, 3_333, most)
    rest = STAKE // 4 + LOT // 4 - award
    moved = {"stake 0": -STAKE // 4, "delegated 0": -LOT // 4, "condemned": rest}
    assert market.changes(before) == moved | ({"award of requester 1": award} if award else {})
    assert ("Awarded" in sent.events) is bool(award)
    burned = market.staking.burnCondemned({"from": market.stranger.account})
    assert burned.events["CondemnedBurned"]["amount"] == rest
    with refused("NothingCondemned"):
        market.staking.burnCondemned({"from": market.stranger.account})
    if not award:
        with refused("NoAward", challenger.address):
            market.staking.claimAward({"from": challenger.account})
        return
    event = sent.events["Awarded"]
    assert (event["account"], event["provider"], event["amount"]) == (
        challenger.address, owner.address, award
    )  # fmt: skip
    claimed = market.staking.claimAward({"from": challenger.account}).events["AwardClaimed"]
    assert (claimed["account"], claimed["amount"]) == (challenger.address, award)
    assert market.changes(before) == {
        "stake 0": -STAKE // 4,
        "delegated 0": -LOT // 4,
        "supply": -rest,
        "staking": -rest - award,
        "wallet of requester 1": award,
    }
    with refused("NoAward", challenger.address):
        market.staking.claimAward({"from": challenger.account})


def test_slash__after_the_delay_but_before_the_withdrawal__still_takes(market: Market, owner: Person) -> None:
    """R51: slashable until it is withdrawn, delegators' too."""
    shares = delegated(market, LOT)
    undelegate(market, shares)
    release = market.staking.unstake(STAKE, {"from": owner.account}).events["UnstakeStarted"]["releaseAt"]
    at(release + 1_000)
    event = cut(market, 2_500).events["Slashed"]
    assert (event["fromActive"], event["fromUnstaking"], event["fromDelegation"]) == (
        0, STAKE // 4, LOT // 4
    )  # fmt: skip
    paid = market.staking.withdraw({"from": owner.account}).events["Withdrawn"]["amount"]
    assert paid == amount_for(Pool(STAKE - STAKE // 4, STAKE * 10**6), STAKE * 10**6)
    assert STAKE * 3 // 4 - 1 <= paid <= STAKE * 3 // 4
    got = market.staking.withdrawDelegation(owner.address, {"from": market.stranger.account})
    assert LOT * 3 // 4 - 1 <= got.events["DelegationWithdrawn"]["amount"] <= LOT * 3 // 4


def test_slash__of_everything__leaves_nothing_stuck_and_no_claim_on_what_comes(
    market: Market, owner: Person
) -> None:
    """R51: what comes in afterwards is worth what was paid for it."""
    sent = market.staking.unstake(STAKE // 2, {"from": owner.account})
    release = sent.events["UnstakeStarted"]["releaseAt"]
    cut(market, 10_000)
    assert market.staking.slashableStake(owner.address) == 0
    at(now() + 10)
    market.staking.stake(STAKE, {"from": owner.account})
    second = market.staking.unstake(STAKE, {"from": owner.account}).events["UnstakeStarted"]["releaseAt"]
    at(release)
    assert market.staking.withdraw({"from": owner.account}).events["Withdrawn"]["amount"] == 0
    at(second)
    assert market.staking.withdraw({"from": owner.account}).events["Withdrawn"]["amount"] == STAKE
    assert market.staking.unstakings(owner.address) == ()


def test_slash__of_everything__closes_the_delegation_pool_and_no_exit(market: Market, owner: Person) -> None:
    """R53: a dead pool refuses; its shares can be given back, and then it takes again."""
    shares = delegated(market, LOT)
    undelegate(market, shares // 2)
    cut(market, 10_000)
    assert numbers(market.staking.delegationPool(owner.address)) == (0, shares - shares // 2, 0)
    market.fund(market.stranger, market.staking, LOT)
    with refused("DelegationPoolIsDead", owner.address):
        market.staking.delegate(owner.address, LOT, {"from": market.stranger.account})
    release = undelegate(market, shares - shares // 2).events["UndelegateStarted"]["releaseAt"]
    market.staking.delegate(owner.address, LOT, {"from": market.stranger.account})
    at(release)
    paid = market.staking.withdrawDelegation(owner.address, {"from": market.stranger.account})
    assert paid.events["DelegationWithdrawn"]["amount"] == 0
    assert numbers(market.staking.delegation(owner.address, market.stranger.address))[1] == LOT


def test_seize__of_more_than_is_active__goes_on_with_what_is_unstaking(market: Market, owner: Person) -> None:
    """R50: own stake only, active first."""
    delegated(market, LOT)
    market.staking.unstake(STAKE // 2, {"from": owner.account})
    active = unstaking = STAKE // 2
    winner, before, total = market.requesters[0], market.snapshot(), 0
    for amount in (STAKE // 4, STAKE // 2, STAKE, 1):
        from_active, from_unstaking = seizure(active, unstaking, amount)
        event = seize(market, amount, winner).events["Seized"]
        taken = from_active + from_unstaking
        assert (event["provider"], event["beneficiary"]) == (owner.address, winner.address)
        assert event["amount"] == taken
        active, unstaking, total = active - from_active, unstaking - from_unstaking, total + taken
        assert numbers(market.staking.provider(owner.address)[:2]) == (active, unstaking)
    assert market.changes(before) == {"stake 0": -STAKE, "award of requester 0": STAKE}
    assert total == STAKE == market.staking.awardOf(winner.address)


@pytest.mark.parametrize("seed", range(4))
def test_stake__over_random_moves__is_what_its_twin_says(market: Market, owner: Person, seed: int) -> None:
    """R50 to R52: unstakings and slashes against `protocol.shares`, to the wei."""
    rng = random.Random(seed)
    active, pool, exits = STAKE, Pool(), []
    for _ in range(12):
        if rng.random() < 0.6 and active:
            amount = rng.choice([1, rng.randint(1, active), active])
            pool, shares = enter(pool, amount)
            exits.append((shares, pool.scale))
            active -= amount
            market.staking.unstake(amount, {"from": owner.account})
        else:
            bps = rng.choice([1, rng.randint(1, 9_999), 9_999])
            due = slash(active, pool.tokens, 0, 0, bps)
            cut(market, bps)
            active -= due.from_active
            pool = reduce_leaving(pool, due.from_unstaking) if due.from_unstaking else pool
        assert numbers(market.staking.provider(owner.address)[:2]) == (active, pool.tokens)
    here = [rescaled(pool, shares, scale) for shares, scale in exits]
    worth = [amount_for(pool, shares) for shares in here]
    parts = [numbers(part) for part in market.staking.unstakings(owner.address)]
    assert [amount for amount, _ in parts] == worth
    at(max(release for _, release in parts))
    _, paid = redeem(pool, sum(here))
    assert market.staking.withdraw({"from": owner.account}).events["Withdrawn"]["amount"] == paid
