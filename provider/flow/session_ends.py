"""The end of sessions: calls that nobody runs any more fail, and what is over is closed once all of it is claimed."""

from __future__ import annotations

from dataclasses import dataclass

from provider.ports.sessions import Claims, Sessions
from provider.ports.work import Chain, Clock, Log, Sender


@dataclass(frozen=True)
class Ending:
    sessions: Sessions
    claims: Claims
    chain: Chain
    sender: Sender
    clock: Clock
    log: Log


def end_sessions(ending: Ending) -> int:
    """Fail lost calls, and close what is over with nothing left to claim. Returns how many sessions were closed."""
    lost = ending.sessions.fail_lost(ending.clock())
    if lost:
        ending.log("calls_lost", calls=lost)
    over = ending.claims.over_sessions(ending.chain.head().timestamp)
    for one in over:
        # Whoever else closes it, its requester gets back what no voucher claims; ours are all committed.
        ending.sender.close_session(f"close/{one.session_id.hex()}", one.session)
        ending.claims.mark_close_sent(one.session_id)
        ending.log("session_closed", session_id=one.session_id.hex())
    return len(over)
