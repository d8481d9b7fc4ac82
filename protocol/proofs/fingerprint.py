"""Fingerprints of hidden states: a promise, made before any draw, of what the model was doing at every token.

A token's last hidden state is divided by its root mean square, its outlier channels are cut off at ±1, and what is left
is projected onto 34 directions of ±1 (activation DiFR, arXiv 2511.20621; Johnson–Lindenstrauss). The directions follow
from job, call and the requester's nonce, known when generation starts. A projection is sent in units of 0.012 and only
modulo 16: a verifier knows the rest from its own replay, so four bits carry a difference of a hundredth (as TOPLOC's
modulus does for indices, arXiv 2501.16007). A row has 17 bytes, and every 17 bytes are a row: there is neither NaN nor
infinity to send.

Rows are dealt into groups of at most 16 tokens; the root over the groups is in the leaf of every call, and a later draw
names the one group that is opened: 497 bytes at most for 2,048 tokens.
"""

from __future__ import annotations

import hashlib
import math

import numpy
from numpy.typing import NDArray

from protocol.encoding import keccak, pack_unit
from protocol.errors import ProviderFault
from protocol.proofs.merkle import HASH_BYTES, climb, path_length, path_of, root_of
from protocol.units import Digest

VERSION = 1
DIMENSIONS = 34
GROUP = 16
"""Tokens that are opened together, at most."""
UNIT = 0.012
PERIOD = 16
"""Units after which a number repeats: four bits."""
ROW_BYTES = DIMENSIONS // 2
KEPT = 0.75
"""Share of the opened tokens, the nearest ones, whose distances are averaged: honest outliers are single tokens."""
_TAG = b"malla/fingerprint/1"

Rows = NDArray[numpy.float64]


def seed_of(job_id: bytes, call: int, nonce: int) -> Digest:
    """What the directions of one call follow from: `nonce` is the requester's (`JobSpec.nonce`), `call` counts the
    calls of a session and is 0 for a job."""
    return keccak(_TAG + job_id + call.to_bytes(4, "big") + nonce.to_bytes(32, "big"))


def directions(seed: bytes, hidden: int) -> NDArray[numpy.int8]:
    """(34, hidden) numbers of ±1 out of SHAKE-256: bit i of the stream, lowest first, is the sign of number i."""
    stream = hashlib.shake_256(seed).digest((DIMENSIONS * hidden + 7) // 8)
    bits = numpy.unpackbits(numpy.frombuffer(stream, numpy.uint8), bitorder="little")[: DIMENSIONS * hidden]
    return (1 - 2 * bits.astype(numpy.int8)).reshape(DIMENSIONS, hidden)


def project(states: NDArray[numpy.float32], seed: bytes) -> Rows:
    """Projections (tokens, 34) of final hidden states (tokens, hidden), divided by √hidden: numbers around ±1.

    Errors: `ValueError` when a state is zero or not finite: whoever computed it has failed.
    """
    wide = states.astype(numpy.float64)
    size = numpy.sqrt(numpy.square(wide).mean(axis=1, keepdims=True))
    if not bool((numpy.isfinite(size) & (size > 0)).all()):
        raise ValueError("A hidden state is zero or not finite; there is nothing to commit to.")
    # Few channels hold most of a state's energy and none of what tells two computations apart.
    cut = (wide / size).clip(-1.0, 1.0)
    return cut @ directions(seed, states.shape[1]).astype(numpy.float64).T / math.sqrt(states.shape[1])


def pack_rows(projections: Rows) -> bytes:
    """The rows' bytes: two numbers a byte, the first in the low half."""
    units = numpy.rint(projections / UNIT).astype(numpy.int64) % PERIOD
    return (units[:, 0::2] | units[:, 1::2] << 4).astype(numpy.uint8).tobytes()


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


def drawn_group(seed: bytes, unit: int, tokens: int) -> int:
    """The group that the draw of a work batch names for its audited unit: an entry's index, or a call's number."""
    return int.from_bytes(keccak(seed + b"fingerprint" + pack_unit(unit)), "big") % groups(tokens)


def read_opening(opening: bytes, root: bytes, tokens: int, group: int) -> tuple[Rows, Rows]:
    """Opened numbers (opened tokens, 34), each known up to multiples of 16 units, and the unit (opened tokens, 1).

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
    """How far opened rows lie from a verifier's own projections: the mean over the nearest three quarters of the tokens
    (rounded up) of each one's root mean square difference, the shorter way round.

    Our numbers are rounded to the unit first: where nothing else differs the distance is 0. A token that has nothing to
    do with ours is 4.6 units off, on average.
    """
    apart = numpy.rint(opened / units) - numpy.rint(own / units)
    wrapped = (apart + PERIOD // 2) % PERIOD - PERIOD // 2
    return nearest_mean(numpy.sqrt(numpy.square(wrapped * units).mean(axis=1)))


def spread(one: Rows, other: Rows) -> float:
    """The same of two runs whose projections are both known in full, nothing rounded."""
    return nearest_mean(numpy.sqrt(numpy.square(one - other).mean(axis=1)))


def nearest_mean(distances: NDArray[numpy.float64]) -> float:
    """Mean of the smallest three quarters, their number rounded up."""
    kept = numpy.sort(distances)[: math.ceil(KEPT * len(distances))]
    return math.fsum(kept.tolist()) / len(kept)


def _unpacked(part: bytes) -> tuple[Rows, Rows]:
    table = numpy.frombuffer(part, numpy.uint8).reshape(-1, ROW_BYTES)
    units = numpy.stack([table & 15, table >> 4], axis=2).reshape(len(table), DIMENSIONS)
    return units * UNIT, numpy.full((len(table), 1), UNIT)


def _dealt(rows: bytes) -> list[bytes]:
    if not rows or len(rows) % ROW_BYTES:
        raise ValueError(f"{len(rows)} bytes are not whole rows of {ROW_BYTES}.")
    each = [rows[i : i + ROW_BYTES] for i in range(0, len(rows), ROW_BYTES)]
    return [b"".join(each[i] for i in positions(len(each), group)) for group in range(groups(len(each)))]


def _bound(tokens: int, root: bytes) -> Digest:
    return keccak(_TAG + tokens.to_bytes(4, "big") + root)
