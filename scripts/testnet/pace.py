"""How fast a local network goes: what a test need not wait for as long as people do."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.draw import REVEAL_WAIT


@dataclass(frozen=True)
class Pace:
    """Seconds."""

    block_time: float = 1
    audit_turn: int = 60
    """Before the next oracle takes over an audit."""
    reveal_wait: int = REVEAL_WAIT
    """After an epoch, before everything is drawn because a reveal is missing."""

    def environment(self) -> dict[str, str]:
        """What nodes of either side read of it."""
        return {"MALLA_AUDIT_TURN": str(self.audit_turn), "MALLA_REVEAL_WAIT": str(self.reveal_wait)}


TESTNET = Pace()
