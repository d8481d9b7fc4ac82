"""The curves behind the bounds: how the gain of a cheat moves with audit rate, stake and what findings cost."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.plots import Axis, Rule, Series, bar_plot, line_plot, percent
from benchmarks.simulation.agents import Strategy
from benchmarks.simulation.cells import BOUNDS, DISPUTED, PAID, RATES, REACHED, Cell, Row, run
from benchmarks.simulation.market import INT4, INT8, NO_WORK, Cheat
from benchmarks.simulation.scoring import ONE_BET
from benchmarks.simulation.world import Rules
from protocol.units import BPS_ONE

FLOORS = (100, 200, 300, 500, 800, 1_200, 1_700, 2_000, 3_000, 5_000)
STAKES = (2_500, 4_000, 5_000, 6_000, 7_000, 8_000, 9_000, 10_000, 12_500, 15_000)
GAIN = "gain over honest work, share of the price"
REFUNDED = Rules(PAID.score, finding_costs=1.0)
JUDGED = (("findings are paid", PAID), ("refunded", REFUNDED), ("disputed", DISPUTED))


def plots(rows: list[Row], scale: float = 1.0) -> dict[str, str]:
    """SVG documents by file name."""
    providers = max(50, int(1_000 * scale))
    sample = f"{providers * 500:,} jobs of {providers:,} providers a point; bands are 99 % intervals"
    return {
        "gain-by-cheating-rate.svg": _by_rate(rows),
        "gain-by-audit-rate.svg": _by_floor(providers, sample),
        "gain-by-stake.svg": _by_stake(providers, sample),
        "gain-by-judgement.svg": _by_judgement(providers),
    }


def _by_rate(rows: list[Row]) -> str:
    """From the table itself."""
    drawn = []
    for name, group, cheat in (
        ("no work, stake at the bound", "rates", NO_WORK),
        ("int8, stake at the bound", "rates", INT8),
        ("control: no work, half the stake", "control: half the stake", NO_WORK),
    ):
        found = [row for row in rows if row.group == group and row.cheat == cheat.name]
        drawn.append(_series(name, RATES, found))
    jobs = min(row.jobs for row in rows if row.group == "rates")
    across = Axis("share of jobs cheated", log=True, as_text=percent)
    return line_plot("What cheating on a share of all jobs earns", across, Axis(GAIN), drawn,
                     rules=[Rule(0.0, "honest work")], note=f"at least {jobs:,} jobs a point; bands are 99 % intervals")


def _by_floor(providers: int, sample: str) -> str:
    drawn = []
    for cheat in (NO_WORK, INT8, INT4):
        found = [_one(cheat, providers, floor, BPS_ONE) for floor in FLOORS]
        name = f"{cheat.name}: {percent(cheat.power)} of audits convict"
        drawn.append(_series(name, [floor / BPS_ONE for floor in FLOORS], found))
    across = Axis("audit rate", log=True, as_text=percent)
    return line_plot("What cheating on every job earns, by the audit rate", across, Axis(GAIN, low=-1.0, high=1.0),
                     drawn, rules=[Rule(0.0, "honest work")], note=sample)


def _by_stake(providers: int, sample: str) -> str:
    drawn = []
    for cheat in (NO_WORK, INT8):
        found = [_one(cheat, providers, BOUNDS.floor_bps, stake) for stake in STAKES]
        drawn.append(_series(cheat.name, [s / BPS_ONE for s in STAKES], found))
    across = Axis("stake, as a share of what the contracts ask for", as_text=percent)
    return line_plot("What cheating on every job earns, by the stake", across, Axis(GAIN), drawn,
                     rules=[Rule(0.0, "honest work")], note=sample)


def _by_judgement(providers: int) -> str:
    """A cheat that no single audit convicts, when its findings are paid by default, refunded, or disputed."""
    agents = {
        "1 % of jobs": Strategy("", INT8, 0.01),
        "5 % of jobs": Strategy("", INT8, 0.05),
        "stops below the bound": Strategy("", INT8, 1.0, surfs=4.0),
    }
    sample = f"{2_000 * providers:,} jobs of {2 * providers:,} providers a bar; whiskers are 99 % intervals"
    drawn = []
    for name, rules in (*JUDGED, ("findings are paid, one bet", Rules(ONE_BET))):
        found = [run(Cell("", agent, market=REACHED, rules=rules, jobs=1_000, providers=2 * providers), 5)
                 for agent in agents.values()]
        drawn.append(_series(name, (), found))
    title = "int8 judged by score: what becomes of a finding decides"
    return bar_plot(title, list(agents), Axis(GAIN), drawn, note=sample)


def _one(cheat: Cheat, providers: int, floor_bps: int, stake_bps: int) -> Row:
    market = BOUNDS.without(floor_bps=floor_bps, stake_bps=stake_bps)
    return run(Cell("", Strategy("", cheat, 1.0, has_challenger=True), market=market, providers=providers), 3)


def _series(name: str, x: tuple[float, ...] | list[float], found: list[Row]) -> Series:
    return replace(Series(name, [row.gain for row in found], x), low=[row.low for row in found],
                   high=[row.high for row in found])
