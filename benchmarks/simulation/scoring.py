"""The oracles' score (`protocol.score`) for many providers at once.

Each bet on a share φ of cheated leaves has its own sum of ln(1 − φ + φ · e), floored at zero; their mean convicts.
Every leaf is taken as another payer's, which is the worst for a cheat. An oracle hears of a clean leaf that a peer
audited only that it passed (`CLEAN`); leaves beyond the profile go to all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protocol.score import BETS, BOUND, PAYER_CAP

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

OWN_AUDITS = 0.25
"""Share of a provider's audits that one of four oracles makes itself."""


@dataclass(frozen=True)
class Score:
    """`alpha` is the false-alarm bound of the profile's thresholds, 1 − 0.05^(1/n) for n honest sequences: 0.001 for
    3,000 of them."""

    bets: tuple[float, ...] = BETS
    alpha: float = 1e-3

    @property
    def most(self) -> float:
        """Nats that one leaf adds at most to any bet."""
        return float(self._steps().max())

    @property
    def free(self) -> int:
        """Findings in a row that do not convict."""
        count = 1
        while not self.convicts((self._steps() * (count + 1))[:, None]).item():
            count += 1
        return count

    def added(self, beyond: Bools, chance: np.random.Generator) -> Floats:
        """Nats that audited leaves add, one row a bet: shape (bets, leaves). A clean leaf's p-value is uniform."""
        p = np.maximum(chance.random(beyond.shape), self.alpha)
        p = np.where(chance.random(beyond.shape) < OWN_AUDITS, p, 1.0)
        e = np.where(beyond, self._e_beyond(), 0.25 / np.sqrt(p))
        shares = np.asarray(self.bets)[:, None]
        return np.asarray(np.minimum(np.log(1.0 - shares + shares * e[None, :]), PAYER_CAP))

    def value(self, sums: Floats) -> Floats:
        """Nats of each provider's score, from its bets' sums: shape (providers,)."""
        top = sums.max(axis=0)
        return np.asarray(np.log(np.exp(sums - top).mean(axis=0)) + top)

    def convicts(self, sums: Floats) -> Bools:
        return np.asarray(self.value(sums) > BOUND)

    def is_safe(self, sums: Floats, reserve: float) -> Bools:
        """Whether one more leaf beyond the profile leaves `reserve` nats to a conviction: shape (providers,)."""
        return np.asarray(self.value(sums + self._steps()[:, None]) + reserve < BOUND)

    def _e_beyond(self) -> float:
        return 0.25 / math.sqrt(self.alpha) + 0.5 / self.alpha

    def _steps(self) -> Floats:
        shares = np.asarray(self.bets)
        return np.asarray(np.minimum(np.log(1.0 - shares + shares * self._e_beyond()), PAYER_CAP))


AS_BUILT = Score()
ONE_BET = Score((1.0,))
"""Without the bets on small shares: a clean leaf takes back more than a nat, and a cheat that cheats seldom is never
convicted."""
