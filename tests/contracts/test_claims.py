"""Who is paid what when rewards are claimed: the provider, its delegators, and nobody a wei that was not earned."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.rewards import delegators_part
from protocol.units import TOKEN
from tests.contracts.expect import NOBODY, numbers, refused
from tests.contracts.ledgers import pass_epochs
from tests.contracts.market import STAKE, Market

BURNED = 10 * TOKEN
COMMISSION = 700


def earn(market: Market, *burned: int) -> list[int]:
    """Lets the providers burn so much in this epoch and waits for its end; what each can claim then."""
    for provider, wei in zip(market.providers, burned, strict=False):
        market.rewards.accrue(provider.owner.address, wei, {"from": market.as_escrow})
    pass_epochs(market, 1)
    return [int(market.rewards.claimable(provider.owner.address)) for provider in market.providers]


def claim(market: Market, provider: int = 0) -> Any:
    return market.rewards.claim(market.providers[provider].owner.address, {"from": market.stranger.account})


def minted_by(sent: Any) -> int:
    return sum(event["value"] for event in sent.events["Transfer"] if event["from"] == NOBODY)


@pytest.fixture
def delegated(market: Market) -> Market:
    """The stranger has delegated half a provider's own stake to provider 0, which keeps a commission."""
    market.staking.setCommission(COMMISSION, {"from": market.providers[0].owner.account})
    market.fund(market.stranger, market.staking, 2 * STAKE)
    market.staking.delegate(market.providers[0].owner.address, STAKE // 2, {"from": market.stranger.account})
    return market


def test_claim__of_who_burned_nothing__is_refused(market: Market) -> None:
    with refused("NothingToClaim", market.providers[0].owner.address):
        claim(market)


def test_claim__in_the_epoch_of_the_burn__is_refused(market: Market) -> None:
    """R60: the rate of an epoch is known at its end."""
    market.rewards.accrue(market.providers[0].owner.address, BURNED, {"from": market.as_escrow})
    with refused("NothingToClaim", market.providers[0].owner.address):
        claim(market)


def test_claim__of_a_reward_that_rounds_to_nothing__is_refused(market: Market) -> None:
    """R61: rounded down."""
    assert earn(market, 1) == [0, 0]
    with refused("NothingToClaim", market.providers[0].owner.address):
        claim(market)


def test_claim__twice__is_refused(market: Market) -> None:
    """R63."""
    earn(market, BURNED)
    claim(market)
    with refused("NothingToClaim", market.providers[0].owner.address):
        claim(market)


def test_claim__by_anyone__pays_the_providers_owner(market: Market) -> None:
    """R64, R61: beta of its own burn while the budget is not the limit."""
    owner = market.providers[0].owner.address
    epoch, before = market.rewards.epoch(), market.token.balanceOf(owner)
    due = earn(market, BURNED)[0]
    assert due == BURNED * market.plan.beta_bps // 10_000
    sent = claim(market)
    assert sent.return_value == due
    assert dict(sent.events["Earned"]) == {"provider": owner, "epoch": epoch, "amount": due}
    assert dict(sent.events["RewardClaimed"]) == {"provider": owner, "toOwner": due, "toDelegators": 0}
    assert market.token.balanceOf(owner) - before == due == minted_by(sent)
    assert market.token.totalSupply() == market.token.genesisSupply() + due
    assert numbers(market.rewards.totals()) == (due, due)


def test_claim__of_two_over_the_budget__shares_it_by_their_burns(market: Market) -> None:
    """R61: one rate for everybody, and nobody gets what another leaves."""
    budget = market.plan.schedule.first_budget
    assert earn(market, 3 * budget, budget) == [budget * 3 // 4, budget // 4]
    claim(market, 0)
    assert market.rewards.claimable(market.providers[1].owner.address) == budget // 4


def test_claim__of_the_first__mints_for_all_that_were_added_up(market: Market) -> None:
    """R63: one mint for many claims, never more than is earned."""
    dues = earn(market, BURNED, 3 * BURNED)
    earn(market, 1, 1)
    first = claim(market, 0)
    assert minted_by(first) == sum(dues) and numbers(market.rewards.totals()) == (sum(dues), sum(dues))
    assert market.token.balanceOf(market.rewards.address) == dues[1]
    second = claim(market, 1)
    assert minted_by(second) == 0 and second.return_value == dues[1]
    assert market.token.balanceOf(market.rewards.address) == 0


def test_claim__late__pays_every_closed_epoch(market: Market) -> None:
    """R62: waiting changes nothing."""
    first = earn(market, BURNED)[0]
    pass_epochs(market, 30)
    both = earn(market, 2 * BURNED)[0]
    assert first < both
    assert claim(market).return_value == both


def test_claim__with_tokens_that_somebody_gave_away__pays_what_was_earned(market: Market) -> None:
    """R63: a gift changes nobody's reward."""
    market.token.transfer(market.rewards.address, 5 * BURNED, {"from": market.treasury})
    due = earn(market, BURNED)[0]
    assert claim(market).return_value == due
    assert numbers(market.rewards.totals()) == (due, 0)


def test_settle__with_nothing_to_pay__does_nothing(market: Market) -> None:
    """R64: before anything happened, in the epoch of the burn, and after a claim."""
    owner, sender = market.providers[0].owner.address, {"from": market.stranger.account}
    for prepare in (lambda: None, lambda: market.rewards.accrue(owner, BURNED, {"from": market.as_escrow})):
        prepare()
        sent = market.rewards.settleRewards(owner, sender)
        assert sent.return_value == 0 and not sent.events
    pass_epochs(market, 1)
    claim(market)
    assert not market.rewards.settleRewards(owner, sender).events


def test_claim__with_delegators__puts_their_part_less_the_commission_into_the_pool(delegated: Market) -> None:
    """R64."""
    owner, staking, token = delegated.providers[0].owner.address, delegated.staking, delegated.token
    due = earn(delegated, BURNED + 7)[0]
    part = delegators_part(due, COMMISSION, STAKE, STAKE // 2)
    assert 0 < part < due // 3
    before, held = token.balanceOf(owner), token.balanceOf(staking.address)
    sent = claim(delegated)
    assert dict(sent.events["RewardClaimed"]) == {
        "provider": owner,
        "toOwner": due - part,
        "toDelegators": part,
    }
    assert token.balanceOf(owner) - before == due - part
    assert token.balanceOf(staking.address) - held == part
    assert staking.delegatedStake(owner) == STAKE // 2 + part


def test_delegate__after_the_burn__buys_nothing_of_the_past(delegated: Market) -> None:
    """R64: whoever delegates settles first."""
    owner, staking = delegated.providers[0].owner.address, delegated.staking
    due = earn(delegated, BURNED)[0]
    part = delegators_part(due, COMMISSION, STAKE, STAKE // 2)
    sent = staking.delegate(owner, STAKE, {"from": delegated.stranger.account})
    assert sent.events["RewardClaimed"]["toDelegators"] == part
    assert delegated.rewards.claimable(owner) == 0
    assert staking.delegatedStake(owner) == STAKE // 2 + part + STAKE


def test_wash__of_a_provider_that_hires_itself__burns_more_than_it_gets(delegated: Market) -> None:
    """R61: the provider, its requester and its delegators together, at the highest beta."""
    from_treasury = {"from": delegated.treasury}
    for burned in (1, 11, 999, BURNED, 1_000 * BURNED):
        delegated.token.burn(burned, from_treasury)
        supply = delegated.token.totalSupply()
        earn(delegated, burned)
        delegated.rewards.settleRewards(delegated.providers[0].owner.address, from_treasury)
        assert delegated.token.totalSupply() - supply <= burned * delegated.plan.beta_bps // 10_000 < burned
