"""When many leaves that each prove nothing convict together: a score per (provider, profile), floored at zero.

Each audited leaf has an e-value, a number whose mean over honest leaves is at most 1 (Vovk and Wang, 2021). Bets on
different shares φ of cheated leaves multiply 1 − φ + φ · e; a CUSUM takes the logarithm of that product over the best
suffix of the window (Page, 1954; e-detectors: Shin, Ramdas and Rinaldo, 2022), so a clean past is worth nothing. The
mean of the bets convicts above ln(0.99 / 1e-9).

The window is of leaves not yet matured or younger than the unstake delay, in chain order: batch, then entry. A payer
(the address that an entry names as its requester) adds at most ln(1e3) to each bet, so at least three have to agree.
Payers are *unrelated* when their addresses differ and none is the provider's own or one of its node keys: the chain
shows no more. Whoever holds three addresses gains nothing by it: a payer cannot make evidence, only the provider's own
committed answer can be evidence, and what a prompt does to the model's numbers is measured on the spot (self-noise).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

BOUND = math.log(0.99 / 1e-9)
"""Nats from which on a score convicts."""
PAYER_CAP = math.log(1e3)
"""Nats that one payer adds at most."""
PAYERS = 3
"""Unrelated payers (an oracle's canaries count as one) without whom no score convicts."""
PROVIDERS = 3
"""Providers of one profile above half the bound, from whom on the profile itself is doubted."""
BETS = (1.0, 0.3, 0.1, 0.03, 0.01)
"""Shares of cheated leaves that are bet on. One bet on all leaves would forget a cheat within a few clean ones."""
CLEAN = math.log(0.25)
"""The least that a leaf can say: p-value 1 and nothing beyond the profile. What another oracle's PASS counts as."""


@dataclass(frozen=True)
class Leaf:
    """One audited leaf in chain order; `log_e` is the natural logarithm of its e-value."""

    payer: str
    log_e: float


@dataclass(frozen=True)
class Score:
    """`value` in nats; `payers` are those whose leaves speak against the provider in the suffix of the best bet."""

    value: float
    payers: frozenset[str]

    @property
    def convicts(self) -> bool:
        return self.value > BOUND and len(self.payers) >= PAYERS


def log_e_value(p: float, is_beyond: bool, alpha: float) -> float:
    """ln(½ · ½ · p^(−1/2) + ½ · [beyond] / α): half a p-to-e calibrator, half a bet on the profile's own bound α of how
    often an honest leaf is beyond its thresholds. Errors: `ValueError` for numbers that are no probabilities."""
    if not (0 < p <= 1 and 0 < alpha <= 1):
        raise ValueError(f"p = {p} and alpha = {alpha} are no probabilities above 0.")
    return math.log(0.25 / math.sqrt(p) + (0.5 / alpha if is_beyond else 0.0))


def score_of(leaves: Sequence[Leaf], related: Collection[str] = ()) -> Score:
    """The score of a window of leaves in chain order. Leaves of `related` payers count in neither direction: nobody may
    thin out the evidence by hiring himself."""
    counted = [leaf for leaf in leaves if leaf.payer not in related]
    sums = [_best_suffix(counted, share) for share in BETS]
    top = max(value for value, _ in sums)
    mean = math.log(math.fsum(math.exp(value - top) for value, _ in sums) / len(sums)) + top
    return Score(mean, max(sums, key=lambda one: one[0])[1])


def is_suspended(scores: Mapping[str, Score] | Iterable[float]) -> bool:
    """Whether so many providers of one profile rose together that the profile is at fault sooner than they are: then
    its scores convict nobody. Exact evidence does not come from a profile, and still does."""
    values = [one.value for one in scores.values()] if isinstance(scores, Mapping) else list(scores)
    return sum(value > BOUND / 2 for value in values) >= PROVIDERS


def _best_suffix(leaves: Sequence[Leaf], share: float) -> tuple[float, frozenset[str]]:
    """The largest sum over a suffix, each payer counted up to its cap, and who adds to it; nothing is worth 0."""
    sums: dict[str, float] = {}
    best, total, payers = 0.0, 0.0, frozenset[str]()
    for leaf in reversed(leaves):
        before = sums.get(leaf.payer, 0.0)
        after = before + math.log(1.0 - share + share * math.exp(leaf.log_e))
        sums[leaf.payer] = after
        total += min(PAYER_CAP, after) - min(PAYER_CAP, before)
        if total > best:
            best, payers = total, frozenset(payer for payer, one in sums.items() if one > 0)
    return best, payers
