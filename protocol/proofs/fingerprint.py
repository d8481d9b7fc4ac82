"""Fingerprints of hidden states: a promise, made before any draw, of what the model was doing at every token.

A row is a random projection of one token's last hidden state onto 16 directions of ±1 (activation DiFR,
arXiv 2511.20621; Johnson–Lindenstrauss). The directions follow from job, call and the requester's nonce, known when
generation starts. Rows are dealt into groups of at most 16 tokens; the root over the groups is in the leaf of every
call, and a later draw names the one group that is opened: 497 bytes at most for 2,048 tokens.

A row has 17 bytes: a scale s = 2^(e/8 − 16) as its exponent e, and 16 signed bytes in units of s/127. Every such string
is a number, so there is neither NaN nor infinity to send.
"""

from __future__ import annotations

import hashlib
import math

import numpy
from numpy.typing import NDArray

from protocol.encoding import keccak
from protocol.errors import ProviderFault
from protocol.proofs.merkle import HASH_BYTES, climb, path_length, path_of, root_of
from protocol.units import Digest

VERSION = 1
DIMENSIONS = 16
GROUP = 16
"""Tokens that are opened together, at most."""
ROW_BYTES = 1 + DIMENSIONS
LEVELS = 127
_TAG = b"malla/fingerprint/1"

Rows = NDArray[numpy.float64]


def seed_of(job_id: bytes, call: int, nonce: int) -> Digest:
    """What the directions of one call follow from: `nonce` is the requester's (`JobSpec.nonce`), `call` counts the
    calls of a session and is 0 for a job."""
    return keccak(_TAG + job_id + call.to_bytes(4, "big") + nonce.to_bytes(32, "big"))


def directions(seed: bytes, hidden: int) -> NDArray[numpy.int8]:
    """(16, hidden) numbers of ±1 out of SHAKE-256: bit i of the stream, lowest first, is the sign of number i."""
    stream = hashlib.shake_256(seed).digest((DIMENSIONS * hidden + 7) // 8)
    bits = numpy.unpackbits(numpy.frombuffer(stream, numpy.uint8), bitorder="little")[: DIMENSIONS * hidden]
    return (1 - 2 * bits.astype(numpy.int8)).reshape(DIMENSIONS, hidden)


def project(states: NDArray[numpy.float32], seed: bytes) -> Rows:
    """Projections (tokens, 16) of hidden states (tokens, hidden), divided by √hidden: as large as a state's numbers."""
    count = states.shape[1]
    return (states @ directions(seed, count).astype(numpy.float32).T).astype(numpy.float64) / math.sqrt(count)


def pack_rows(projections: Rows) -> bytes:
    """The rows' bytes. Errors: `ValueError` when a projection is not finite: the backend itself has failed."""
    if not bool(numpy.isfinite(projections).all()):
        raise ValueError("A hidden state is not finite; there is nothing to commit to.")
    largest = numpy.abs(projections).max(axis=1, initial=0.0)
    with numpy.errstate(divide="ignore"):
        exponents = numpy.ceil(8 * (numpy.log2(largest) + 16)).clip(0, 255)
    scales = 2.0 ** (exponents / 8 - 16)
    units = numpy.rint(projections / scales[:, None] * LEVELS).clip(-LEVELS, LEVELS).astype(numpy.int8)
    packed = numpy.concatenate([exponents.astype(numpy.uint8)[:, None], units.view(numpy.uint8)], axis=1)
    return packed.tobytes()


def groups(tokens: int) -> int:
    """Groups of an answer of so many tokens; group g holds the tokens g, g + groups, g + 2 · groups, …"""
    return -(-tokens // GROUP)


def positions(tokens: int, group: int) -> range:
    """The tokens of a group."""
    return range(group, tokens, groups(tokens))


def fingerprint_root(rows: bytes) -> Digest:
    """What the leaf holds: keccak(tag ‖ token count ‖ Merkle root over the groups). Errors: `ValueError` for no row."""
    parts = _dealt(rows)
    return _bound(len(rows) // ROW_BYTES, root_of(parts))


def open_group(rows: bytes, group: int) -> bytes:
    """The opening of one group: version, its rows in order, its path. Errors: `ValueError` for a group beyond."""
    parts = _dealt(rows)
    return bytes([VERSION]) + parts[group] + b"".join(path_of(parts, group))


def drawn_group(seed: bytes, index: int, tokens: int) -> int:
    """The group that the draw of a work batch names for its entry `index`."""
    return int.from_bytes(keccak(seed + b"fingerprint" + index.to_bytes(2, "big")), "big") % groups(tokens)


def read_opening(opening: bytes, root: bytes, tokens: int, group: int) -> tuple[Rows, Rows]:
    """Opened projections (opened tokens, 16) and the unit (opened tokens, 1) to which each was rounded.

    Errors: `ProviderFault` when the opening is not the one that was committed to.
    """
    if not 0 <= group < groups(tokens):
        raise ValueError(f"An answer of {tokens} tokens has no group {group}.")
    count = len(positions(tokens, group))
    path_bytes = HASH_BYTES * path_length(group, groups(tokens))
    expected = 1 + count * ROW_BYTES + path_bytes
    if len(opening) != expected:
        raise ProviderFault("fingerprint", f"The fingerprint's opening has {len(opening)} bytes instead of {expected}.")
    if opening[0] != VERSION:
        raise ProviderFault("fingerprint", f"The fingerprint's version is {opening[0]}; {VERSION} is known.")
    part, rest = opening[1 : 1 + count * ROW_BYTES], opening[1 + count * ROW_BYTES :]
    path = [rest[i : i + HASH_BYTES] for i in range(0, len(rest), HASH_BYTES)]
    found = climb(part, group, groups(tokens), path)
    if found is None or _bound(tokens, found) != root:
        raise ProviderFault("fingerprint", "The opened fingerprints are not the ones that were committed.")
    return _unpacked(part)


def distance(opened: Rows, units: Rows, own: Rows) -> float:
    """How far the opened rows lie from a verifier's own, relative to those: √(Σ (opened − own)² / Σ own²).

    Our numbers are rounded to the opened row's unit first: where nothing else differs the distance is 0. Errors:
    `ValueError` when our own rows are all zero or not finite.
    """
    size = float(numpy.square(own).sum())
    if not (math.isfinite(size) and size > 0):
        raise ValueError("The verifier's own hidden states are zero or not finite.")
    return math.sqrt(float(numpy.square(opened - numpy.rint(own / units) * units).sum()) / size)


def _unpacked(part: bytes) -> tuple[Rows, Rows]:
    table = numpy.frombuffer(part, numpy.uint8).reshape(-1, ROW_BYTES)
    units = table[:, 1:].view(numpy.int8).astype(numpy.float64)
    if bool((units < -LEVELS).any()):
        raise ProviderFault("fingerprint", "A fingerprint holds the number -128, which no row has.")
    unit = 2.0 ** (table[:, :1] / 8 - 16) / LEVELS
    return units * unit, unit


def _dealt(rows: bytes) -> list[bytes]:
    if not rows or len(rows) % ROW_BYTES:
        raise ValueError(f"{len(rows)} bytes are not whole rows of {ROW_BYTES}.")
    each = [rows[i : i + ROW_BYTES] for i in range(0, len(rows), ROW_BYTES)]
    return [b"".join(each[i] for i in positions(len(each), group)) for group in range(groups(len(each)))]


def _bound(tokens: int, root: bytes) -> Digest:
    return keccak(_TAG + tokens.to_bytes(4, "big") + root)
