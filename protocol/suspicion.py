"""How likely an honest run has the numbers of an audit, and which of them its own noise does not explain."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from protocol.profile import ALWAYS, CalibrationProfile, decimal_of
from protocol.thresholds import alpha, judged, threshold
from protocol.types import AuditStatistics

SECOND_LOOK = 0.01
"""p-value of a single statistic from which on the reference model's own noise on the same tokens is measured."""
NOISE_RATIO = Decimal(2)
"""A value up to twice the reference model's own noise on the same tokens speaks against nobody: requesters choose the
prompts, and could choose noisy ones."""
LEAST_NOISE = Decimal("0.0001")
"""Below it a ratio would be one to rounding alone."""


def p_value(profile: CalibrationProfile, name: str, value: float) -> float:
    """How often an honest run of the class has at least this value of a statistic, never said too small.

    1 up to the numeric floor; above it 1 − q of the largest quantile that it exceeds; above the honest maximum the
    false-alarm bound, which no other answer falls below either: of n sequences nothing rarer can be known.
    """
    honest, exact = profile.statistics[name], Decimal(value)
    if exact <= decimal_of(honest.numeric_floor):
        return 1.0
    smallest = alpha(profile)
    if exact > decimal_of(honest.maximum):
        return smallest
    passed = [Decimal(1) - Decimal(q) for q, limit in honest.quantiles.items() if exact > decimal_of(limit)]
    return max(smallest, float(min(passed, default=Decimal(1))))


def suspects(profile: CalibrationProfile, statistics: AuditStatistics) -> tuple[str, ...]:
    """The statistics that an honest leaf seldom has, or that lie above their screen: before they count, the reference
    model's own noise on the same tokens is measured. Errors: `StatisticsUnusable`."""
    return tuple(name for name, value in judged(profile, statistics).items() if _is_suspect(profile, name, value))


def confirmed(profile: CalibrationProfile, statistics: AuditStatistics,
              self_noise: Sequence[AuditStatistics]) -> tuple[str, ...]:
    """The statistics that leave the profile and that the model's own noise does not explain: above the threshold and
    above twice the noise. Where the profile has a ratio for a distance, that decides instead of both, from the screen
    on. Margins stay with threshold and twice: most are 0, a single near tie makes the largest ones, and a ratio to the
    noise of that tie says nothing about the others.

    Errors: `StatisticsUnusable`.
    """
    found = []
    for name in suspects(profile, statistics):
        value, honest = Decimal(getattr(statistics, name)), profile.statistics[name]
        least, most = threshold(profile, name), NOISE_RATIO
        if name not in ALWAYS and honest.screen is not None and honest.ratio is not None:
            least, most = decimal_of(honest.screen), decimal_of(profile.safety_factor) * decimal_of(honest.ratio)
        if value > least and value > most * max(LEAST_NOISE, _widest(self_noise, name)):
            found.append(name)
    return tuple(found)


def p_value_of(profile: CalibrationProfile, statistics: AuditStatistics,
               self_noise: Sequence[AuditStatistics] = ()) -> float:
    """One p-value of a whole audit: the smallest of its statistics', times their number (Bonferroni), at most 1. What
    is confirmed counts as the false-alarm bound, a suspect within twice the model's own noise not at all.

    Errors: `StatisticsUnusable`.
    """
    values, sure = judged(profile, statistics), confirmed(profile, statistics, self_noise)
    each = [alpha(profile)] * bool(sure)
    for name, value in values.items():
        if name not in sure and not (_is_suspect(profile, name, value)
                                     and Decimal(value) <= NOISE_RATIO * _widest(self_noise, name)):
            each.append(p_value(profile, name, value))
    return min(1.0, len(values) * min(each, default=1.0))


def _is_suspect(profile: CalibrationProfile, name: str, value: float) -> bool:
    honest = profile.statistics[name]
    screened = honest.screen is not None and Decimal(value) > decimal_of(honest.screen)
    return screened or Decimal(value) > threshold(profile, name) or p_value(profile, name, value) <= SECOND_LOOK


def _widest(self_noise: Sequence[AuditStatistics], name: str) -> Decimal:
    return max((Decimal(getattr(one, name) or 0) for one in self_noise), default=Decimal(0))
