"""What staking commands tell before they send, and what they refuse without asking the chain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.errors import BadInput
from protocol.units import TOKEN, Address, Wei
from provider.flow.staking import (
    StakeView,
    plan_register,
    plan_stake,
    plan_unstake,
    plan_withdraw,
    plan_withdraw_earnings,
)

OWNER = Address("0x000000000000000000000000000000000000dEaD")
VIEW = StakeView(OWNER, OWNER, Wei(100 * TOKEN), Wei(30 * TOKEN), ((Wei(10 * TOKEN), 1_000), (Wei(20 * TOKEN), 2_000)),
                 Wei(50 * TOKEN), Wei(TOKEN // 2), 600, 1_500)


def test_register__registered_already__refused_naming_the_key() -> None:
    with pytest.raises(BadInput, match=f"with the node key {OWNER} already"):
        plan_register(VIEW, OWNER)


def test_stake__not_registered__refused_naming_the_command() -> None:
    with pytest.raises(BadInput, match="not registered") as caught:
        plan_stake(replace(VIEW, node_key=None), 1)
    assert caught.value.fix == "Run: malla provider register"


@pytest.mark.parametrize("amount", [0, 50 * TOKEN + 1])
def test_stake__nothing_or_more_than_there_is__refused(amount: int) -> None:
    with pytest.raises(BadInput):
        plan_stake(VIEW, amount)


@pytest.mark.parametrize("amount", [0, 100 * TOKEN + 1])
def test_unstake__nothing_or_more_than_is_staked__refused(amount: int) -> None:
    with pytest.raises(BadInput):
        plan_unstake(VIEW, amount)


def test_withdraw__no_delay_over__refused_saying_when() -> None:
    with pytest.raises(BadInput) as caught:
        plan_withdraw(replace(VIEW, now=400))
    assert caught.value.fix == "The next one can be withdrawn in 600 s."


def test_withdraw__nothing_unstaking__refused_naming_the_command() -> None:
    with pytest.raises(BadInput) as caught:
        plan_withdraw(replace(VIEW, unstakings=()))
    assert "malla provider unstake" in caught.value.fix


def test_withdraw_earnings__nothing_there__refused() -> None:
    with pytest.raises(BadInput, match="no free balance"):
        plan_withdraw_earnings(replace(VIEW, earnings=Wei(0)))


def test_plans__each__say_before_and_after() -> None:
    stake, _ = plan_stake(VIEW, TOKEN // 2)
    assert (stake.what, stake.before, stake.after) == ("active stake, tokens", "100", "100.5")
    unstake = plan_unstake(VIEW, 40 * TOKEN)
    assert [(e.before, e.after) for e in unstake] == [("100", "60"), ("30", "70"), ("", "2100")]
    assert [(e.before, e.after) for e in plan_withdraw(VIEW)] == [("30", "20"), ("50", "60")]
    assert [(e.before, e.after) for e in plan_withdraw_earnings(VIEW)] == [("0.5", "0"), ("50", "50.5")]
    assert plan_register(replace(VIEW, node_key=None), OWNER)[0].after == OWNER
