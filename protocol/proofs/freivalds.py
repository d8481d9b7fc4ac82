"""Exact products of int8 matrices that a verifier checks in O(n²): Freivalds over integers, and rows under a root.

The prover computes C = A·B (int8 × int8 → int32, exact) and commits to the Merkle root over its rows. Later randomness
names R (n × 8, uniform in −127 … 127) and 64 rows. The answer is the SHA-256 of Y = C·R (int64, little-endian), the
rows and their paths. The verifier computes A·(B·R) by two thin products and asks: is this Y the one that was said, does
each row lie under the root, and is row·R its line of Y?

Error. A committed row that differs from C's row passes its check with probability at most 255^-8 < 2^-63 over R; a
share f of wrong rows escapes 64 opened ones with (1 − f)^64: 5 % with 3.8 %, 10 % with 0.1 %. Nothing is rounded, so no
honest answer fails. Y alone proves nothing: whoever knows R computes A·(B·R) without C. The rows do.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from protocol.errors import ProviderFault
from protocol.proofs.operands import Int8, require_width

Whole: TypeAlias = NDArray[np.int64]
Multiply: TypeAlias = Callable[[Int8, Int8], NDArray[np.integer]]
"""An exact product of two int8 matrices as int32 or int64. Which one is used decides about speed, never about truth."""

COLUMNS = 8
ROWS = 64
BLOCK = 512
_BIAS = np.uint32(0x80808080)
_POWERS = np.array([1, 1 << 8, 1 << 16, 1 << 24], dtype=np.float64)


@dataclass(frozen=True)
class RowOpening:
    """A prover's answer for one product: SHA-256 of Y; the drawn rows one after the other, int32 little-endian; for
    each row its path from the leaf up, 32 bytes a step."""

    columns_digest: bytes
    rows: bytes
    paths: bytes


def multiply_exactly(a: Int8, b: Int8) -> Whole:
    """The product by numpy alone: float64 sums of integers below 2^53 are exact."""
    right, found = b.astype(np.float64), np.empty((a.shape[0], b.shape[1]), np.int64)
    for start in range(0, a.shape[0], BLOCK):
        found[start : start + BLOCK] = a[start : start + BLOCK].astype(np.float64) @ right
    return found


def draw_columns(seed: bytes, width: int) -> Int8:
    """R: width × 8, each value uniform in −127 … 127. Bytes of SHAKE-256; a byte of 255 is left out."""
    wanted = width * COLUMNS
    stream = np.frombuffer(_stream(b"columns", seed, wanted + wanted // 32 + 512), np.uint8)
    kept = stream[stream != 255][:wanted]  # a byte is left out once in 256: the stream is never too short in practice
    if kept.size < wanted:
        raise ArithmeticError("The stream of the columns is too short.")
    return (kept.astype(np.int16) - 127).astype(np.int8).reshape(width, COLUMNS)


def draw_distinct(seed: bytes, label: bytes, count: int, below: int) -> tuple[int, ...]:
    """`count` different whole numbers below `below`, in the order drawn; all of them if there are no more."""
    if below <= count:
        return tuple(range(below))
    limit, found, length = 2**32 - 2**32 % below, dict[int, None](), 4 * 8 * count
    while len(found) < count:  # a longer stream begins with the shorter one
        words = struct.unpack(f"<{length // 4}I", _stream(label, seed, length))
        found = dict.fromkeys(word % below for word in words if word < limit)
        length *= 2
    return tuple(found)[:count]


def check_product(a: Int8, b: Int8, columns: Int8, multiply: Multiply = multiply_exactly) -> Whole:
    """Y = A·(B·R), exactly (n × 8, int64): what C·R must be. Cost: n · n · 40 small multiplications."""
    inner = multiply(b, columns).astype(np.int32)
    # Signed digits to the base 256: adding 128 to each digit makes the bytes of the sum the digits, each 128 too large.
    digits = (inner.view(np.uint32) + _BIAS).astype("<u4").view(np.uint8) ^ np.uint8(128)
    spread = multiply(a, digits.view(np.int8).reshape(a.shape[0], 4 * COLUMNS))
    # Digits times powers stay below n · 127 · 128 · 2^25 < 2^53: exact in float64, whose product is the fast one.
    return (spread.astype(np.float64).reshape(-1, 4) @ _POWERS).astype(np.int64).reshape(a.shape[0], COLUMNS)


def columns_digest(y: Whole) -> bytes:
    """SHA-256 of Y as int64 little-endian, row by row."""
    return hashlib.sha256(np.ascontiguousarray(y, dtype="<i8").data).digest()


def apply_columns(rows: NDArray[np.int32], columns: Int8) -> Whole:
    """rows·R, exactly: |int32| · 127 · 16,384 stays below 2^53."""
    return (rows.astype(np.float64) @ columns.astype(np.float64)).astype(np.int64)


def row_leaf(product: int, row: int, data: bytes | memoryview) -> bytes:
    """SHA-256(0x00 ‖ uint32 product ‖ uint32 row ‖ the row as int32 little-endian)."""
    leaf = hashlib.sha256(struct.pack("<BII", 0, product, row))
    leaf.update(data)
    return leaf.digest()


def build_tree(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """Levels from the leaves up to the root; zero digests fill up to a power of two. Node: SHA-256(0x01 ‖ l ‖ r)."""
    level = [*leaves, *[bytes(32)] * ((1 << (len(leaves) - 1).bit_length()) - len(leaves))]
    levels = [level]
    while len(level) > 1:
        level = [_node(level[i], level[i + 1]) for i in range(0, len(level), 2)]
        levels.append(level)
    return levels


def tree_path(levels: Sequence[Sequence[bytes]], index: int) -> bytes:
    """The neighbours of a leaf from below, 32 bytes each."""
    return b"".join(level[index >> depth ^ 1] for depth, level in enumerate(levels[:-1]))


def climb(leaf: bytes, index: int, path: bytes) -> bytes:
    """The root to which this path leads."""
    found = leaf
    for at in range(0, len(path), 32):
        sibling = path[at : at + 32]
        found = _node(sibling, found) if index & 1 else _node(found, sibling)
        index >>= 1
    return found


def require_opening(opening: RowOpening, root: bytes, product: int, drawn: Sequence[int], columns: Int8,
                    y: Whole) -> None:
    """Raises ProviderFault, naming the check, unless the answer is exactly what the committed product gives.

    `y` is what `check_product` found for the true operands, `drawn` are the rows that randomness named.
    """
    width = y.shape[0]
    require_width(width)
    depth = width.bit_length() - 1
    for what, data, size in (("columns", opening.columns_digest, 32), ("rows", opening.rows, len(drawn) * width * 4),
                             ("paths", opening.paths, len(drawn) * depth * 32)):
        if len(data) != size:
            raise ProviderFault("opening_size", f"The {what} have {len(data)} bytes instead of {size}.")
    if opening.columns_digest != columns_digest(y):
        raise ProviderFault("freivalds", f"C·R of product {product} is not A·(B·R): the product is not exact.")
    view, step = memoryview(opening.rows), width * 4
    for i, row in enumerate(drawn):
        path = opening.paths[i * depth * 32 : (i + 1) * depth * 32]
        if climb(row_leaf(product, row, view[i * step : (i + 1) * step]), row, path) != root:
            raise ProviderFault("row_path", f"Row {row} of product {product} does not lie under its root.")
    rows = np.frombuffer(opening.rows, np.dtype("<i4")).reshape(len(drawn), width)
    wrong = (apply_columns(rows, columns) != y[list(drawn)]).any(axis=1)
    if wrong.any():
        row = drawn[int(np.argmax(wrong))]
        raise ProviderFault("row_product", f"Row {row} of product {product} is not a row of A·B "
                            f"({int(wrong.sum())} of {len(drawn)} rows are wrong).")


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _stream(label: bytes, seed: bytes, length: int) -> bytes:
    return hashlib.shake_256(b"malla/freivalds/1/" + label + b"/" + seed).digest(length)
