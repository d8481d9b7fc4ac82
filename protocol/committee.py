"""Arithmetic of a committee of n oracles of which f may fail in any way (twin of OracleCommittee)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

PROPOSER_BLOCKS = 4
"""Blocks for which one oracle is the proposer of settlements."""


def faults(members: int) -> int:
    """f = ⌊(n − 1) / 3⌋, the largest with 3f < n."""
    return (members - 1) // 3 if members > 0 else 0


def quorum(members: int) -> int:
    """q = ⌊(n + f) / 2⌋ + 1: two quorums share an honest oracle (Byzantine quorum, as in libocr's byzquorum)."""
    return (members + faults(members)) // 2 + 1


def proposer(block: int, set_version: int, members: list[str]) -> str:
    """Who proposes settlements at this block; a silent proposer is passed over after PROPOSER_BLOCKS blocks."""
    return members[(block // PROPOSER_BLOCKS + set_version) % len(members)]


def seats_bitmap(accounts: Iterable[str], seats: Sequence[str]) -> int:
    """Bit i is set if the account of seat i is among `accounts`; an account without a seat sets none."""
    named = {account.lower() for account in accounts}
    return sum(1 << bit for bit, account in enumerate(seats) if account.lower() in named)
