"""Forgetting what was said: prompts, answers and keys go once nobody can ask for them, lines and figures stay.

Of what was committed somebody may ask until its batch is decided and no stake can be slashed for it any more; the chain
holds every stake that long (`Staking.unstakeDelay`), appeals and disputes included.
"""

from __future__ import annotations

from dataclasses import dataclass

from provider.ports.sessions import Said
from provider.ports.work import Chain, Log

EVERY_SECONDS = 60.0


@dataclass(frozen=True)
class Forgetting:
    said: Said
    chain: Chain
    log: Log


def forget_said(forgetting: Forgetting) -> int:
    """Delete what nobody can ask for any more. Returns of how many calls and jobs."""
    decided = forgetting.chain.head().timestamp - forgetting.chain.unstake_delay()
    gone = forgetting.said.forget(decided)
    if gone:
        forgetting.log("forgotten", calls_and_jobs=gone)
    return gone
