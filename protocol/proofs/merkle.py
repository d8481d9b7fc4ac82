"""Merkle trees over byte strings: keccak, with leaves and nodes told apart (RFC 6962, section 2.1).

A node without a sibling moves up as it is, so that no leaf counts twice (CVE-2012-2459).
"""

from __future__ import annotations

from collections.abc import Sequence

from protocol.encoding import keccak
from protocol.units import Digest

HASH_BYTES = 32


def root_of(leaves: Sequence[bytes]) -> Digest:
    """Root of at least one leaf. Errors: `ValueError` for none."""
    if not leaves:
        raise ValueError("A tree needs a leaf.")
    level = [_leaf(leaf) for leaf in leaves]
    while len(level) > 1:
        level = _above(level)
    return level[0]


def path_of(leaves: Sequence[bytes], place: int) -> tuple[Digest, ...]:
    """The siblings that lead from a leaf to the root, lowest first. Errors: `ValueError` outside the tree."""
    if not 0 <= place < len(leaves):
        raise ValueError(f"There is no leaf {place} among {len(leaves)}.")
    level, path = [_leaf(leaf) for leaf in leaves], []
    while len(level) > 1:
        if place ^ 1 < len(level):
            path.append(level[place ^ 1])
        level, place = _above(level), place // 2
    return tuple(path)


def climb(leaf: bytes, place: int, count: int, path: Sequence[bytes]) -> Digest | None:
    """The root that a leaf and its path lead to in a tree of `count` leaves; None if the path has a wrong length."""
    if not 0 <= place < count or len(path) != path_length(place, count):
        return None
    node, rest = _leaf(leaf), list(path)
    while count > 1:
        if place ^ 1 < count:
            sibling = rest.pop(0)
            node = _node(sibling, node) if place & 1 else _node(node, sibling)
        place, count = place // 2, (count + 1) // 2
    return node


def path_length(place: int, count: int) -> int:
    """Siblings on the way from a leaf to the root of a tree of `count` leaves."""
    length = 0
    while count > 1:
        length += place ^ 1 < count
        place, count = place // 2, (count + 1) // 2
    return length


def _leaf(leaf: bytes) -> Digest:
    return keccak(b"\x00" + leaf)


def _node(left: bytes, right: bytes) -> Digest:
    return keccak(b"\x01" + left + right)


def _above(level: Sequence[Digest]) -> list[Digest]:
    pairs = [_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    return pairs + ([level[-1]] if len(level) % 2 else [])
