"""The computing side of a GPU challenge, with torch: exact int8 products on a device, rows hashed, rows opened.

On CUDA the products are `torch._int_mm` (int8 × int8 → int32 on the tensor cores); on a CPU it is the same call. The
operands are derived on the device, by the integers of `protocol.proofs.operands`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray

from protocol.challenge import ChallengeTerms
from protocol.challenge_opening import Opening, columns_seed, draw_products, draw_rows, sides_of
from protocol.errors import ConfigInvalid
from protocol.proofs.freivalds import (
    Multiply,
    RowOpening,
    apply_columns,
    build_tree,
    columns_digest,
    draw_columns,
    multiply_exactly,
    row_leaf,
    tree_path,
)
from protocol.proofs.operands import SHIFTS, STRIDE, Int8, operand_keys, require_width

HASHERS = 8
"""Threads that hash rows: SHA-256 lets the others run."""


def multiply(a: Int8, b: Int8) -> NDArray[np.int32]:
    """`protocol.proofs.freivalds.Multiply` by torch on the CPU: some twenty times as fast as numpy's float64."""
    found: NDArray[np.int32] = torch._int_mm(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    return found


def exact_multiply() -> Multiply:
    """`multiply` where it is exact, else numpy's: some processors without int8 instructions saturate sums of 16 bits,
    and a verifier that errs would fail an honest provider."""
    signs = np.where(np.arange(64) % 3 == 0, -127, 127).astype(np.int8)
    extremes = [np.full((64, 64), 127, np.int8), np.full((64, 64), -127, np.int8), np.tile(signs, (64, 1))]
    pairs = [(a, np.ascontiguousarray(b.T[:, :width])) for a in extremes for b in extremes for width in (8, 32)]
    exact = all((multiply(a, b) == multiply_exactly(a, b)).all() for a, b in pairs)
    return multiply if exact else multiply_exactly


def challenge_device() -> torch.device | None:
    """The CUDA device that takes challenges; None on a machine without one."""
    return torch.device("cuda", 0) if torch.cuda.is_available() else None


def free_products(device: torch.device, width: int, most: int) -> int:
    """How many products of a width fit the device's free memory at once, beside their operands; at most `most`.

    Raises ConfigInvalid when not even two fit, or for a CPU: its memory says nothing about a card.
    """
    require_width(width)
    if device.type != "cuda":
        raise ConfigInvalid("Only a CUDA device has memory to fill.", "Name a number of products for a CPU.")
    free, _ = torch.cuda.mem_get_info(device)
    found = min(most, int(free * 0.92) // (4 * width * width) - 1)
    if found < 2:
        raise ConfigInvalid(f"{free} bytes of the device are free, too few for two products of width {width}.",
                            "Leave more memory of the device free, or take no challenges.")
    return found


def derive_on(seed: bytes, side: bytes, number: int, width: int, device: torch.device) -> torch.Tensor:
    """The same int8 matrix as `derive_operand`, made on the device. int32 wraps around as uint32 does; a mask after
    each shift takes the sign's copies away."""
    require_width(width)
    k0, k1, k2 = (_signed(key) for key in operand_keys(seed, side, number))
    x = torch.arange(width * width // 4, dtype=torch.int32, device=device)
    x.mul_(_signed(STRIDE)).add_(k0)
    for shift, multiplier in zip(SHIFTS, (k1, k2, 1), strict=True):
        x.bitwise_xor_((x >> shift).bitwise_and_((1 << (32 - shift)) - 1))
        x.mul_(multiplier)
    return x.view(torch.int8).clamp_(min=-127).view(width, width)


def compute_product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """A·B, int8 → int32, exact, on their device."""
    return torch._int_mm(a, b)


def commit_products(seed: bytes, products: int, width: int, device: torch.device) -> tuple[bytes, ...]:
    """Compute all products, keeping them together on the device until the last one is hashed; return their roots.

    Product p is A_(p div side) · B_(p mod side).
    """
    side = sides_of(products)
    right = [derive_on(seed, b"B", number, width, device) for number in range(min(side, products))]
    kept, left = [], right[0]
    for product in range(products):
        if product % side == 0:
            left = derive_on(seed, b"A", product // side, width, device)
        kept.append(compute_product(left, right[product % side]))
    roots = []
    with ThreadPoolExecutor(HASHERS) as pool:
        for product, c in enumerate(kept):
            roots.append(hash_rows(product, c.cpu().numpy(), pool)[-1][0])
    return tuple(roots)


def open_drawn(seed: bytes, draw: bytes, roots: Sequence[bytes], terms: ChallengeTerms,
               device: torch.device) -> Opening:
    """Compute the drawn products again and open them: the device's memory serves others meanwhile."""
    side, answers = sides_of(len(roots)), []
    for place, product in enumerate(draw_products(draw, len(roots))):
        left = derive_on(seed, b"A", product // side, terms.width, device)
        right = derive_on(seed, b"B", product % side, terms.width, device)
        c = compute_product(left, right).cpu().numpy()
        answers.append(open_product(product, c, columns_seed(draw, place), draw_rows(draw, place, terms)))
    return Opening(tuple(roots), tuple(answers))


def measure_ops(width: int, device: torch.device) -> int:
    """Dense int8 operations a second of one product on this device, the second of two."""
    left, right = (derive_on(bytes(32), side, 0, width, device) for side in (b"A", b"B"))
    seconds = 0.0
    for _ in range(2):
        start = time.perf_counter()
        compute_product(left, right)[0, 0].item()  # waits for the device
        seconds = time.perf_counter() - start
    return int(2 * width**3 / seconds)


def hash_rows(product: int, c: NDArray[np.int32], pool: ThreadPoolExecutor) -> list[list[bytes]]:
    """The tree over a product's rows."""
    data = memoryview(np.ascontiguousarray(c, dtype="<i4").data).cast("B")
    step = c.shape[1] * 4
    leaves = pool.map(lambda row: row_leaf(product, row, data[row * step : (row + 1) * step]), range(c.shape[0]),
                      chunksize=64)
    return build_tree(list(leaves))


def open_product(product: int, c: NDArray[np.int32], columns_seed: bytes, drawn: Sequence[int]) -> RowOpening:
    """The answer for one product: Y's digest, the drawn rows and their paths."""
    columns = draw_columns(columns_seed, c.shape[0])
    with ThreadPoolExecutor(HASHERS) as pool:
        levels = hash_rows(product, c, pool)
    rows = np.ascontiguousarray(c[list(drawn)], dtype="<i4").tobytes()
    paths = b"".join(tree_path(levels, row) for row in drawn)
    return RowOpening(columns_digest(apply_columns(c, columns)), rows, paths)


def _signed(word: int) -> int:
    return word - 2**32 if word >= 2**31 else word
