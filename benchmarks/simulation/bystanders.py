"""Those who do not cheat at the work: wash traders, griefers, lazy oracles, a captured quorum. Exact, in wei.

Each figure is what the attack earns. Nothing here needs a step by step world: a wash trader's epoch is one sum, and
what a griefer loses is a fee or a bond that the contracts name.
"""

from __future__ import annotations

import random
import statistics
from dataclasses import dataclass

from benchmarks.simulation.cells import Claim, Row, Z
from benchmarks.simulation.market import COST_BPS, GWEI, PRICE
from protocol.economics import coverage, fee
from protocol.rewards import promised, reward
from protocol.units import BPS_ONE, TOKEN, bps_down
from scripts.parameters import PROFILES, Profile

EPOCHS = 100_000
QUORUM, SEATS = 3, 4


@dataclass(frozen=True)
class Epoch:
    """One epoch of a coalition that hires itself: budget and β, what the honest burn, and what each of its identities
    burns, wei. It owns the oracles too, so that only what is burned is gone."""

    budget: int
    beta_bps: int
    honest: int
    burns: tuple[int, ...]
    open_fees: int

    @property
    def total(self) -> int:
        return self.honest + sum(self.burns)

    @property
    def spent(self) -> int:
        return sum(self.burns) + self.open_fees


def draw_epoch(chance: random.Random, profile: Profile) -> Epoch:
    """Jobs and prices of the coalition's choice, from one to ten thousand jobs and from a gwei to a thousand tokens."""
    jobs = tuple(int(10 ** (4 * chance.random())) for _ in range(1 + int(chance.random() * 3)))
    burns = tuple(fee(count * int(10 ** (9 + 12 * chance.random())), profile.terms.fee_bps) for count in jobs)
    honest = int(10 ** (18 + 5 * chance.random())) if chance.random() < 0.9 else 0
    budget = profile.schedule.first_budget >> int(chance.random() * 10)
    return Epoch(budget, int(chance.random() * 9_001), honest, burns, sum(jobs) * profile.terms.open_fee)


def capped_profit(epoch: Epoch) -> int:
    """Under the rule of `Rewards`: min(E · w / W, β · w) for each identity's own burn w."""
    earned = sum(reward(burn, epoch.total, epoch.budget, epoch.beta_bps) for burn in epoch.burns)
    return earned - epoch.spent


def uncapped_profit(epoch: Epoch) -> int:
    """Without the cap on one's own burn: the epoch's budget is shared out by burn."""
    return sum(epoch.budget * burn // epoch.total for burn in epoch.burns if burn) - epoch.spent


def aggregate_profit(epoch: Epoch, share: float) -> int:
    """With a cap on the sum only, min(E, β · W), shared out by units of work whose prices the coalition names."""
    pot = promised(epoch.budget, epoch.total, epoch.beta_bps)
    return int(pot * share) - epoch.spent


def wash_rows(epochs: int = EPOCHS, seed: int = 7) -> list[Row]:
    """Profit for each token that the coalition spends. `high` of the claim is the best epoch of all, `low` of a control
    the share by which winning epochs win at least."""
    profile = PROFILES["test"]
    chance = random.Random(seed)
    drawn = [draw_epoch(chance, profile) for _ in range(epochs)]
    capped = [capped_profit(epoch) / epoch.spent for epoch in drawn]
    best = max(capped)
    rows = [_row("wash traders", "hires itself for the reward", Claim.LOSES, epochs, statistics.fmean(capped),
                 min(capped), best, "of what it spends; high: best epoch")]
    shares = [chance.random() for _ in drawn]
    for name, profits in (
        ("no cap on one's own burn", [uncapped_profit(epoch) / epoch.spent for epoch in drawn]),
        ("a cap on the sum only", [aggregate_profit(e, s) / e.spent for e, s in zip(drawn, shares, strict=True)]),
    ):
        mean = statistics.fmean(profits)
        margin = Z * statistics.stdev(profits) / epochs**0.5
        rows.append(_row(f"control: {name}", "hires itself for the reward", Claim.WINS, epochs, mean, mean - margin,
                         mean + margin, "of what it spends"))
    return rows


def griefer_rows(profile: Profile) -> list[Row]:
    """What each kind of spite costs the one who does it, wei as tokens."""
    terms, court = profile.terms, profile.court
    costs = (
        ("opens a job and never sends the prompt", terms.open_fee, "tokens a job"),
        ("opens a job and cancels it", terms.open_fee, "tokens a job"),
        ("disputes an honest entry", court.dispute_bond, "tokens a dispute"),
        ("guilty, appeals all the same", court.appeal_bond, "tokens an appeal"),
    )
    return [_row("griefers", name, Claim.LOSES, 1, -cost / TOKEN, -cost / TOKEN, -cost / TOKEN, unit)
            for name, cost, unit in costs]


def rival_rows(profile: Profile) -> list[Row]:
    """A provider that fills a rival's reserve with jobs whose prompts it never sends, and serves the requesters whom
    the rival has to turn away. Each place costs an open fee and is blocked for half a start window: longer than a short
    job takes. The fee does not grow with the price that it blocks."""
    margin = PRICE * (BPS_ONE - profile.terms.fee_bps - COST_BPS) // BPS_ONE
    value = (margin - profile.terms.open_fee // GWEI) / PRICE
    return [_row("limit: griefers", "occupies a rival and takes its jobs over", Claim.WINS, 1, value, value, value,
                 "of a job's price, a job")]


def captured_quorum_rows(profile: Profile) -> list[Row]:
    """Oracles of a quorum that take whatever is in their reach: all exposed money, which they let their own providers
    keep, and the challengers' shares of all that one epoch may slash. If their stakes are lost for it, they lose."""
    terms = profile.terms
    staked = QUORUM * profile.seat_stake
    awards = bps_down(terms.slash_ceiling, terms.challenger_bps)
    exposed = coverage(QUORUM, profile.seat_stake, terms.challenger_bps, terms.slash_ceiling)
    rows = []
    for group, reach, claim in (
        ("captured quorum", exposed, Claim.LOSES),
        ("control: no cap on the value at risk", 4 * exposed, Claim.WINS),
    ):
        value = (reach + awards - staked) / staked
        rows.append(_row(group, "takes everything in reach", claim, 1, value, value, value, "of its stake"))
    return rows


def lazy_oracle_rows(cost: float = 0.9, planted: float = 0.02, audits: int = 100) -> list[Row]:
    """An oracle that passes unread, per audit and in audit fees: it saves `cost`, and a planted fault that it passes
    loses it the fees of an epoch of `audits` audits. Fees are worth the work when planted · audits > cost."""
    rows = []
    for group, chance, claim in (
        ("lazy oracles", planted, Claim.LOSES),
        ("control: no planted faults", 0.0, Claim.WINS),
    ):
        value = cost - chance * audits
        rows.append(_row(group, "passes unread", claim, 1, value, value, value, "audit fees an audit"))
    return rows


def rows(epochs: int = EPOCHS) -> list[Row]:
    profile = PROFILES["test"]
    return [*wash_rows(epochs), *griefer_rows(profile), *rival_rows(profile), *lazy_oracle_rows(),
            *captured_quorum_rows(profile)]


def _row(group: str, name: str, claim: Claim, count: int, gain: float, low: float, high: float, unit: str) -> Row:
    return Row(group, name, "", claim.value, count, count, gain, low, high, gain, 0.0, 0, 0, unit)


