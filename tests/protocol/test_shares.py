"""The share arithmetic of stakes against exact fractions. Its twin in Solidity is held to it by parity tests."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from protocol.shares import (
    LEAST_DELEGATION,
    LEAST_SHARES,
    MOST_SCALE,
    WIPED,
    Pool,
    add_reward,
    amount_for,
    capacity,
    challengers_award,
    commission_in_force,
    earning_delegations,
    enter,
    is_worn_out,
    least_delegation,
    redeem,
    reduce_leaving,
    rescaled,
    seizure,
    shares_for,
    slash,
)
from protocol.units import TOKEN

SUPPLY = 10**27


def test_enter__an_empty_pool__pays_back_to_the_wei() -> None:
    pool, shares = enter(Pool(), 123_456_789)
    assert redeem(pool, shares) == (Pool(), 123_456_789)


def test_enter__after_a_direct_price_rise__loses_less_than_a_millionth() -> None:
    """R52: the first delegator cannot take the second one's tokens by making a share dear."""
    pool, first = enter(Pool(), TOKEN)
    pool, _ = redeem(pool, first - 1)
    pool = add_reward(pool, 10**24)
    paid = least_delegation(pool)
    assert paid > LEAST_DELEGATION
    assert shares_for(pool, paid) == LEAST_SHARES
    after, shares = enter(pool, paid)
    assert paid - amount_for(after, shares) < paid // 10**6 + 2
    assert amount_for(after, 1) <= 10**18, "the attacker's one share is a millionth of what it gave"


def test_least_delegation__of_a_fresh_pool__is_one_token() -> None:
    assert least_delegation(Pool()) == LEAST_DELEGATION == TOKEN


def test_worn_out__only_below_a_hundred_thousandth__refuses() -> None:
    """R53: also after a slash of everything."""
    shares = 10**6 * TOKEN
    assert not is_worn_out(Pool(TOKEN // 10**5, shares))
    assert is_worn_out(Pool(TOKEN // 10**5 - 2, shares))
    assert is_worn_out(Pool(0, shares))
    assert not is_worn_out(Pool(0, 0))


def test_reduce__to_nothing__wipes_what_was_there_and_takes_more() -> None:
    pool, old = enter(Pool(), 5 * TOKEN)
    pool = reduce_leaving(pool, 5 * TOKEN)
    assert (pool.tokens, pool.shares, pool.scale) == (0, 0, WIPED)
    pool, fresh = enter(pool, 7)
    assert rescaled(pool, old, 0) == 0
    assert amount_for(pool, fresh) == 7


def test_reduce__eight_thousand_times_to_nothing__never_fails() -> None:
    pool = Pool(1, 10**6, MOST_SCALE - 1)
    assert reduce_leaving(pool, 1) == Pool(0, 0, MOST_SCALE)


def test_reduce__by_nearly_all__counts_in_larger_units() -> None:
    pool, shares = enter(Pool(), 10**24)
    pool = reduce_leaving(pool, 10**24 - 3)
    assert pool.scale > 0
    assert amount_for(pool, rescaled(pool, shares, 0)) in (2, 3)


@pytest.mark.parametrize("seed", range(40))
def test_pool__over_a_random_schedule__stays_within_a_few_wei_of_exact(seed: int) -> None:
    """R51, R52: nobody ever gets more than its exact part and a wei of each move's dust; together never too much."""
    rng = random.Random(seed)
    pool, dust = Pool(), 0
    exits: list[tuple[int, int, Fraction]] = []  # shares, scale, exact worth
    for _ in range(300):
        move = rng.random()
        if move < 0.5:
            amount = rng.choice([rng.randint(1, 100), rng.randint(1, 10**12), rng.randint(1, SUPPLY // 1_000)])
            pool, shares = enter(pool, amount)
            exits.append((shares, pool.scale, Fraction(amount)))
        elif move < 0.75 and pool.tokens:
            bps = 10_000 if rng.random() < 0.1 else rng.randint(1, 9_999)
            taken = slash(0, pool.tokens, 0, 0, bps).from_unstaking
            pool = reduce_leaving(pool, taken)
            exits = [(s, scale, worth * (10_000 - bps) / 10_000) for s, scale, worth in exits]
            dust += 1
        elif exits:
            shares, scale, worth = exits.pop(rng.randrange(len(exits)))
            pool, paid = redeem(pool, rescaled(pool, shares, scale))
            assert paid <= worth + dust
            assert worth - paid <= dust + 2
            dust += 1
        assert sum(rescaled(pool, s, scale) for s, scale, _ in exits) <= pool.shares < 2**128
        assert sum(amount_for(pool, rescaled(pool, s, scale)) for s, scale, _ in exits) <= pool.tokens
        assert not is_worn_out(pool)


@pytest.mark.parametrize("seed", range(20))
def test_round_trip__at_any_price__gains_nothing(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(500):
        pool = Pool(rng.randint(0, SUPPLY // 2), rng.randint(0, 10**33))
        if is_worn_out(pool):
            continue
        amount = rng.randint(least_delegation(pool), SUPPLY)
        entered, shares = enter(pool, amount)
        assert shares < 2**128
        left, paid = redeem(entered, shares)
        assert amount - amount // 10**6 - 2 <= paid <= amount
        assert amount_for(left, pool.shares) >= amount_for(pool, pool.shares), "nobody else lost"


def test_slash__of_each_part__is_rounded_up() -> None:
    """R50."""
    cut = slash(1, 20_001, 0, 10_000, 5_000)
    assert (cut.from_active, cut.from_unstaking, cut.from_delegated, cut.from_undelegating) == (1, 10_001, 0, 5_000)
    assert (cut.own, cut.from_delegation) == (10_002, 5_000)
    assert slash(3, 5, 7, 11, 10_000).own == 8
    assert slash(3, 5, 7, 11, 0).own == 0


def test_award__of_a_challenger__is_rounded_down_and_capped() -> None:
    """R50."""
    assert challengers_award(9_999, 1, 100) == 0
    assert challengers_award(20_000, 5_000, 100) == 100
    assert challengers_award(20_000, 5_000, 10**20) == 10_000


def test_seizure__of_more_than_there_is__takes_active_first_and_then_unstaking() -> None:
    assert seizure(10, 5, 7) == (7, 0)
    assert seizure(10, 5, 12) == (10, 2)
    assert seizure(10, 5, 100) == (10, 5)


def test_capacity__counts_delegations_up_to_the_multiple() -> None:
    """R53."""
    assert capacity(10, 25, 2) == 30
    assert capacity(10, 15, 2) == 25
    assert capacity(10, 15, 0) == 10


def test_delegations__of_a_pool_without_owners__earn_nothing() -> None:
    assert earning_delegations(Pool(1, 0)) == 0
    assert earning_delegations(Pool(9, 1)) == 9


def test_commission__until_its_day__is_the_old_one() -> None:
    """R54."""
    assert commission_in_force(1_000, 2_000, 50, 49) == 1_000
    assert commission_in_force(1_000, 2_000, 50, 50) == 2_000
