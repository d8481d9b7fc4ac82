"""Hiring oneself for the reward: a million random coalitions, none of which profits.

A coalition owns requesters, providers and every oracle that it can: what it pays itself comes back to it, audit and
submit fees included, and only what is burned is gone. It sets its own prices, so it chooses its burn to the wei, and
splits it over as many identities as it likes. The same draws under an aggregate cap, where an epoch's reward is at most
β times everybody's burn but is shared out by self-priced units, show that the test can see a profit.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from protocol.economics import fee
from protocol.rewards import promised, reward

DRAWS = 1_000_000
TOKEN = 10**18


@dataclass(frozen=True)
class Draw:
    """One epoch: budget and β, what the honest burned, and what each identity of the coalition burns (wei)."""

    budget: int
    beta_bps: int
    honest: int
    burns: tuple[int, ...]

    @property
    def total(self) -> int:
        return self.honest + sum(self.burns)


def any_size(chance: random.Random, most_bits: int) -> int:
    return chance.getrandbits(1 + int(chance.random() * most_bits))


def draw(chance: random.Random) -> Draw:
    fee_bps = 1 + int(chance.random() * 2_000)
    identities = 1 + int(chance.random() * 3)
    if chance.random() < 0.1:
        burns = (1,) * identities  # a wei each: rounding is all there is to win
    else:
        burns = tuple(fee(any_size(chance, 86), fee_bps) for _ in range(identities))
    honest = any_size(chance, 88) if chance.random() < 0.9 else 0
    return Draw(any_size(chance, 86), int(chance.random() * 9_001), honest, burns)


def profit(epoch: Draw) -> int:
    """Wei that the coalition wins or, below zero, loses."""
    total = epoch.total
    earned = sum(reward(burn, total, epoch.budget, epoch.beta_bps) for burn in epoch.burns)
    return earned - sum(epoch.burns)


def profit_under_an_aggregate_cap(epoch: Draw, units: int, honest_units: int) -> int:
    """The rule that we did not take: the epoch pays min(E, β · W) in all, by units that each provider prices itself."""
    pot = promised(epoch.budget, epoch.total, epoch.beta_bps)
    return pot * units // (units + honest_units) - sum(epoch.burns)


def test_wash_jobs__over_a_million_coalitions__never_profit() -> None:
    """R60: rewards never reach what was burned for them."""
    chance = random.Random(1)
    best = max(profit(draw(chance)) for _ in range(DRAWS))
    assert best <= 0


def test_wash_jobs__that_burn_anything__lose_a_tenth_at_least() -> None:
    """R60: with β at its highest the coalition still loses a tenth of its burn."""
    chance = random.Random(2)
    for _ in range(100_000):
        epoch = draw(chance)
        assert profit(epoch) * 10 <= -sum(epoch.burns)


def test_wash_jobs__split_over_identities__earn_no_more() -> None:
    """R60: splitting a burn never raises the reward."""
    chance = random.Random(3)
    for _ in range(100_000):
        epoch = draw(chance)
        whole = reward(sum(epoch.burns), epoch.total, epoch.budget, epoch.beta_bps) if epoch.total else 0
        assert sum(reward(burn, epoch.total, epoch.budget, epoch.beta_bps) for burn in epoch.burns) <= whole


def test_wash_jobs__under_an_aggregate_cap__would_profit() -> None:
    """The control: with units priced by the provider itself, many of the same draws win."""
    chance = random.Random(4)
    draws = 100_000
    winners = 0
    for _ in range(draws):
        units, honest_units = any_size(chance, 40), any_size(chance, 40)
        winners += profit_under_an_aggregate_cap(draw(chance), units + 1, honest_units) > 0
    assert winners > draws // 100
