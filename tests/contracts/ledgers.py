"""What the rewards contract must have written down, kept in Python by the formulas of `protocol/rewards.py`."""

from __future__ import annotations

from dataclasses import dataclass, field

from brownie import chain

from protocol.rewards import budget, promised, reward, scheduled
from scripts.parameters import Schedule
from tests.contracts.expect import at, now
from tests.contracts.market import Market


def pass_epochs(market: Market, count: int) -> None:
    """Moves the chain's time on by whole epochs of rewards."""
    at(now() + count * market.rewards.epochLength())
    chain.mine()


@dataclass
class EpochRecord:
    budget: int
    beta_bps: int
    burned: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.burned.values())


@dataclass
class RewardLedger:
    """Every epoch with a burn, and what was paid to whom."""

    schedule: Schedule
    beta_bps: int
    epochs: dict[int, EpochRecord] = field(default_factory=dict)
    paid: dict[str, int] = field(default_factory=dict)

    def accrue(self, epoch: int, provider: str, burned: int) -> None:
        if epoch not in self.epochs:
            wei = scheduled(self.schedule.first_budget, self.schedule.halving_epochs, epoch)
            aside = sum(promised(past.budget, past.total, past.beta_bps) for past in self.epochs.values())
            self.epochs[epoch] = EpochRecord(budget(wei, self.schedule.hard_cap, aside), self.beta_bps)
        record = self.epochs[epoch]
        record.burned[provider] = record.burned.get(provider, 0) + burned

    def due(self, epoch: int, provider: str) -> int:
        """Wei that a claim pays in this epoch."""
        earned = sum(
            reward(record.burned.get(provider, 0), record.total, record.budget, record.beta_bps)
            for past, record in self.epochs.items()
            if past < epoch
        )
        return earned - self.paid.get(provider, 0)

    def pay(self, epoch: int, provider: str) -> int:
        amount = self.due(epoch, provider)
        self.paid[provider] = self.paid.get(provider, 0) + amount
        return amount
