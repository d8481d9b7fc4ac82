"""The operands of a GPU challenge: int8 matrices that every machine derives alike from a seed, by integers alone.

Four neighbouring bytes are one 32-bit word w of a counter, row by row, little-endian. With three keys of the operand
(k0 any, k1 and k2 odd), all arithmetic modulo 2^32, shifts without sign:

    x = w · 0x9E3779B1 + k0;  x ^= x >> 16;  x *= k1;  x ^= x >> 13;  x *= k2;  x ^= x >> 16

A byte is a signed number; −128 becomes −127, so that every value lies in −127 … 127. The keys are the first twelve
bytes of SHA-256("malla/operand/1" ‖ seed ‖ side ‖ uint32 number), each a little-endian word. The multipliers belong to
the operand: were they constants, every operand would be a window of one and the same sequence, and windows overlap.
"""

from __future__ import annotations

import hashlib
import struct
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from protocol.errors import BadInput

Int8: TypeAlias = NDArray[np.int8]

STRIDE = 0x9E3779B1
MASK = 0xFFFFFFFF
SHIFTS = (16, 13, 16)
CHUNK = 1 << 15
"""Words that are mixed at once: they stay in a core's cache, which makes it several times as fast."""
LEAST_WIDTH, MOST_WIDTH = 256, 16_384
"""Widths are powers of two. Up to the most, n · 127² fits an int32 and n · 2^31 · 127 a float64."""


def operand_keys(seed: bytes, side: bytes, number: int) -> tuple[int, int, int]:
    """(k0, k1, k2) of operand `number` on a side, b"A" or b"B"; k1 and k2 are odd."""
    digest = hashlib.sha256(b"malla/operand/1" + seed + side + struct.pack("<I", number)).digest()
    k0, k1, k2 = struct.unpack("<3I", digest[:12])
    return k0, k1 | 1, k2 | 1


def derive_operand(seed: bytes, side: bytes, number: int, width: int) -> Int8:
    """The whole operand, width × width. About 1 GiB/s on one core. Raises BadInput on a width that is none."""
    require_width(width)
    k0, k1, k2 = operand_keys(seed, side, number)
    words = np.empty(width * width // 4, np.dtype("<u4"))
    chunk = min(CHUNK, words.size)
    base = np.arange(chunk, dtype=np.uint32) * np.uint32(STRIDE)
    spare = np.empty(chunk, np.uint32)
    for start in range(0, words.size, chunk):
        x = words[start : start + chunk]
        np.add(base, np.uint32((start * STRIDE + k0) & MASK), out=x)
        _fold(x, spare, SHIFTS[0])
        np.multiply(x, np.uint32(k1), out=x)
        _fold(x, spare, SHIFTS[1])
        np.multiply(x, np.uint32(k2), out=x)
        _fold(x, spare, SHIFTS[2])
        signed = x.view(np.int8)
        np.maximum(signed, np.int8(-127), out=signed)
    return words.view(np.int8).reshape(width, width)


def require_width(width: int) -> None:
    """Raises BadInput unless it is a power of two from LEAST_WIDTH to MOST_WIDTH."""
    if not LEAST_WIDTH <= width <= MOST_WIDTH or width & (width - 1):
        raise BadInput(f"The width of a product is {width}.", f"Use a power of two from {LEAST_WIDTH} to {MOST_WIDTH}.")


def _fold(x: NDArray[np.uint32], spare: NDArray[np.uint32], shift: int) -> None:
    np.right_shift(x, np.uint32(shift), out=spare)
    np.bitwise_xor(x, spare, out=x)
