"""What is earned for burned fees, epoch by epoch; claims are in test_claims.py."""

from __future__ import annotations

import random
from typing import Any

import pytest

from protocol.rewards import reward, scheduled
from protocol.units import TOKEN, UINT96_MAX
from scripts.plan import created_address
from tests.contracts.expect import NOBODY, refused
from tests.contracts.ledgers import RewardLedger, pass_epochs
from tests.contracts.market import Market

YEAR = 365 * 86_400


def deploy_rewards(market: Market, containers: Any, **changes: Any) -> Any:
    """A second token and its rewards, with the market's plan but for `changes`."""
    treasury, schedule = market.treasury, market.plan.schedule
    minter = changes.pop("minter", created_address(str(treasury), treasury.nonce + 1))
    genesis = [(str(treasury), changes.pop("genesis", 100 * TOKEN))]
    token = treasury.deploy(containers.MallaToken, genesis, minter)
    terms = [
        changes.pop("epochLength", schedule.epoch_length),
        changes.pop("firstBudget", schedule.first_budget),
        changes.pop("halvingEpochs", schedule.halving_epochs),
        changes.pop("hardCap", schedule.hard_cap),
    ]
    parts = [changes.pop(name, str(market.treasury)) for name in ("escrow", "staking", "governor")]
    beta = changes.pop("betaBps", market.plan.beta_bps)
    assert not changes
    return treasury.deploy(containers.Rewards, token.address, *parts, terms, beta)


@pytest.mark.parametrize("part", ["escrow", "staking", "governor"])
def test_deploy__without_a_part__is_refused(market: Market, containers: Any, part: str) -> None:
    with refused("NotWiredTo", NOBODY):
        deploy_rewards(market, containers, **{part: NOBODY})


def test_deploy__with_a_token_that_somebody_else_mints__is_refused(market: Market, containers: Any) -> None:
    """R63: or no claim could be paid."""
    token = created_address(str(market.treasury), market.treasury.nonce)
    with refused("NotWiredTo", token):
        deploy_rewards(market, containers, minter=market.stranger.address)


@pytest.mark.parametrize(
    ("name", "value", "least", "most"),
    [
        ("epochLength", 59, 60, YEAR),
        ("epochLength", YEAR + 1, 60, YEAR),
        ("halvingEpochs", 0, 1, 2**32 - 1),
        ("hardCap", 10**27 - 100 * TOKEN + 1, 0, 10**27 - 100 * TOKEN),
        ("firstBudget", 1_700 * TOKEN + 1, 0, 1_700 * TOKEN),
        ("betaBps", 9_001, 0, 9_000),
    ],
)
def test_deploy__with_a_parameter_out_of_its_bounds__is_refused(
    market: Market, containers: Any, name: str, value: int, least: int, most: int
) -> None:
    """R61: beta stays below 1; R62: the cap leaves room under that of the token."""
    with refused("ParameterOutOfBounds", name, value, least, most):
        deploy_rewards(market, containers, **{name: value})


def test_accrue__by_anyone_but_the_escrow__is_refused(market: Market) -> None:
    """R60."""
    for caller in (market.stranger.account, market.providers[0].owner.account, market.as_governor):
        with refused("OnlyEscrow", str(caller)):
            market.rewards.accrue(str(caller), 1, {"from": caller})


def test_set_beta__by_anyone_but_governance_or_above_its_bound__is_refused(market: Market) -> None:
    """R61: never 1."""
    with refused("OnlyGovernor", market.stranger.address):
        market.rewards.setBeta(1, {"from": market.stranger.account})
    for beta in (9_001, 10_000, 65_535):
        with refused("ParameterOutOfBounds", "betaBps", beta, 0, 9_000):
            market.rewards.setBeta(beta, {"from": market.as_governor})


def test_accrue__of_a_burn__counts_for_the_provider_in_this_epoch(market: Market) -> None:
    """R60."""
    provider, rewards = market.providers[0].owner.address, market.rewards
    epoch = rewards.epoch()
    event = rewards.accrue(provider, 7, {"from": market.as_escrow}).events["BurnAccrued"]
    assert dict(event) == {"provider": provider, "epoch": epoch, "burned": 7}
    rewards.accrue(market.stranger.address, 5, {"from": market.as_escrow})
    assert rewards.burnedIn(epoch) == 12 and rewards.burnedIn(epoch + 1) == 0
    assert rewards.claimable(provider) == 0


def test_accrue__of_nothing__does_nothing(market: Market) -> None:
    sent = market.rewards.accrue(market.stranger.address, 0, {"from": market.as_escrow})
    assert not sent.events and market.rewards.burnedIn(market.rewards.epoch()) == 0


def test_accrue__of_more_than_an_epoch_holds__never_reverts(market: Market) -> None:
    """R60: the rest is not counted, so that shares still add up to one."""
    rewards, (one, other) = market.rewards, (provider.owner.address for provider in market.providers)
    epoch = rewards.epoch()
    for provider, burned, counted in ((one, UINT96_MAX - 1, UINT96_MAX - 1), (other, UINT96_MAX, 1)):
        event = rewards.accrue(provider, burned, {"from": market.as_escrow}).events["BurnAccrued"]
        assert event["burned"] == counted
    assert not rewards.accrue(one, UINT96_MAX, {"from": market.as_escrow}).events
    assert rewards.burnedIn(epoch) == UINT96_MAX
    pass_epochs(market, 1)
    budget = rewards.budgetOf(epoch)
    assert rewards.claimable(one) == budget - 1 and rewards.claimable(other) == 0


def test_budget__of_epochs_without_a_burn__halves_by_the_schedule(market: Market) -> None:
    """R62."""
    schedule = market.plan.schedule
    for epoch in (0, 9, 10, 25, 10**9, 2**64 - 1):
        wei = scheduled(schedule.first_budget, schedule.halving_epochs, epoch)
        assert market.rewards.budgetOf(epoch) == wei


def test_set_beta__in_the_middle_of_an_epoch__counts_from_the_next(market: Market) -> None:
    """R62: the first burn of an epoch fixes its beta; a closed epoch never changes."""
    rewards, provider = market.rewards, market.providers[0].owner.address
    rewards.accrue(provider, 10_000, {"from": market.as_escrow})
    event = rewards.setBeta(100, {"from": market.as_governor}).events["BetaChanged"]
    assert event["betaBps"] == rewards.betaBps() == 100
    rewards.accrue(provider, 10_000, {"from": market.as_escrow})
    pass_epochs(market, 1)
    assert rewards.claimable(provider) == 20_000 * market.plan.beta_bps // 10_000
    rewards.accrue(provider, 10_000, {"from": market.as_escrow})
    rewards.setBeta(9_000, {"from": market.as_governor})
    pass_epochs(market, 1)
    assert rewards.claimable(provider) == 20_000 * market.plan.beta_bps // 10_000 + 100


def test_earned__once_the_cap_is_used_up__grows_no_more(market: Market) -> None:
    """R62: exact to the wei, though nobody claims before the end."""
    rewards, provider = market.rewards, market.providers[0].owner.address
    cap, first = market.plan.schedule.hard_cap, market.plan.schedule.first_budget
    budgets = []
    while not budgets or budgets[-1]:
        rewards.accrue(provider, 10 * first, {"from": market.as_escrow})
        budgets.append(int(rewards.budgetOf(rewards.epoch())))
        pass_epochs(market, 1)
        assert len(budgets) < 200
    assert sum(budgets) == rewards.claimable(provider) <= cap
    assert budgets[:11] == [first] * 10 + [first // 2]


@pytest.mark.parametrize("seed", range(6))
def test_rewards__of_random_schedules__are_those_of_the_python_ledger(market: Market, seed: int) -> None:
    """R60 to R63: burns, gaps, claims and changes of beta in any order, to the wei."""
    chance, rewards = random.Random(seed), market.rewards
    schedule = market.plan.schedule
    ledger = RewardLedger(schedule, market.plan.beta_bps)
    people = [person.address for person in (*market.requesters, market.providers[0].owner, market.stranger)]
    for _ in range(45):
        move, who = chance.randrange(10), chance.choice(people)
        if move < 5:
            burned = chance.choice([1, 2, 10**6 + 1, chance.randrange(1, 300 * TOKEN)])
            rewards.accrue(who, burned, {"from": market.as_escrow})
            ledger.accrue(rewards.epoch(), who, burned)
        elif move < 7:
            pass_epochs(market, chance.choice([1, 1, 2, 9]))
        elif move == 7:
            beta = chance.randrange(9_001)
            rewards.setBeta(beta, {"from": market.as_governor})
            ledger.beta_bps = beta
        else:
            paid = rewards.settleRewards(who, {"from": market.stranger.account}).return_value
            assert paid == ledger.pay(rewards.epoch(), who)
        for person in people:
            assert rewards.claimable(person) == ledger.due(rewards.epoch(), person)
        earned, minted = rewards.totals()
        assert minted <= earned <= schedule.hard_cap
        assert market.token.totalSupply() == market.token.genesisSupply() + minted
    for epoch, record in ledger.epochs.items():
        parts = [
            reward(burned, record.total, record.budget, record.beta_bps) for burned in record.burned.values()
        ]
        assert sum(parts) <= min(record.budget, record.total * record.beta_bps // 10_000)
        assert rewards.budgetOf(epoch) == record.budget and rewards.burnedIn(epoch) == record.total


def test_capacity_budget__at_launch__is_zero_and_has_no_setter(market: Market) -> None:
    """R63: the badge for GPU challenges pays nothing."""
    assert market.rewards.capacityBudget() == 0
    changing = [
        part["name"]
        for part in market.rewards.abi
        if part["type"] == "function" and part["stateMutability"] not in ("view", "pure")
    ]
    assert sorted(changing) == ["accrue", "claim", "setBeta", "settleRewards"]
