"""Gas of sent transactions, and moments at which it does not depend on how fast the machine is."""

from __future__ import annotations

from typing import Any

from tests.contracts.expect import at, now
from tests.contracts.market import Market

Gas = dict[str, int]


def gas(steps: dict[str, Any]) -> Gas:
    """Gas of each sent transaction, refunds taken off; numbers are taken as they are."""
    return {name: sent if isinstance(sent, int) else int(sent.gas_used) for name, sent in steps.items()}


def begin_epoch(market: Market, after: int = 0) -> None:
    """Goes to the start of the next epoch of rewards, and past its first burn, which costs more than the others.

    The next one is that after `after`, if that is later than now.
    """
    length = market.plan.schedule.epoch_length
    started = int(market.contracts.Rewards.tx.timestamp)
    at(started + ((max(now(), after) - started) // length + 1) * length)
    market.settle(market.committed(), market.committed(provider=1))


def pass_second() -> None:
    """A mint or burn writes a new checkpoint of the supply once a second: the next one is in a second of its own."""
    at(now() + 10)
