"""Exact product checks: what is wrong in one entry is refused, what is right never is; numpy and torch agree."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.engine import challenge as engine
from protocol.errors import BadInput, ProviderFault
from protocol.proofs.freivalds import (
    COLUMNS,
    ROWS,
    RowOpening,
    build_tree,
    check_product,
    climb,
    columns_digest,
    draw_columns,
    draw_distinct,
    multiply_exactly,
    require_opening,
    tree_path,
)
from protocol.proofs.operands import derive_operand

WIDTH, SEED, CPU = 256, b"s" * 32, torch.device("cpu")
A, B = (derive_operand(SEED, side, 0, WIDTH) for side in (b"A", b"B"))
C = np.asarray(A, np.int32) @ np.asarray(B, np.int32)
DRAWN = draw_distinct(SEED, b"rows", ROWS, WIDTH)
R = draw_columns(SEED, WIDTH)
Y = check_product(A, B, R)
KNOWN = [101, -82, -11, -52, -10, -96, 32, -31], [59, 74, -7, -110, 38, 2, -106, 20]
"""The first and the last eight bytes of operand A 0 of 32 bytes "s", 256 wide."""


def root_of(c: np.ndarray) -> bytes:
    with ThreadPoolExecutor(1) as pool:
        return engine.hash_rows(5, c.astype(np.int32), pool)[-1][0]


def answer(c: np.ndarray) -> RowOpening:
    return engine.open_product(5, c.astype(np.int32), SEED, DRAWN)


def judge(opening: RowOpening, root: bytes, product: int = 5) -> str:
    """The name of the failed check; "" for none."""
    try:
        require_opening(opening, root, product, DRAWN, R, Y)
    except ProviderFault as fault:
        return fault.check
    return ""


@pytest.mark.parametrize("width", [0, 128, 300, 32_768])
def test_derive__width_out_of_bounds__is_refused(width: int) -> None:
    with pytest.raises(BadInput, match="width of a product"):
        derive_operand(SEED, b"A", 0, width)


@pytest.mark.parametrize("field", ["columns_digest", "rows", "paths"])
@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"\0", lambda data: b""])
def test_opening__wrong_size__is_the_providers_fault(field: str, change: object) -> None:
    whole = answer(C)
    changed = replace(whole, **{field: change(getattr(whole, field))})  # type: ignore[operator]
    assert judge(changed, root_of(C)) == "opening_size"


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["columns_digest", "rows", "paths"]), st.integers(0, 2**31), st.integers(1, 255))
def test_opening__any_byte_changed__is_refused(field: str, place: int, change: int) -> None:
    whole = answer(C)
    data = bytearray(getattr(whole, field))
    data[place % len(data)] ^= change
    assert judge(replace(whole, **{field: bytes(data)}), root_of(C)) != ""


def test_opening__of_another_product_or_root__is_refused() -> None:
    assert judge(answer(C), root_of(C), product=6) == "row_path"
    assert judge(answer(C), bytes(32)) == "row_path"


def test_product__one_entry_off_by_one__is_refused_even_if_no_drawn_row_holds_it() -> None:
    """R89: the check is exact."""
    wrong = C.copy()
    wrong[next(row for row in range(WIDTH) if row not in DRAWN), 7] += 1
    assert judge(answer(wrong), root_of(wrong)) == "freivalds"


def test_product__wrong_rows_and_a_true_y__fall_to_the_drawn_rows() -> None:
    """Whoever knows R computes A·(B·R) without C: only rows bind."""
    wrong = C.copy()
    wrong[DRAWN[9]] += 1
    informed = replace(answer(wrong), columns_digest=columns_digest(Y))
    assert judge(informed, root_of(wrong)) == "row_product"


@pytest.mark.parametrize("kind", ["bf16", "fp16"])
@pytest.mark.parametrize("seed", range(8))
def test_product__rounded_to_sixteen_bits__is_refused(kind: str, seed: int) -> None:
    a, b = (torch.from_numpy(derive_operand(SEED, side, seed, WIDTH)) for side in (b"A", b"B"))
    if kind == "bf16":
        c = (a.bfloat16() @ b.bfloat16()).float()
    else:
        c = ((a.half() / 128) @ (b.half() / 128)).float() * 2**14
    y = check_product(a.numpy(), b.numpy(), R)
    rounded = c.round().int().numpy()
    with pytest.raises(ProviderFault, match="not exact"):
        require_opening(answer(rounded), root_of(rounded), 5, DRAWN, R, y)


def test_product__extreme_operands__no_sum_overflows() -> None:
    """The largest width with every value at its bound."""
    extreme = np.full((16, 16_384), -127, np.int8)
    columns = np.full((16_384, COLUMNS), 127, np.int8)
    assert (multiply_exactly(extreme, columns) == -127 * 127 * 16_384).all()
    side = np.full((4096, 4096), -127, np.int8)
    expected = 4096 * 127 * 4096 * 127 * 127
    assert (check_product(side, side, columns[:4096], engine.multiply) == expected).all()


@pytest.mark.parametrize("width", [256, 512])
def test_derive__on_torch__gives_the_same_bytes_as_numpy(width: int) -> None:
    for side, number in ((b"A", 0), (b"B", 7), (b"B", 2**31)):
        made = engine.derive_on(SEED, side, number, width, CPU).numpy()
        assert (made == derive_operand(SEED, side, number, width)).all()
        assert made.min() == -127 and made.max() == 127


def test_derive__known_seed__gives_the_published_bytes() -> None:
    """A second implementation has to agree with these."""
    assert A[0, :8].tolist() == KNOWN[0] and A[255, 248:].tolist() == KNOWN[1]


def test_derive__different_seed_side_or_number__shares_no_window() -> None:
    others = [derive_operand(b"t" * 32, b"A", 0, WIDTH), B, derive_operand(SEED, b"A", 1, WIDTH)]
    mine = A.tobytes()
    for other in others:
        data = other.tobytes()
        assert not any(data[at : at + 16] in mine for at in range(0, len(data), 4096))
        assert abs(float(np.corrcoef(A.ravel(), other.ravel())[0, 1])) < 0.02


def test_derive__rank_and_spectrum__are_those_of_independent_numbers() -> None:
    """No low rank to shorten the product by: the largest singular value is near 2σ√n, as chance has it."""
    values = np.linalg.svd(A.astype(np.float64), compute_uv=False)
    sigma = A.astype(np.float64).std()
    assert np.linalg.matrix_rank(A.astype(np.float64)) == WIDTH
    assert 1.7 < values[0] / (sigma * WIDTH**0.5) < 2.3


def test_columns__of_a_seed__are_uniform_without_minus_128() -> None:
    drawn = draw_columns(SEED, 16_384).astype(np.int64).ravel()
    counts = np.bincount(drawn + 127, minlength=255)
    expected = drawn.size / 255
    assert drawn.min() == -127 and drawn.max() == 127 and counts.size == 255
    assert float(((counts - expected) ** 2 / expected).sum()) < 254 + 6 * (2 * 254) ** 0.5


def test_draw__distinct__repeats_nothing_and_follows_the_seed() -> None:
    assert len(set(DRAWN)) == ROWS and all(0 <= row < WIDTH for row in DRAWN)
    assert draw_distinct(b"t" * 32, b"rows", ROWS, WIDTH) != DRAWN
    assert draw_distinct(SEED, b"rows", ROWS, 64) == tuple(range(64))


def test_check__by_numpy_and_by_torch__is_the_same_number() -> None:
    assert (check_product(A, B, R, engine.multiply) == Y).all()
    assert (C.astype(np.int64) @ R.astype(np.int64) == Y).all()


def test_multiply__processor_that_saturates__is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine.exact_multiply()(A, B[:, :8].copy()).shape == (WIDTH, 8)

    def saturating(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.clip(multiply_exactly(a, b), -(2**15), 2**15 - 1)

    monkeypatch.setattr(engine, "multiply", saturating)
    assert engine.exact_multiply() is multiply_exactly


@pytest.mark.parametrize("count", [1, 2, 3, 8, 13])
def test_tree__every_leaf__climbs_to_the_root(count: int) -> None:
    leaves = [bytes([i]) * 32 for i in range(count)]
    levels = build_tree(leaves)
    assert all(climb(leaf, i, tree_path(levels, i)) == levels[-1][0] for i, leaf in enumerate(leaves))


def test_opening__of_the_exact_product__passes() -> None:
    """R89: no honest answer fails."""
    assert judge(answer(C), root_of(C)) == ""
