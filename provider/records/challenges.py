"""One GPU challenge as the journal keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from protocol.challenge import DeviceClaim, SignedCommitment
from protocol.units import Digest


class ChallengeStage(StrEnum):
    WANTED = "WANTED"
    """The worker is to compute the products."""
    COMPUTED = "COMPUTED"
    COMMITTED = "COMMITTED"
    """Signed; the oracles are getting it."""
    DRAWN = "DRAWN"
    """The worker is to open what was drawn."""
    OPENED = "OPENED"
    DONE = "DONE"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True)
class ChallengeRow:
    """`seed` is that of the operands, `draw` the opening's randomness; `roots` and `opening` are the worker's, 32 bytes
    a product and the packed opening. `taken` lists the oracles that have what is being sent, `touched_at` is when the
    worker was told or an oracle was silent."""

    window: int
    window_hash: Digest
    seed: Digest
    stage: ChallengeStage
    note: str = ""
    claim: DeviceClaim | None = None
    roots: bytes = b""
    signed: SignedCommitment | None = None
    draw: bytes = b""
    opening: bytes = b""
    touched_at: float = 0.0
    taken: tuple[str, ...] = ()

    @property
    def product_roots(self) -> tuple[bytes, ...]:
        return tuple(self.roots[at : at + 32] for at in range(0, len(self.roots), 32))
