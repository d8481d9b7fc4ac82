"""The arithmetic of rewards by itself; tests/contracts/test_rewards.py holds it against the contract."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.rewards import MOST_BETA_BPS, budget, delegators_part, promised, reward, scheduled

amounts, betas = st.integers(0, 2**96 - 1), st.integers(0, MOST_BETA_BPS)
burns = st.lists(st.integers(1, 2**90), min_size=1, max_size=12)


@given(burns, amounts, betas)
def test_reward__any_burns_of_an_epoch__sum_to_at_most_its_budget_and_beta(
    parts: list[int], epoch_budget: int, beta: int
) -> None:
    """R61: never above min(E, beta W), and no more than a wei a provider below it."""
    total = sum(parts)
    rewards = sum(reward(part, total, epoch_budget, beta) for part in parts)
    most = min(Fraction(epoch_budget), Fraction(beta * total, 10_000))
    assert rewards <= promised(epoch_budget, total, beta) <= most
    assert most - len(parts) < rewards


@given(burns, amounts, amounts, betas)
def test_reward__of_work_split_over_identities__is_no_more(
    parts: list[int], others: int, epoch_budget: int, beta: int
) -> None:
    """R61: one rate for everybody."""
    own, total = sum(parts), sum(parts) + others
    split = sum(reward(part, total, epoch_budget, beta) for part in parts)
    assert split <= reward(own, total, epoch_budget, beta)


@given(burns, amounts, betas)
def test_reward__of_who_hires_itself__is_less_than_what_it_burned(
    parts: list[int], epoch_budget: int, beta: int
) -> None:
    """R61: at least a tenth of the burn is lost, whatever the budget."""
    total = sum(parts)
    assert all(10 * reward(part, total, epoch_budget, beta) <= 9 * part for part in parts)


def test_reward__of_no_burn__is_nothing() -> None:
    assert reward(0, 0, 10**18, 9_000) == 0


@given(st.lists(st.tuples(st.integers(0, 3), amounts, betas), max_size=12), amounts, st.data())
def test_budget__of_epochs_in_any_order_of_burns__never_sets_more_aside_than_the_cap(
    epochs: list[tuple[int, int, int]], cap: int, data: st.DataObject
) -> None:
    """R62: the cap holds over all epochs."""
    first, halving = data.draw(st.integers(0, cap)), data.draw(st.integers(1, 4))
    epoch = set_aside = 0
    for gap, burned, beta in epochs:
        epoch += gap + 1
        epoch_budget = budget(scheduled(first, halving, epoch), cap, set_aside)
        assert epoch_budget <= first
        set_aside += promised(epoch_budget, burned, beta)
        assert set_aside <= cap


def test_budget__once_more_than_the_cap_was_set_aside__is_refused() -> None:
    with pytest.raises(ValueError, match=r"11 wei .* cap of 10"):
        budget(5, 10, 11)


@pytest.mark.parametrize(("epoch", "wei"), [(0, 101), (6, 101), (7, 50), (14, 25), (42, 1), (49, 0), (10**12, 0)])
def test_scheduled__halves_every_seven_epochs__rounded_down(epoch: int, wei: int) -> None:
    assert scheduled(101, 7, epoch) == wei


@given(amounts, st.integers(0, 5_000), amounts, amounts)
def test_delegators_part__any_stakes__is_their_share_less_the_commission(
    amount: int, commission: int, own: int, delegated: int
) -> None:
    """R64: rounded down, so the provider's part is what is left."""
    part = delegators_part(amount, commission, own, delegated)
    if delegated == 0:
        assert part == 0
    else:
        exact = Fraction(amount * delegated, own + delegated) * (10_000 - commission) / 10_000
        assert exact - 2 < part <= exact and part <= amount
