"""The table: every cell is one strategy in one market, and what is claimed of it.

`LOSES`: the strategy earns less than honest work, with all of the interval below zero. `WINS` marks a control: a bound
is taken away or not reckoned with, and the same strategy must earn more, or the simulation could not see a profit. It
marks limits as well: what earns more as things are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from benchmarks.simulation.agents import Strategy
from benchmarks.simulation.market import INT4, INT8, NO_WORK, PRICE, Cheat, Market
from benchmarks.simulation.scoring import AS_BUILT, ONE_BET
from benchmarks.simulation.world import Rules, gain

Z = 2.576
"""Normal quantile of the 99 % interval; providers are independent, so the figure of each is one sample."""
RATES = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0)
JOBS = 500
"""Served by each provider of a cell."""

BOUNDS = Market()
REACHED = BOUNDS.without(floor_bps=3_000)
"""The floor with 30 % of the auditors reckoned as blind: detection = 0.3 · 0.25 · 0.7 = 5.25 % again."""
DEAR = BOUNDS.without(terms=replace(BOUNDS.terms, challenger_bps=3_000))
"""The largest challenger's share that terms allow."""
BY_AUDIT = Rules()
PAID = Rules(AS_BUILT)
DISPUTED = Rules(AS_BUILT, finding_costs=2.0)
"""Requesters dispute what the oracles found: amount and penalty come out of the stake (R74)."""


class Claim(Enum):
    LOSES = "loses"
    WINS = "wins"


@dataclass(frozen=True)
class Cell:
    group: str
    agent: Strategy
    claim: Claim = Claim.LOSES
    market: Market = BOUNDS
    rules: Rules = BY_AUDIT
    jobs: int = JOBS
    providers: int = 2_000


@dataclass(frozen=True)
class Row:
    """`gain`, `low` and `high` are what the strategy earns more than honest work, in `unit`."""

    group: str
    strategy: str
    cheat: str
    claim: str
    jobs: int
    providers: int
    gain: float
    low: float
    high: float
    profit: float
    cheated: float
    convictions: int
    identities: int
    unit: str = "of a job's price, a job"

    @property
    def is_limit(self) -> bool:
        return self.group.startswith("limit")

    @property
    def holds(self) -> bool:
        return self.high < 0 if self.claim == Claim.LOSES.value else self.low > 0


def run(cell: Cell, seed: int) -> Row:
    played, gains = gain(cell.market, cell.agent, cell.jobs, cell.providers, seed, cell.rules)
    mean, margin = float(gains.mean()), Z * float(gains.std(ddof=1)) / math.sqrt(len(gains))
    total = cell.jobs * cell.providers
    return Row(
        cell.group, cell.agent.name, cell.agent.cheat.name, cell.claim.value, total, cell.providers, mean,
        mean - margin, mean + margin, float(np.mean(played.profit)) / (cell.jobs * PRICE),
        float(played.cheated.sum()) / total, int(played.convictions.sum()), int(played.identities.sum()),
    )  # fmt: skip


def table(scale: float = 1.0) -> list[Cell]:
    """All cells; `scale` multiplies the number of providers, so that tests can look at a small table."""
    cells = [*_rates(), *_bursts(), *_resets(), *_auditors(), *_scored(), *_controls(), *_limits()]
    return [replace(cell, providers=max(50, int(cell.providers * scale))) for cell in cells]


def _rates() -> list[Cell]:
    """A friend disputes in time: what a slash burns is λ(1 − κ) of the stake, as the bound reckons."""
    cells = []
    for cheat in (INT4, INT8, NO_WORK):
        for rate in RATES:
            agent = Strategy(f"cheats {rate:.0%}", cheat, rate, has_challenger=True)
            many = 20 if cheat is NO_WORK and rate == 0.01 else 4 if rate <= 0.05 else 1
            cells.append(Cell("rates", agent, providers=2_000 * many))
    return cells


def _burst(after: int, size: int, cheat: Cheat = NO_WORK, name: str = "", **more: object) -> Strategy:
    """Everything that it cheats is committed before the first of it is audited, and then it leaves."""
    agent = Strategy(name or f"burst of {size} after {after}", cheat, 1.0, clean_for=after, lives_for=after + size,
                     lag=size, has_challenger=True)
    return replace(agent, **more)  # type: ignore[arg-type]


def _bursts() -> list[Cell]:
    cells = []
    for after in (50, 400):
        for size in (1, 10, 100):
            lives = 10 if after == 50 else 4
            many = 12 if size == 1 else 4 if size == 10 else 2
            cells.append(Cell("bursts", _burst(after, size), jobs=(after + size) * lives, providers=500 * many))
    many_at_once = Strategy("one batch of 100", NO_WORK, 1.0, batch=100, has_challenger=True)
    return [*cells, Cell("bursts", many_at_once, jobs=5_000, providers=200)]


def _resets() -> list[Cell]:
    cells = []
    for cheat in (INT8, NO_WORK):
        for rate in (0.1, 1.0):
            renewed = Strategy(f"new identity when convicted, cheats {rate:.0%}", cheat, rate, starts_new=True,
                               renews_when_convicted=True)
            cells.append(Cell("resets", renewed, providers=2_000 if rate == 1.0 else 4_000))
        for lives in (3, 20, 100):
            left = Strategy(f"new identity every {lives} jobs, cheats 100%", cheat, 1.0, lives_for=lives,
                            starts_new=True)
            cells.append(Cell("resets", left, jobs=JOBS - JOBS % lives))
        aged = Strategy("hires itself for a lower rate, then cheats", cheat, 1.0, lives_for=50, ages_by=2.0,
                        starts_new=True, renews_when_convicted=True)
        cells.append(Cell("resets", aged))
    return cells


def _auditors() -> list[Cell]:
    """30 % of the auditors collude, or are too lazy to look: for a provider the same. Both with two auditors."""
    cells = []
    for cheat in (INT4, INT8, NO_WORK):
        for rate in (0.1, 1.0):
            agent = Strategy(f"30 % collude, cheats {rate:.0%}", cheat, rate, colluding=0.3, has_challenger=True)
            cells.append(Cell("auditors", agent, market=REACHED, providers=8_000 if rate < 1 else 4_000))
    lazy = Strategy("30 % lazy, cheats 100%", NO_WORK, 1.0, lazy=0.3, has_challenger=True)
    both = Strategy("30 % collude and 30 % lazy, two auditors", NO_WORK, 1.0, colluding=0.3, lazy=0.3,
                    has_challenger=True)
    chained = _burst(50, 10, name="30 % collude, burst of 10 after 50, new identity", colluding=0.3,
                     renews_when_convicted=True)
    renewed = Strategy("30 % collude, new identity every 20 jobs", INT8, 1.0, lives_for=20, starts_new=True,
                       colluding=0.3, has_challenger=True)
    return [
        *cells, Cell("auditors", lazy, market=REACHED, providers=4_000),
        Cell("auditors", both, market=REACHED.without(auditors=2), providers=4_000),
        Cell("combinations", chained, market=REACHED, jobs=600, providers=2_000),
        Cell("combinations", renewed, market=REACHED),
    ]  # fmt: skip


def _by_score() -> tuple[tuple[Strategy, int, int], ...]:
    """Ways around a score: the strategy, jobs of each provider, providers. Cheats seldom; stops below the bound and
    lets the score sink; leaves before the fourth finding; leaves after a short burst; keeps to two requesters, whose
    evidence alone convicts nobody."""
    return (
        (Strategy("cheats 1%", INT8, 0.01), 1_000, 4_000),
        (Strategy("stops below the bound", INT8, 1.0, surfs=4.0), 1_000, 2_000),
        (Strategy("new identity every 3 jobs", INT8, 1.0, lives_for=3, starts_new=True), 501, 2_000),
        (Strategy("burst of 6 after 50, leaves", INT8, 1.0, clean_for=50, lives_for=56), 560, 2_000),
        (Strategy("cheats two requesters only", INT8, 1.0, victims=2), 500, 2_000),
    )


def _scored() -> list[Cell]:
    """No single audit convicts: evidence adds up, and each finding that does not convict is disputed."""
    rates = [(Strategy(f"cheats {rate:.0%}", INT8, rate), 500, 4_000 if rate <= 0.05 else 2_000) for rate in RATES[1:]]
    blind = replace(_by_score()[1][0], name="30 % collude, stops below the bound", colluding=0.3)
    return [Cell("by score, findings disputed", agent, market=REACHED, rules=DISPUTED, jobs=jobs, providers=providers)
            for agent, jobs, providers in (*rates, *_by_score(), (blind, 1_000, 4_000))]


def _limits() -> list[Cell]:
    """The same where nobody disputes: an entry beyond its profile is paid by default. The oracles alone do no more."""
    one_bet = replace(_by_score()[1][0], name="stops below the bound of one bet")
    return [
        *(Cell("limit: by score, findings paid", agent, Claim.WINS, REACHED, PAID, jobs, providers)
          for agent, jobs, providers in _by_score()),
        Cell("control: a score with one bet", one_bet, Claim.WINS, REACHED, Rules(ONE_BET), 1_000, 1_000),
        Cell("control: a score with one bet", Strategy("cheats 10%", INT8, 0.1), Claim.WINS, REACHED, Rules(ONE_BET)),
    ]  # fmt: skip


def _controls() -> list[Cell]:
    half = BOUNDS.without(stake_bps=5_000)
    cells = [Cell("control: half the stake", Strategy(f"cheats {rate:.0%}", NO_WORK, rate, has_challenger=True),
                  Claim.WINS, half) for rate in RATES]
    rare = BOUNDS.without(floor_bps=500)
    worst = Strategy("cheats 100%", NO_WORK, 1.0, has_challenger=True)
    blind = Strategy("30 % collude, not reckoned with", NO_WORK, 1.0, colluding=0.3, has_challenger=True)
    return [
        *cells,
        Cell("control: audit rate 5 %", worst, Claim.WINS, rare),
        Cell("control: audit rate 5 %", replace(worst, cheat=INT8), Claim.WINS, rare),
        Cell("control: audit rate 5 %", _burst(50, 10), Claim.WINS, rare.without(forfeits_all=False), jobs=600),
        Cell("control: auditors not reckoned with", blind, Claim.WINS),
        Cell("control: only its own batch is forfeited", _burst(50, 100), Claim.WINS,
             BOUNDS.without(forfeits_all=False), jobs=1_500, providers=1_000),
        Cell("bounds with κ = 30 %", worst, Claim.LOSES, DEAR, providers=4_000),
        Cell("control: challenger's share not reckoned with", worst, Claim.WINS, DEAR.without(award_is_reckoned=False)),
    ]  # fmt: skip
