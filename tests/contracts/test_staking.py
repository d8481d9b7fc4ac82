from __future__ import annotations

import brownie
import pytest

from protocol.units import TOKEN
from tests.contracts.expect import NOBODY, at, now, numbers, refused
from tests.contracts.market import STAKE, Market

HOUR = 3_600
DAY = 24 * HOUR


def exits(market: Market, owner: str) -> list[tuple[int, ...]]:
    """Amount and release of each unstaking, as of now."""
    return [numbers(part) for part in market.staking.unstakings(owner)]


def test_stake__before_registering__is_refused(market: Market) -> None:
    with refused("NotRegistered", market.stranger.address):
        market.staking.stake(1, {"from": market.stranger.account})


def test_stake__of_nothing__is_refused(market: Market) -> None:
    with refused("ZeroAmount"):
        market.staking.stake(0, {"from": market.providers[0].owner.account})


def test_stake__over_the_allowance__is_refused(market: Market) -> None:
    with refused("ERC20InsufficientAllowance", str(market.staking.address), STAKE, STAKE + 1):
        market.staking.stake(STAKE + 1, {"from": market.providers[0].owner.account})


def test_stake__while_paused__is_refused_until_the_pause_is_over(market: Market) -> None:
    """R55: a pause stops what begins."""
    owner, until = market.providers[0].owner, now() + 1_000
    market.staking.pause(until, {"from": market.guardian.account})
    with refused("Paused", until):
        market.staking.stake(1, {"from": owner.account})
    with refused("Paused", until):
        market.staking.stakeWithPermit(1, until, 27, bytes(32), bytes(32), {"from": owner.account})
    at(until)
    market.staking.stake(1, {"from": owner.account})
    assert market.staking.activeStake(owner.address) == STAKE + 1


def test_unstake__while_paused__begins_and_is_paid(market: Market) -> None:
    """R55: and nothing that ends."""
    owner = market.providers[0].owner
    release = market.staking.unstake(5, {"from": owner.account}).events["UnstakeStarted"]["releaseAt"]
    at(release)
    market.staking.pause(release + 1_000, {"from": market.guardian.account})
    market.staking.unstake(5, {"from": owner.account})
    assert market.staking.withdraw({"from": owner.account}).events["Withdrawn"]["amount"] == 5


def test_stake__within_the_allowance__adds_to_the_active_stake(market: Market) -> None:
    owner, before = market.providers[0].owner, market.snapshot()
    event = market.staking.stake(STAKE, {"from": owner.account}).events["Staked"]
    assert (event["provider"], event["amount"], event["active"]) == (owner.address, STAKE, 2 * STAKE)
    assert market.changes(before) == {
        "stake 0": STAKE, "wallet of provider 0": -STAKE, "staking": STAKE
    }  # fmt: skip
    assert market.staking.activeStake(owner.address) == market.staking.capacityOf(owner.address) == 2 * STAKE


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
    """R51: at most sixteen at a time."""
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
    assert exits(market, owner.address) == [(STAKE // 4, release)]
    assert market.staking.provider(owner.address)[1] == STAKE // 4


def test_withdraw__without_an_unstaking__is_refused(market: Market) -> None:
    owner = market.providers[0].owner
    with refused("NothingToWithdraw", owner.address, 0):
        market.staking.withdraw({"from": owner.account})


def test_withdraw__a_second_early__is_refused(market: Market) -> None:
    """R51: the delay is kept to the second."""
    owner = market.providers[0].owner
    release = market.staking.unstake(5, {"from": owner.account}).events["UnstakeStarted"]["releaseAt"]
    at(release - 1)
    with refused("NothingToWithdraw", owner.address, release):
        market.staking.withdraw({"from": owner.account})


def test_withdraw__on_time__pays_what_is_due_and_keeps_the_rest(market: Market) -> None:
    """R51: to the wei, if nothing was slashed."""
    owner = market.providers[0].owner
    first = market.staking.unstake(5 * TOKEN, {"from": owner.account}).events["UnstakeStarted"]["releaseAt"]
    at(now() + 10)
    second = market.staking.unstake(7 * TOKEN, {"from": owner.account}).events["UnstakeStarted"]["releaseAt"]
    assert second == first + 10
    before = market.snapshot()
    at(first)
    event = market.staking.withdraw({"from": owner.account}).events["Withdrawn"]
    assert (event["provider"], event["amount"]) == (owner.address, 5 * TOKEN)
    assert market.changes(before) == {
        "stake 0": -5 * TOKEN, "wallet of provider 0": 5 * TOKEN, "staking": -5 * TOKEN
    }  # fmt: skip
    assert exits(market, owner.address) == [(7 * TOKEN, second)]
    at(second)
    market.staking.withdraw({"from": owner.account})
    assert exits(market, owner.address) == []
    assert market.staking.slashableStake(owner.address) == STAKE - 12 * TOKEN


def test_withdraw__after_the_delay_was_shortened__pays_the_later_one_first(market: Market) -> None:
    """R51: each unstaking keeps its own release."""
    owner, shorter = market.providers[0].owner, market.plan.unstake_delay - 60
    first = market.staking.unstake(5, {"from": owner.account}).events["UnstakeStarted"]["releaseAt"]
    set_delay = market.staking.setUnstakeDelay(shorter, {"from": market.as_governor})
    assert set_delay.events["UnstakeDelayChanged"]["unstakeDelay"] == shorter
    second = market.staking.unstake(7, {"from": owner.account}).events["UnstakeStarted"]["releaseAt"]
    assert second < first
    at(second)
    assert market.staking.withdraw({"from": owner.account}).events["Withdrawn"]["amount"] == 7
    assert exits(market, owner.address) == [(5, first)]
    with refused("NothingToWithdraw", owner.address, first):
        market.staking.withdraw({"from": owner.account})


def test_unstake_delay__outside_its_bounds__is_refused(market: Market) -> None:
    """R55: longer than any open position, not longer than governance itself waits."""
    least = market.escrow.longestWay() + market.court.rulingWindow()
    most = min(market.timelock.getMinDelay(), 90 * DAY)
    for delay in (least - 1, most + 1):
        with refused("ParameterOutOfBounds", "unstakeDelay", delay, least, most):
            market.staking.setUnstakeDelay(delay, {"from": market.as_governor})
    market.staking.setUnstakeDelay(least, {"from": market.as_governor})
    assert market.staking.unstakeDelay() == least


def test_parameters__by_anyone_but_governance__are_refused(market: Market) -> None:
    for who in (market.stranger, market.guardian, market.providers[0].owner):
        with refused("OnlyGovernor", who.address):
            market.staking.setUnstakeDelay(market.plan.unstake_delay, {"from": who.account})
        with refused("OnlyGovernor", who.address):
            market.staking.setDelegationMultiple(1, {"from": who.account})


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
    attempts = {
        "stake": (1,),
        "stakeWithPermit": (TOKEN, now() + 10 * HOUR, v, r, s),
        "unstake": (1,),
        "withdraw": (),
        "slash": (owner, 1, NOBODY, 0, 0),
        "seize": (owner, 1, others[who].address),
        "addDelegationReward": (owner, 1),
        "delegate": (owner, TOKEN),
        "undelegate": (owner, 1),
        "withdrawDelegation": (owner,),
        "setCommission": (1,),
        "setDelegationMultiple": (1,),
        "setUnstakeDelay": (1,),
        "setGuardian": (others[who].address,),
        "pause": (now(),),
        "claimAward": (),
        "burnCondemned": (),
    }
    functions = [part for part in market.staking.abi if part["type"] == "function"]
    changing = {part["name"] for part in functions if part["stateMutability"] not in ("view", "pure")}
    assert changing - {"register", "rotateNodeKey", "setMetadata"} == set(attempts)
    for name, arguments in attempts.items():
        with brownie.reverts():
            getattr(market.staking, name)(*arguments, sender)
    assert (market.staking.provider(owner), market.staking.unstakings(owner)) == before
