"""From where on a number of an audit is not an honest run's, by the profile of its class, and how sure that is."""

from __future__ import annotations

import math
from decimal import Decimal

from protocol.profile import PROOFS, STATISTICS, CalibrationProfile, decimal_of
from protocol.types import AuditStatistics


class StatisticsUnusable(ValueError):
    """The verifier produced a number that cannot be compared; its verdict is unknown, never fraud."""


def threshold(profile: CalibrationProfile, statistic: str) -> Decimal:
    """Safety factor times the honest maximum or the numeric floor, whichever is larger; exact, in nats."""
    honest = profile.statistics[statistic]
    return decimal_of(profile.safety_factor) * max(decimal_of(honest.maximum), decimal_of(honest.numeric_floor))


def thresholds(profile: CalibrationProfile) -> dict[str, str]:
    """The threshold of every statistic that the profile judges, as exact decimal strings."""
    return {name: str(threshold(profile, name)) for name in STATISTICS if name in profile.statistics}


def judged(profile: CalibrationProfile, statistics: AuditStatistics) -> dict[str, float]:
    """The numbers of an audit that this profile can judge.

    Errors: `StatisticsUnusable` when a value is not finite or negative.
    """
    found = {}
    for name in STATISTICS:
        value = getattr(statistics, name)
        if value is None or name not in profile.statistics:
            continue
        if not math.isfinite(value) or value < 0:
            raise StatisticsUnusable(f"The audit's {name} is {value!r}; repeat the replay before judging.")
        found[name] = value
    return found


def unjudged(profile: CalibrationProfile, statistics: AuditStatistics) -> tuple[str, ...]:
    """Statistics that the audit has and the profile was not calibrated on."""
    return tuple(name for name in PROOFS
                 if getattr(statistics, name) is not None and name not in profile.statistics)


def missing(profile: CalibrationProfile, statistics: AuditStatistics) -> tuple[str, ...]:
    """Statistics that every honest claim of the class allows, and this one does not."""
    return tuple(name for name in PROOFS if name in profile.required and getattr(statistics, name) is None)


def beyond(profile: CalibrationProfile, statistics: AuditStatistics) -> tuple[str, ...]:
    """The names of the statistics strictly above their threshold; none means that the claim looks honest.

    Errors: `StatisticsUnusable`.
    """
    # Decimal(float) is exact: the comparison does not round, on any machine.
    return tuple(name for name, value in judged(profile, statistics).items()
                 if Decimal(value) > threshold(profile, name))


def exceeds(profile: CalibrationProfile, statistics: AuditStatistics) -> tuple[str, ...]:
    """`beyond`, one sentence for each."""
    return tuple(
        f"{name} is {value:.6g}, above the profile's threshold {float(threshold(profile, name)):.6g}"
        for name in beyond(profile, statistics) for value in (getattr(statistics, name),)
    )


def alpha(profile: CalibrationProfile) -> float:
    """Upper bound of how often an honest leaf leaves the profile. Sequences count, not comparisons: replays of one
    sequence are not independent."""
    return false_alarm_bound(profile.sequences)


def false_alarm_bound(runs: int) -> float:
    """Upper 95 % bound of the false-alarm rate after that many independent honest runs without an alarm."""
    if runs < 1:
        raise ValueError(f"A bound needs at least one honest run, not {runs}.")
    return 1 - 0.05 ** (1 / runs)
