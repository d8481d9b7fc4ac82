from __future__ import annotations

import brownie
import pytest

from protocol.units import TOKEN
from tests.contracts.expect import at, now, refused
from tests.contracts.market import STAKE, Market

HOUR = 3_600


def test_stake__before_registering__is_refused(market: Market) -> None:
    with refused("NotRegistered", market.stranger.address):
        market.staking.stake(1, {"from": market.stranger.account})


def test_stake__of_nothing__is_refused(market: Market) -> None:
    with refused("ZeroAmount"):
        market.staking.stake(0, {"from": market.providers[0].owner.account})


def test_stake__over_the_allowance__is_refused(market: Market) -> None:
    with refused("ERC20InsufficientAllowance", str(market.staking.address), STAKE, STAKE + 1):
        market.staking.stake(STAKE + 1, {"from": market.providers[0].owner.account})


def test_stake__within_the_allowance__adds_to_the_active_stake(market: Market) -> None:
    owner = market.providers[0].owner
    before, held = market.snapshot(), market.token.balanceOf(market.staking.address)
    event = market.staking.stake(STAKE, {"from": owner.account}).events["Staked"]
    assert (event["provider"], event["amount"], event["active"]) == (owner.address, STAKE, 2 * STAKE)
    assert market.changes(before) == {"stake 0": STAKE}
    assert market.token.balanceOf(market.staking.address) == held + STAKE
    assert market.staking.activeStake(owner.address) == 2 * STAKE


@pytest.mark.parametrize("front_run", [False, True])
def test_stake__with_a_permit__stakes_also_when_it_was_front_run(market: Market, front_run: bool) -> None:
    owner, deadline = market.providers[0].owner, now() + HOUR
    market.token.approve(market.staking.address, 0, {"from": owner.account})
    v, r, s = market.permit(owner, market.staking, TOKEN, deadline)
    if front_run:
        permit = (owner.address, market.staking.address, TOKEN, deadline, v, r, s)
        market.token.permit(*permit, {"from": market.stranger.account})
    market.staking.stakeWithPermit(TOKEN, deadline, v, r, s, {"from": owner.account})
    assert market.staking.activeStake(owner.address) == STAKE + TOKEN


def test_stake__with_an_expired_permit__is_refused(market: Market) -> None:
    owner, deadline = market.providers[0].owner, now() - 1
    market.token.approve(market.staking.address, 0, {"from": owner.account})
    v, r, s = market.permit(owner, market.staking, TOKEN, deadline)
    with refused("ERC20InsufficientAllowance", str(market.staking.address), 0, TOKEN):
        market.staking.stakeWithPermit(TOKEN, deadline, v, r, s, {"from": owner.account})


def test_unstake__of_nothing__is_refused(market: Market) -> None:
    with refused("ZeroAmount"):
        market.staking.unstake(0, {"from": market.providers[0].owner.account})


def test_unstake__of_more_than_is_active__is_refused(market: Market) -> None:
    owner = market.providers[0].owner
    with refused("StakeTooLow", owner.address, STAKE, STAKE + 1):
        market.staking.unstake(STAKE + 1, {"from": owner.account})


def test_unstake__by_the_node_key__is_refused(market: Market) -> None:
    """R24: not even the node key."""
    node = market.providers[0].node
    with refused("StakeTooLow", node.address, 0, 1):
        market.staking.unstake(1, {"from": node.account})


def test_unstake__a_seventeenth_time__is_refused(market: Market) -> None:
    owner = market.providers[0].owner
    for _ in range(16):
        market.staking.unstake(1, {"from": owner.account})
    with refused("TooManyUnstakings", owner.address, 16):
        market.staking.unstake(1, {"from": owner.account})


def test_unstake__of_a_part__stops_deterring_and_stays_slashable(market: Market) -> None:
    """R23: what is unstaking stays slashable."""
    owner, before = market.providers[0].owner, market.snapshot()
    sent = market.staking.unstake(STAKE // 4, {"from": owner.account})
    event = sent.events["UnstakeStarted"]
    release = sent.timestamp + market.plan.unstake_delay
    assert (event["amount"], event["releaseAt"], event["active"]) == (STAKE // 4, release, STAKE - STAKE // 4)
    assert market.changes(before) == {}
    assert market.staking.activeStake(owner.address) == STAKE - STAKE // 4
    assert [tuple(map(int, part)) for part in market.staking.unstakings(owner.address)] == [
        (STAKE // 4, release)
    ]
    assert market.staking.provider(owner.address)[1] == STAKE // 4


def test_withdraw__without_an_unstaking__is_refused(market: Market) -> None:
    owner = market.providers[0].owner
    with refused("NothingToWithdraw", owner.address, 0):
        market.staking.withdraw({"from": owner.account})


def test_withdraw__a_second_early__is_refused(market: Market) -> None:
    """R23: the delay is kept to the second."""
    owner = market.providers[0].owner
    release = market.staking.unstake(5, {"from": owner.account}).events["UnstakeStarted"]["releaseAt"]
    at(release - 1)
    with refused("NothingToWithdraw", owner.address, release):
        market.staking.withdraw({"from": owner.account})


def test_withdraw__on_time__pays_what_is_due_and_keeps_the_rest(market: Market) -> None:
    owner = market.providers[0].owner
    first = market.staking.unstake(5 * TOKEN, {"from": owner.account}).events["UnstakeStarted"]["releaseAt"]
    at(now() + 10)
    second = market.staking.unstake(7 * TOKEN, {"from": owner.account}).events["UnstakeStarted"]["releaseAt"]
    assert second == first + 10
    wallet = market.token.balanceOf(owner.address)
    at(first)
    event = market.staking.withdraw({"from": owner.account}).events["Withdrawn"]
    assert (event["provider"], event["amount"]) == (owner.address, 5 * TOKEN)
    assert market.token.balanceOf(owner.address) == wallet + 5 * TOKEN
    assert [tuple(map(int, part)) for part in market.staking.unstakings(owner.address)] == [
        (7 * TOKEN, second)
    ]
    at(second)
    market.staking.withdraw({"from": owner.account})
    assert market.staking.unstakings(owner.address) == ()
    assert market.staking.slashableStake(owner.address) == STAKE - 12 * TOKEN


def test_slash__by_anyone_but_the_escrow__is_refused(market: Market) -> None:
    """R24: only the escrow slashes."""
    owner = market.providers[0].owner
    for caller in (market.stranger, owner, market.oracles[0]):
        with refused("OnlyEscrow", caller.address):
            market.staking.slash(owner.address, 1, {"from": caller.account})


@pytest.mark.parametrize("who", ["node", "stranger", "oracle"])
def test_stake__whatever_others_try__stays_as_it_was(market: Market, who: str) -> None:
    """R24: no call of anybody else names the owner, or gets through if it does."""
    provider = market.providers[0]
    market.staking.unstake(TOKEN, {"from": provider.owner.account})
    others = {"node": provider.node, "stranger": market.stranger, "oracle": market.oracles[0]}
    sender, owner = {"from": others[who].account}, provider.owner.address
    before = (market.staking.provider(owner), market.staking.unstakings(owner))
    at(before[1][0][1])
    brownie.chain.mine()  # from now on the owner could withdraw
    v, r, s = market.permit(provider.owner, market.staking, TOKEN, now() + 10 * HOUR)
    attempts = [
        lambda: market.staking.stake(1, sender),
        lambda: market.staking.stakeWithPermit(TOKEN, now() + 10 * HOUR, v, r, s, sender),
        lambda: market.staking.unstake(1, sender),
        lambda: market.staking.withdraw(sender),
        lambda: market.staking.slash(owner, 1, sender),
    ]
    functions = [part for part in market.staking.abi if part["type"] == "function"]
    changing = {part["name"] for part in functions if part["stateMutability"] not in ("view", "pure")}
    of_keys = {"register", "rotateNodeKey", "setMetadata"}
    assert changing - of_keys == {"stake", "stakeWithPermit", "unstake", "withdraw", "slash"}
    for attempt in attempts:
        with brownie.reverts():
            attempt()
    assert (market.staking.provider(owner), market.staking.unstakings(owner)) == before


def test_slash__over_the_whole__is_refused(market: Market, escrow_account: object) -> None:
    with refused("SlashTooLarge", 10_001):
        market.staking.slash(market.providers[0].owner.address, 10_001, {"from": escrow_account})


def test_slash__after_the_delay_but_before_the_withdrawal__still_takes(
    market: Market, escrow_account: object
) -> None:
    """R23: slashable until it is withdrawn."""
    owner = market.providers[0].owner
    release = market.staking.unstake(STAKE, {"from": owner.account}).events["UnstakeStarted"]["releaseAt"]
    at(release + 1_000)
    before = market.snapshot()
    event = market.staking.slash(owner.address, 2_500, {"from": escrow_account}).events["Slashed"]
    assert (event["fromActive"], event["fromUnstaking"]) == (0, STAKE // 4)
    assert market.changes(before) == {"stake 0": -(STAKE // 4), "supply": -(STAKE // 4)}
    paid = market.staking.withdraw({"from": owner.account}).events["Withdrawn"]["amount"]
    assert paid == STAKE - STAKE // 4


def test_slash__of_parts__is_rounded_up_in_each(market: Market, escrow_account: object) -> None:
    owner = market.providers[0].owner
    for amount in (1, 3):
        market.staking.unstake(amount, {"from": owner.account})
    event = market.staking.slash(owner.address, 1, {"from": escrow_account}).events["Slashed"]
    assert event["fromUnstaking"] == 2
    assert event["fromActive"] == -(-(STAKE - 4) // 10_000)
    assert market.token.balanceOf(market.staking.address) == sum(
        market.staking.slashableStake(provider.owner.address) for provider in market.providers
    )


def test_slash__of_everything__leaves_nothing_stuck(market: Market, escrow_account: object) -> None:
    owner = market.providers[0].owner
    release = market.staking.unstake(STAKE // 2, {"from": owner.account}).events["UnstakeStarted"][
        "releaseAt"
    ]
    market.staking.slash(owner.address, 10_000, {"from": escrow_account})
    assert market.staking.slashableStake(owner.address) == 0
    at(release)
    assert market.staking.withdraw({"from": owner.account}).events["Withdrawn"]["amount"] == 0
    assert market.staking.unstakings(owner.address) == ()
