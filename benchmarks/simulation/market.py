"""Every number that the simulation assumes, in one place: the market's terms, what a cheat saves and how it is seen.

Amounts of the model are gwei (10⁹ wei), so that a million jobs fit into 64-bit integers without a rounding of their
own. A job's price is `PRICE`; everything else follows from the terms that a deployment has ("test" of
`scripts.parameters`: of the two profiles the one that does not audit everything).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from protocol import economics
from protocol.draw import BURN_SCALE
from protocol.units import BPS_ONE, TOKEN
from scripts.parameters import PROFILES, Terms

GWEI = economics.GWEI
PRICE = TOKEN // GWEI
"""Price of a job, gwei: one token. Only ratios matter, as long as flat fees are small beside it."""
COST_BPS = 8_500
"""Share of its price that an honest answer costs its provider: margins are thin where providers compete."""
SEATS = 4


@dataclass(frozen=True)
class Cheat:
    """`saved_bps` of the price are saved by each cheated job.

    `power` is the chance that one audit of such a job ends in a conviction, `beyond` the chance that it leaves the
    profile's thresholds: the first counts where evidence is exact or several audits are folded into one figure, the
    second where verdicts add up evidence leaf by leaf (`scoring`).
    """

    name: str
    saved_bps: int
    power: float
    beyond: float


INT4 = Cheat("int4", 4_000, 1.0, 1.0)
INT8 = Cheat("int8", 4_000, 0.25, 0.99)
NO_WORK = Cheat("no work", COST_BPS, 0.25, 0.99)
"""The worst that the stake bound reckons with: the whole cost is saved and only every fourth audit convicts."""


@dataclass(frozen=True)
class Market:
    """What the contracts enforce. The fields after `terms` are where a control takes something away."""

    terms: Terms = PROFILES["test"].terms
    beta_bps: int = PROFILES["test"].beta_bps
    floor_bps: int = PROFILES["test"].terms.audit_bps
    """Least audit rate: with every fourth audit convicting, `audit_bps` gives the `detection_bps` of the terms."""
    scale: int = BURN_SCALE // GWEI
    """Matured burned fees, gwei, over which the part of the audit rate above the floor halves."""
    stake_bps: int = BPS_ONE
    """Stake as a share of what `deters` asks for."""
    forfeits_all: bool = True
    """Whether a conviction takes all unmatured pay, or only that of the batch that it is about."""
    award_is_reckoned: bool = True
    """Whether the stake bound reckons with the challenger's share: κ of a slash may be the cheat's own."""
    auditors: int = 1
    """Oracles that audit a drawn leaf, each by itself."""

    @property
    def stake(self) -> int:
        """Gwei that a provider of jobs of `PRICE` stakes: as little as it may."""
        kappa = self.terms.challenger_bps if self.award_is_reckoned else 0
        needed = economics.needed_stake(PRICE * GWEI, self.terms.slash_bps, kappa, self.terms.detection_bps)
        return -(-needed // GWEI) * self.stake_bps // BPS_ONE

    def without(self, **changes: object) -> Market:
        return replace(self, **changes)  # type: ignore[arg-type]


def audit_rates(burned: NDArray[np.int64], floor_bps: int, scale: int) -> NDArray[np.float64]:
    """`protocol.draw.audit_rate` for arrays, as shares: floor + (1 − floor) · 2^(−matured burned fees / scale)."""
    floor = floor_bps / BPS_ONE
    return np.asarray(floor + (1.0 - floor) * np.exp2(-burned / scale))


def least_floor(cheat: Cheat, market: Market, colluding: float = 0.0) -> float:
    """The audit rate from which on the cheat loses even if it keeps κ of each slash and has nothing else unmatured.

    Gain on a cheated job: what it saves. Loss when it is convicted: λ(1 − κ) of the stake and the job's own pay.
    """
    terms = market.terms
    burned = terms.slash_bps * (BPS_ONE - terms.challenger_bps) * market.stake / BPS_ONE**2
    lost = burned + PRICE * (1 - terms.fee_bps / BPS_ONE)
    seen = cheat.power * (1.0 - colluding**market.auditors)
    return min(1.0, cheat.saved_bps * PRICE / BPS_ONE / lost / seen)


def least_scale(cheat: Cheat, market: Market, free_leaves: int) -> float:
    """The scale, gwei, from which on nobody gains by buying a new identity's way to a lower audit rate.

    An identity that is convicted by its `free_leaves + 1`-th audited cheat cheats `free_leaves / p` jobs for nothing;
    lowering p by burning B for one's own jobs costs (1 − β) · B at least. So for every B the jobs that p(B) adds must
    save less than that: scale ≥ free · saved / (1 − β) · max over x of (1/p(x) − 1) / x, with x = B / scale.
    """
    grid = np.arange(1, 2_000)
    steepest = float(((1 / audit_rates(grid, market.floor_bps, 100) - 1) / grid).max()) * 100
    saved = cheat.saved_bps * PRICE / BPS_ONE
    return free_leaves * saved / (1 - market.beta_bps / BPS_ONE) * steepest


def least_floor_by_findings(cheat: Cheat, finding_costs: float, colluding: float = 0.0) -> float:
    """The audit rate from which on a cheat loses that no single audit convicts, when each finding costs `finding_costs`
    of the job's price: however it keeps its score down, it saves less than its findings cost."""
    return min(1.0, cheat.saved_bps / BPS_ONE / (finding_costs * cheat.beyond * (1.0 - colluding)))
