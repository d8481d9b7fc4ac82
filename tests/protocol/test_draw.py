from __future__ import annotations

import hashlib
import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.draw import (
    BURN_SCALE,
    CHAIN_LENGTH,
    Draw,
    RevealChain,
    audit_rate,
    auditor_at,
    auditor_of_unit,
    draw,
    draw_calls,
    epoch_end,
    epoch_of,
    is_drawn,
    is_reveal,
)
from protocol.encoding import keccak

LEAVES = [keccak(bytes([n])) for n in range(20)]
REVEALS = [keccak(b"reveal" + bytes([n])) for n in range(4)]
HASH = keccak(b"block")
LENGTH = 5_000
FIRST = 7
"""Epoch of the anchor in these tests."""


@pytest.fixture(scope="module")
def chain() -> RevealChain:
    return RevealChain(b"\5" * 32, LENGTH)


@pytest.mark.parametrize(("block_hash", "reveals"), [(None, REVEALS), (HASH, [*REVEALS[:3], None]), (HASH, [])])
def test_draw__hash_or_reveal_missing__everything_and_no_seed(
    block_hash: bytes | None, reveals: list[bytes | None]
) -> None:
    """R31: a missing reveal or hash draws everything."""
    drawn = draw(3, LEAVES, block_hash, reveals, 0)
    assert drawn.seed is None and drawn.drawn == tuple(range(len(LEAVES)))
    assert len(drawn.auditors) == (len(LEAVES) if reveals else 0)


def test_draw__same_public_data__same_draw_whatever_the_leaves_say() -> None:
    """R31: public data alone make the draw."""
    first = draw(3, LEAVES, HASH, REVEALS, 2_000)
    assert first == draw(3, LEAVES, HASH, REVEALS, 2_000)
    assert first.drawn == draw(3, [keccak(leaf) for leaf in LEAVES], HASH, REVEALS, 2_000).drawn
    assert first.seed == keccak(HASH + (3).to_bytes(8, "big") + b"".join(REVEALS))


def test_draw__any_input_changed__another_seed() -> None:
    seeds = {draw(3, LEAVES, HASH, REVEALS, 1).seed, draw(4, LEAVES, HASH, REVEALS, 1).seed,
             draw(3, LEAVES, keccak(HASH), REVEALS, 1).seed, draw(3, LEAVES, HASH, REVEALS[::-1], 1).seed,
             draw(3, LEAVES, HASH, [*REVEALS[:3], keccak(b"other")], 1).seed}
    assert len(seeds) == 5


@given(st.binary(min_size=32, max_size=32), st.integers(0, 2**16 - 1))
def test_is_drawn__at_the_ends__never_and_always(seed: bytes, index: int) -> None:
    assert not is_drawn(seed, index, 0) and is_drawn(seed, index, 10_000)


@given(st.binary(min_size=32, max_size=32), st.integers(0, 999), st.integers(0, 9_999))
def test_is_drawn__higher_rate__draws_no_less(seed: bytes, index: int, bps: int) -> None:
    assert not is_drawn(seed, index, bps) or is_drawn(seed, index, bps + 1)


@pytest.mark.parametrize("bps", [100, 500, 2_000, 5_000, 9_000])
def test_is_drawn__many_leaves__rate_within_five_deviations(bps: int) -> None:
    count, share = 20_000, bps / 10_000
    found = sum(is_drawn(keccak(n.to_bytes(4, "big")), n % 128, bps) for n in range(count))
    assert abs(found - count * share) < 5 * math.sqrt(count * share * (1 - share))


def test_draw__many_batches__names_every_seat_alike() -> None:
    named = [seat for batch in range(200) for seat in draw(batch, LEAVES, HASH, REVEALS, 0).auditors]
    for seat in range(4):
        assert abs(named.count(seat) - 1_000) < 5 * math.sqrt(4_000 * 0.25 * 0.75)


@pytest.mark.parametrize(("burned", "floor", "scale"), [(-1, 500, 1), (0, -1, 1), (0, 10_001, 1), (0, 500, 0)])
def test_audit_rate__out_of_range__is_an_error(burned: int, floor: int, scale: int) -> None:
    with pytest.raises(ValueError, match="No audit rate"):
        audit_rate(burned, floor, scale)


@given(st.integers(0, 10_000), st.integers(0, 2**96), st.integers(0, 2**80), st.integers(1, 2**90))
def test_audit_rate__more_burned__never_rises_and_never_leaves_floor_and_one(
    floor: int, burned: int, more: int, scale: int
) -> None:
    """R85: never below the contract's rate, whatever was burned."""
    rate = audit_rate(burned, floor, scale)
    assert floor <= audit_rate(burned + more, floor, scale) <= rate <= 10_000 == audit_rate(0, floor, scale)
    assert audit_rate(32 * scale + burned, floor, scale) == floor


@given(st.integers(0, 10_000), st.integers(0, 32 * 10**18))
def test_audit_rate__against_real_numbers__is_rounded_up_by_at_most_two_bps(floor: int, burned: int) -> None:
    exact = floor + (10_000 - floor) * 2 ** (-burned / 10**18)
    # From 32 scales on it is the floor itself, which is 2.4e-6 bps less.
    assert exact - 3e-6 <= audit_rate(burned, floor, 10**18) < exact + 2


def test_audit_rate__whole_scales__halve_what_is_above_the_floor() -> None:
    assert [audit_rate(n * BURN_SCALE, 500) for n in range(4)] == [10_000, 5_250, 2_875, 1_688]


def test_draw__fallback__auditors_and_groups_follow_from_the_hash_where_there_is_one() -> None:
    """R88: else whoever withholds a reveal would know before the commitment who audits what."""
    without, one = draw(3, LEAVES, None, REVEALS, 0), draw(3, LEAVES, HASH, [*REVEALS[:3], None], 0)
    other = draw(3, LEAVES, keccak(HASH), [*REVEALS[:3], None], 0)
    assert len({without.group_seed, one.group_seed, other.group_seed}) == 3
    assert one.auditors != other.auditors != without.auditors
    assert draw(3, LEAVES, HASH, REVEALS, 0).group_seed == draw(3, LEAVES, HASH, REVEALS, 0).seed


@given(st.integers(0, 3), st.integers(0, 40))
def test_auditor_at__all_ranks__each_seat_once_a_round(first: int, rank: int) -> None:
    assert auditor_at(first, 0, 4) == first
    assert {auditor_at(first, rank + turn, 4) for turn in range(4)} == {0, 1, 2, 3}


@given(st.integers(0, 2**40), st.integers(1, 1_000))
def test_epoch__of_any_block__ends_after_it_and_is_as_long_as_said(block: int, length: int) -> None:
    epoch = epoch_of(block, length)
    assert epoch_end(epoch, length) - length <= block < epoch_end(epoch, length)


def test_reveal__outside_of_the_chain__none(chain: RevealChain) -> None:
    assert chain.reveal(FIRST - 1, FIRST) is None
    assert chain.reveal(FIRST + LENGTH, FIRST) is None
    assert chain.reveal(FIRST + LENGTH - 1, FIRST) == b"\5" * 32


def test_reveal__each_next__is_the_preimage_of_the_one_before(chain: RevealChain) -> None:
    links = [chain.anchor, *(chain.reveal(epoch, FIRST) or b"" for epoch in range(FIRST, FIRST + LENGTH))]
    assert all(hashlib.sha256(later).digest() == earlier for earlier, later in itertools.pairwise(links))


@settings(max_examples=20)
@given(st.integers(0, LENGTH - 1), st.integers(0, LENGTH - 1))
def test_is_reveal__own_chain__holds_for_its_epoch_only(chain: RevealChain, offset: int, other: int) -> None:
    reveal = chain.reveal(FIRST + offset, FIRST)
    assert reveal is not None and is_reveal(reveal, FIRST + offset, chain.anchor, FIRST)
    assert is_reveal(reveal, FIRST + other, chain.anchor, FIRST) is (other == offset)
    known = (FIRST + other, chain.reveal(FIRST + other, FIRST) or b"")
    assert is_reveal(reveal, FIRST + offset, chain.anchor, FIRST, known)


def test_is_reveal__forged_short_or_out_of_bounds__false(chain: RevealChain) -> None:
    reveal = chain.reveal(FIRST + 3, FIRST) or b""
    known = (FIRST + 1, chain.reveal(FIRST + 1, FIRST) or b"")
    assert not is_reveal(keccak(reveal), FIRST + 3, chain.anchor, FIRST)
    assert not is_reveal(keccak(reveal), FIRST + 3, chain.anchor, FIRST, known)
    assert not is_reveal(reveal[:31], FIRST + 3, chain.anchor, FIRST)
    assert not is_reveal(reveal, FIRST + 3, keccak(b"other"), FIRST)
    assert not is_reveal(chain.anchor, FIRST - 1, chain.anchor, FIRST)
    assert not is_reveal(reveal, FIRST + CHAIN_LENGTH, chain.anchor, FIRST)


@given(st.integers(0, 127), st.integers(0, 300), st.integers(0, 10_000))
def test_draw_calls__any_rate__draws_each_call_by_its_unit_number_alone(index: int, calls: int, bps: int) -> None:
    """R114: four bytes from unit 65,536 on, two before, as of entries."""
    made = Draw(3, (), (), HASH, HASH)
    drawn = draw_calls(made, index, calls, bps)
    units = [index + 128 * (1 + call) for call in range(calls)]
    sizes = {unit: 2 if unit < 2**16 else 4 for unit in units}
    values = {unit: int.from_bytes(keccak(HASH + unit.to_bytes(sizes[unit], "big")), "big") for unit in units}
    assert drawn == tuple(unit for unit in units if values[unit] * 10_000 < bps * 2**256)


def test_auditor_of_unit__of_an_entry__is_the_one_of_the_draw() -> None:
    made = draw(3, LEAVES, HASH, REVEALS, 5_000)
    assert [auditor_of_unit(made, i, 4) for i in range(len(LEAVES))] == list(made.auditors)
    last = 127 + 128 * 4_096
    assert auditor_of_unit(made, last, 4) == int.from_bytes(
        keccak(made.group_seed + b"auditor" + last.to_bytes(4, "big")), "big") % 4
