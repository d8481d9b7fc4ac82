"""Openings that a provider posts on-chain, where everybody can read them and each auditor can open its own.

One opening is the index of its entry (uint16, big-endian), the auditor's address (20 bytes) and the transcript sealed
to that auditor's key, one behind the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from eth_utils import to_canonical_address, to_checksum_address

from protocol.errors import Malformed
from protocol.units import Address

_BEFORE = 22


@dataclass(frozen=True)
class PostedOpening:
    index: int
    auditor: Address
    sealed: bytes


def pack_opening(opening: PostedOpening) -> bytes:
    """Raises Malformed on an index that no batch has."""
    if not 0 <= opening.index < 2**16:
        raise Malformed(f"A batch has no entry {opening.index}.")
    return opening.index.to_bytes(2, "big") + to_canonical_address(opening.auditor) + opening.sealed


def unpack_opening(data: bytes) -> PostedOpening:
    """Raises Malformed when there are no bytes behind the address."""
    if len(data) <= _BEFORE:
        raise Malformed(f"A posted opening has more than {_BEFORE} bytes, this one has {len(data)}.")
    return PostedOpening(int.from_bytes(data[:2], "big"), Address(to_checksum_address(data[2:_BEFORE])), data[_BEFORE:])
