"""A GPU challenge's row, and what may be said of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from protocol.challenge import SignedCommitment
from protocol.units import Digest


class ChallengeState(IntEnum):
    COMMITTED = 1
    OPENED = 2
    PASSED = 3
    FAILED = 4


@dataclass(frozen=True)
class ChallengeRow:
    """`digest` is the commitment's, `arrived_at` the block time at which it came, `seconds` that less the window's."""

    digest: Digest
    signed: SignedCommitment
    arrived_at: int
    seconds: int
    state: ChallengeState
    reason: str = ""
