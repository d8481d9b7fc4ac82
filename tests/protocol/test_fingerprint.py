from __future__ import annotations

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import ProviderFault
from protocol.proofs import merkle
from protocol.proofs.fingerprint import (
    GROUP,
    ROW_BYTES,
    Rows,
    directions,
    distance,
    drawn_group,
    fingerprint_root,
    groups,
    open_group,
    pack_rows,
    positions,
    project,
    read_opening,
    seed_of,
    spread,
)

SEED = seed_of(b"\x01" * 32, 0, 7)
COUNTS = (1, 2, 16, 17, 33, 64, 100, 2_048)


def states(count: int, seed: int = 1) -> numpy.ndarray:
    return numpy.random.default_rng(seed).normal(size=(count, 96)).astype(numpy.float32)


def opened(count: int, group: int = 0) -> tuple[bytes, bytes, Rows]:
    rows = pack_rows(own := project(states(count), SEED))
    return open_group(rows, group), fingerprint_root(rows), own[list(positions(count, group))]


@pytest.mark.parametrize("broken", [numpy.nan, numpy.inf, -numpy.inf])
def test_project__not_finite__is_the_backend_s_failure(broken: float) -> None:
    values = states(3)
    values[1, 2] = broken
    with pytest.raises(ValueError, match="zero or not finite"):
        project(values, SEED)


def test_project__all_zero__is_the_backend_s_failure() -> None:
    with pytest.raises(ValueError, match="zero or not finite"):
        project(numpy.zeros((2, 96), numpy.float32), SEED)


@pytest.mark.parametrize("length", [0, 1, ROW_BYTES - 1, ROW_BYTES + 1])
def test_fingerprint_root__no_whole_row__is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="whole rows"):
        fingerprint_root(bytes(length))


@pytest.mark.parametrize("count", COUNTS)
def test_read_opening__as_committed__lies_at_distance_zero(count: int) -> None:
    """R101: any group opens to what was committed, in at most 512 bytes."""
    for group in {0, groups(count) - 1, groups(count) // 2}:
        opening, root, own = opened(count, group)
        assert len(opening) <= 512
        assert distance(*read_opening(opening, root, count, group), own) == 0


@pytest.mark.parametrize("count", [1, 17, 64])
def test_read_opening__any_byte_changed__is_the_provider_s_fault(count: int) -> None:
    opening, root, _ = opened(count)
    for place in range(len(opening)):
        other = opening[:place] + bytes([opening[place] ^ 1]) + opening[place + 1 :]
        with pytest.raises(ProviderFault):
            read_opening(other, root, count, 0)


@pytest.mark.parametrize("garbage", [b"", b"\x01", bytes(1_000_000)])
def test_read_opening__of_another_length__is_the_provider_s_fault(garbage: bytes) -> None:
    _, root, _ = opened(64)
    with pytest.raises(ProviderFault, match="bytes instead of"):
        read_opening(garbage, root, 64, 0)


def test_read_opening__another_group_or_count__is_the_provider_s_fault() -> None:
    opening, root, _ = opened(64, 1)
    for count, group in ((64, 0), (64, 2), (63, 1), (65, 1)):
        with pytest.raises(ProviderFault):
            read_opening(opening, root, count, group)


@settings(max_examples=300)
@given(st.binary(max_size=600), st.integers(1, 100), st.data())
def test_read_opening__any_bytes__are_a_fault_and_never_an_error(data: bytes, count: int, draw: st.DataObject) -> None:
    """R102: garbage is the provider's failure."""
    group = draw.draw(st.integers(0, groups(count) - 1))
    with pytest.raises(ProviderFault):
        read_opening(data, bytes(32), count, group)


@given(st.integers(1, 5_000))
def test_positions__all_groups__hold_every_token_once(count: int) -> None:
    dealt = [token for group in range(groups(count)) for token in positions(count, group)]
    assert sorted(dealt) == list(range(count))
    assert max(len(positions(count, group)) for group in range(groups(count))) <= GROUP


@pytest.mark.parametrize(("job", "call", "nonce"), [(2, 0, 7), (1, 1, 7), (1, 0, 8)])
def test_directions__another_job_call_or_nonce__are_others(job: int, call: int, nonce: int) -> None:
    other = seed_of(bytes([job]) * 32, call, nonce)
    assert (directions(SEED, 96) != directions(other, 96)).mean() > 0.4


def test_directions__many__are_balanced_signs() -> None:
    found = directions(SEED, 4_096)
    assert set(numpy.unique(found)) == {-1, 1} and abs(found.mean()) < 0.02


def test_distance__noise_of_known_size__is_found_again() -> None:
    """Johnson–Lindenstrauss: 2 % of noise in each channel is seen as 2 %, less what cutting and trimming take away."""
    truth = states(16)
    noisy = truth + 0.02 * states(16, 2)
    rows = pack_rows(project(noisy, SEED))
    found = distance(*read_opening(open_group(rows, 0), fingerprint_root(rows), 16, 0), project(truth, SEED))
    assert 0.012 < found < 0.022


def test_distance__states_of_something_else__is_that_of_random_numbers() -> None:
    rows = pack_rows(project(states(64, 3), SEED))
    found = distance(*read_opening(open_group(rows, 0), fingerprint_root(rows), 64, 0), project(states(64)[::4], SEED))
    assert 0.045 < found < 0.062  # 16 units, uniformly off: 4.6 units of 0.012


def test_distance__one_token_of_sixteen_off__is_left_out_and_half_of_them_are_not() -> None:
    truth = project(states(16), SEED)
    found = []
    for wrong in (1, 8):
        other = truth.copy()
        other[:wrong] += 0.036
        rows = pack_rows(other)
        found.append(distance(*read_opening(open_group(rows, 0), fingerprint_root(rows), 16, 0), truth))
    assert found[0] == 0 and found[1] > 0.011


def test_spread__one_run_with_itself__is_nothing() -> None:
    one = project(states(5), SEED)
    assert spread(one, one) == 0 and spread(one, one + 0.5) == pytest.approx(0.5)


def test_drawn_group__many_draws__are_spread_evenly() -> None:
    counts = numpy.bincount([drawn_group(bytes([i % 256, i // 256]) * 16, 3, 64) for i in range(4_000)])
    assert len(counts) == 4 and counts.min() > 850


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=40), st.data())
def test_merkle__every_leaf__climbs_to_the_root_by_its_path_alone(leaves: list[bytes], draw: st.DataObject) -> None:
    place = draw.draw(st.integers(0, len(leaves) - 1))
    path, root = merkle.path_of(leaves, place), merkle.root_of(leaves)
    assert merkle.climb(leaves[place], place, len(leaves), path) == root
    assert merkle.climb(leaves[place] + b"\x00", place, len(leaves), path) != root
    assert merkle.climb(leaves[place], place, len(leaves), (*path, root)) is None


def test_merkle__last_leaf_repeated__is_another_tree() -> None:
    """CVE-2012-2459: a tree that doubles its last leaf has one root for two lists."""
    assert merkle.root_of([b"a", b"b", b"c"]) != merkle.root_of([b"a", b"b", b"c", b"c"])


def test_merkle__without_leaves_or_beyond__is_the_caller_s_error() -> None:
    with pytest.raises(ValueError, match="needs a leaf"):
        merkle.root_of([])
    with pytest.raises(ValueError, match="no leaf 2 among 2"):
        merkle.path_of([b"a", b"b"], 2)
