"""The calibration profile: how far honest runs of one model lie apart, and from where on a claim is not one.

A profile holds for one class (tensor digest, backend, dtype, device) and is named by its digest, so a
job can say which thresholds judge it. Real numbers are decimal strings: the JSON form stays exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from protocol.documents import DocumentInvalid
from protocol.manifest import require_hex_digest
from protocol.types import AuditStatistics

PROFILE_FORMAT = "malla-profile/1"
STATISTICS = ("max_margin", "end_margin", "mean_logprob_distance")

# Held-out runs passed the plain maximum of other honest runs in 0 to 3 of 48 cases and 1.25 times it in
# 0 of 96, for margins and chosen logprobs alike (measured for this project, docs/DECISIONS.md).
SAFETY_FACTOR = Decimal("1.25")


class StatisticsUnusable(ValueError):
    """The verifier produced a number that cannot be compared; its verdict is unknown, never fraud."""


@dataclass(frozen=True)
class HonestRange:
    """One statistic over all honest comparisons, in nats, decimal strings.

    `maximum` is measured. `numeric_floor` is what two correct float32 implementations may differ by on
    machines that were not measured; it takes the maximum's place where it is larger, so no threshold
    is zero and none is tighter than arithmetic allows. `quantiles` maps "0.5" and such to values.
    """

    maximum: str
    numeric_floor: str
    quantiles: dict[str, str]

    def __post_init__(self) -> None:
        for text in (self.maximum, self.numeric_floor, *self.quantiles.values()):
            if _decimal(text) < 0:
                raise DocumentInvalid(f"A profile's value is {text!r}, but distances are never negative.")
        if _decimal(self.numeric_floor) == 0:
            raise DocumentInvalid("A profile's numeric floor is 0; a zero threshold would convict rounding.")


@dataclass(frozen=True)
class Variation:
    """One benign way of running: who ran, with what, and how many sequences it contributed."""

    name: str
    role: str
    batch: int
    threads: int
    environment: dict[str, str]
    sequences: int


@dataclass(frozen=True)
class CalibrationProfile:
    """Honest spread of one class; `comparisons` pairs of one claim and one replay over `sequences` claims."""

    format: str
    model: str
    tensors_sha256: str
    backend: str
    dtype: str
    device: str
    safety_factor: str
    sequences: int
    comparisons: int
    tokens: int
    corpus_sha256: str
    statistics: dict[str, HonestRange]
    variations: tuple[Variation, ...]
    versions: dict[str, str]

    def __post_init__(self) -> None:
        if self.format != PROFILE_FORMAT:
            raise DocumentInvalid(
                f"The profile's format is {self.format!r}; this version reads {PROFILE_FORMAT!r}."
            )
        if set(self.statistics) != set(STATISTICS):
            raise DocumentInvalid(
                f"The profile has statistics {sorted(self.statistics)}; {list(STATISTICS)} are needed."
            )
        if _decimal(self.safety_factor) < 1:
            raise DocumentInvalid(
                f"The safety factor is {self.safety_factor}; below 1 honest runs would be convicted."
            )
        require_hex_digest(self.tensors_sha256, "CalibrationProfile.tensors_sha256")
        require_hex_digest(self.corpus_sha256, "CalibrationProfile.corpus_sha256")


def threshold(profile: CalibrationProfile, statistic: str) -> Decimal:
    """Safety factor times the honest maximum or the numeric floor, whichever is larger; exact, in nats."""
    honest = profile.statistics[statistic]
    return _decimal(profile.safety_factor) * max(_decimal(honest.maximum), _decimal(honest.numeric_floor))


def exceeds(profile: CalibrationProfile, statistics: AuditStatistics) -> tuple[str, ...]:
    """One sentence for each statistic strictly above its threshold; none means that the claim looks honest.

    Errors: `StatisticsUnusable` when a value is not finite or negative.
    """
    found = []
    for name in STATISTICS:
        value = getattr(statistics, name)
        if not math.isfinite(value) or value < 0:
            raise StatisticsUnusable(f"The audit's {name} is {value!r}; repeat the replay before judging.")
        limit = threshold(profile, name)
        # Decimal(float) is exact: the comparison does not round, on any machine.
        if Decimal(value) > limit:
            found.append(f"{name} is {value:.6g}, above the profile's threshold {float(limit):.6g}")
    return tuple(found)


def false_alarm_bound(comparisons: int) -> float:
    """Upper 95 % bound of the false-alarm rate after that many independent honest runs without an alarm."""
    if comparisons < 1:
        raise ValueError(f"A bound needs at least one honest run, not {comparisons}.")
    return 1 - 0.05 ** (1 / comparisons)


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise DocumentInvalid(f"{text!r} is not a decimal number.") from None
    if not number.is_finite():
        raise DocumentInvalid(f"{text!r} is not a finite number.")
    return number
