"""The arithmetic by itself; tests/integration/chain/test_parity.py holds it against the contracts."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.committee import PROPOSER_BLOCKS, faults, proposer, quorum
from protocol.economics import deters, fee, payment, reserve, slashed

tokens, prices, shares = st.integers(0, 2**32 - 1), st.integers(0, 2**96 - 1), st.integers(0, 10_000)


@given(tokens, tokens, tokens, prices, prices)
def test_payment__tokens_within_limits__never_above_the_reserve(
    input_tokens: int, limit: int, output_tokens: int, input_price: int, output_price: int
) -> None:
    """R4: never above the reserve."""
    paid = payment(input_tokens, min(output_tokens, limit), input_price, output_price)
    assert 0 <= paid <= reserve(input_tokens, limit, input_price, output_price)


@given(prices, shares)
def test_fee__any_amount__rounded_down(amount: int, bps: int) -> None:
    """R4: the fee is rounded down."""
    exact = Fraction(amount * bps, 10_000)
    assert exact - 1 < fee(amount, bps) <= exact


@given(st.lists(prices, max_size=17), shares)
def test_slashed__any_parts__each_rounded_up_and_never_more_than_there_is(parts: list[int], bps: int) -> None:
    burned = slashed(parts, bps)
    assert sum(Fraction(part * bps, 10_000) for part in parts) <= burned <= sum(parts)
    if bps and any(parts):
        assert burned > 0


@given(prices, prices, st.integers(1, 10_000), st.integers(1, 9_999))
def test_deters__any_stake_and_price__is_the_exact_inequality(
    stake: int, price: int, slash: int, detection: int
) -> None:
    """R9: the exact inequality."""
    left, chance = Fraction(slash, 10_000) * stake, Fraction(detection, 10_000)
    assert deters(stake, price, slash, detection) is (left >= price * (1 - chance) / chance)


def test_deters__one_in_twenty__nineteen_times_the_price_over_the_slash() -> None:
    assert deters(38, 1, 5_000, 500) and not deters(37, 1, 5_000, 500)


@pytest.mark.parametrize(("members", "f", "q"), [
    (0, 0, 1), (1, 0, 1), (2, 0, 2), (3, 0, 2), (4, 1, 3), (5, 1, 4), (6, 1, 4), (7, 2, 5), (10, 3, 7), (32, 10, 22),
])
def test_quorum__known_sizes__tolerates_a_third(members: int, f: int, q: int) -> None:
    assert (faults(members), quorum(members)) == (f, q)


@given(st.integers(1, 32))
def test_quorum__any_two__share_an_honest_oracle_and_can_be_reached_without_the_faulty(members: int) -> None:
    f, q = faults(members), quorum(members)
    assert 3 * f < members and 2 * q - members > f and q <= members - f


@given(st.integers(0, 2**32), st.integers(0, 2**16 - 1))
def test_proposer__over_a_round__each_member_once(block: int, set_version: int) -> None:
    members = ["a", "b", "c", "d"]
    turns = [proposer(block + turn * PROPOSER_BLOCKS, set_version, members) for turn in range(4)]
    assert sorted(turns) == members
    start = block - block % PROPOSER_BLOCKS
    assert len({proposer(start + place, set_version, members) for place in range(PROPOSER_BLOCKS)}) == 1
