"""The arithmetic by itself; tests/integration/chain/test_parity.py holds it against the contracts."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.committee import PROPOSER_BLOCKS, faults, proposer, quorum
from protocol.economics import (
    challenger_share,
    coverage,
    deters,
    fee,
    needed_stake,
    payment,
    reserve,
    slashed,
    split_fee,
)
from protocol.units import TOKEN

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


@given(prices, prices, st.integers(1, 10_000), st.integers(0, 3_000), st.integers(1, 9_999))
def test_deters__any_stake_and_price__is_the_exact_inequality(
    stake: int, price: int, slash: int, challenger: int, detection: int
) -> None:
    """R9: the exact inequality, with what a challenger may get left out of the loss."""
    lost, chance = Fraction(slash * (10_000 - challenger), 10_000**2) * stake, Fraction(detection, 10_000)
    assert deters(stake, price, slash, challenger, detection) is (lost >= price * (1 - chance) / chance)


@given(prices, st.integers(1, 10_000), st.integers(0, 3_000), st.integers(1, 9_999))
def test_needed_stake__any_price__is_the_least_that_deters(
    price: int, slash: int, challenger: int, detection: int
) -> None:
    """R9: rounded up."""
    needed = needed_stake(price, slash, challenger, detection)
    assert deters(needed, price, slash, challenger, detection)
    assert needed == 0 or not deters(needed - 1, price, slash, challenger, detection)


def test_deters__one_in_twenty__nineteen_times_the_price_over_the_slash() -> None:
    assert deters(38, 1, 5_000, 0, 500) and not deters(37, 1, 5_000, 0, 500)
    assert needed_stake(9, 5_000, 1_000, 500) == 380


@given(prices, prices, st.integers(0, 32), prices)
def test_split_fee__any_fees__adds_up_and_pays_whole_fees_only(
    kept: int, audit: int, auditors: int, submit: int
) -> None:
    """R4: what of a fee pays nobody is burned."""
    split = split_fee(kept, audit, auditors, submit)
    assert split.audits + split.submission + split.burned == kept and min(split.audits, split.burned) >= 0
    assert split.submission in (0, submit)
    assert split.audits == audit * auditors or (audit and split.audits % audit == 0 and kept - split.audits < audit)


@pytest.mark.parametrize(("kept", "parts"), [
    (0, (0, 0, 0)), (9, (0, 3, 6)), (10, (10, 0, 0)), (24, (20, 3, 1)), (32, (20, 3, 9)),
])
def test_split_fee__two_auditors_at_ten_and_a_submitter_at_three__while_it_lasts(
    kept: int, parts: tuple[int, int, int]
) -> None:
    split = split_fee(kept, 10, 2, 3)
    assert (split.audits, split.submission, split.burned) == parts


@given(prices, st.integers(0, 3_000), prices)
def test_challenger_share__any_slash__at_most_the_share_and_the_ceiling(own: int, bps: int, most: int) -> None:
    assert challenger_share(own, bps, most) == min(own * bps // 10_000, most)


@pytest.mark.parametrize(("quorum_of", "stake", "bps", "ceiling", "covered"), [
    (3, 5_000 * TOKEN, 0, 10**30, 7_500 * TOKEN), (3, 5_000 * TOKEN, 1_000, 5_000 * TOKEN, 7_000 * TOKEN),
    (1, 10, 1_000, 1_000, 0), (3, 10**9, 1, 1, 10**9), (2, 10**9 + 1, 0, 0, 10**9),
])
def test_coverage__of_a_quorums_stake__half_less_the_shares_in_whole_gwei(
    quorum_of: int, stake: int, bps: int, ceiling: int, covered: int
) -> None:
    assert coverage(quorum_of, stake, bps, ceiling) == covered


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
