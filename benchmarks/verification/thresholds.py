"""Thresholds that are fixed on one half of the prompts and used on the other.

A threshold is 1.25 times the largest value of the honest answers of its half, as in a profile. Nothing that is scored
was looked at when its threshold was fixed: not the prompt, and not the topic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from benchmarks.verification.measure import Measured
from benchmarks.verification.prompts import half
from protocol.profile import SAFETY_FACTOR

Value = Callable[[Measured], float]

CHECKS: Mapping[str, Value] = {
    "max_margin": lambda m: max(m.statistics.max_margin, m.statistics.end_margin),
    "mean_margin": lambda m: m.statistics.mean_margin,
    "logprob": lambda m: m.statistics.mean_logprob_distance or 0.0,
    "top-5 logprob": lambda m: m.statistics.mean_top_logprob_distance or 0.0,
    "fingerprint": lambda m: m.second_look,
}
PLAIN = {**CHECKS, "fingerprint": lambda m: m.statistics.fingerprint_distance or 0.0}
"""The same without a second look: the fingerprint's distance by itself."""
PEERS: Mapping[str, Value] = {
    "Token-DiFR": lambda m: m.token_difr,
    "Activation-DiFR": lambda m: m.activation_difr,
}


Limits = Mapping[int, Mapping[str, float]]
"""For each half the thresholds with which it is scored: those of the other half."""


def limits_of(honest: Sequence[tuple[int, Measured]], checks: Mapping[str, Value]) -> Limits:
    """Raises ValueError when one of the halves has no honest answer."""
    found = {}
    for side in (0, 1):
        others = [measured for place, measured in honest if half(place) != side]
        found[side] = {name: float(SAFETY_FACTOR) * max(value(one) for one in others)
                       for name, value in checks.items()}
    return found


def caught(place: int, measured: Measured, limits: Limits, checks: Mapping[str, Value]) -> frozenset[str]:
    """The checks that an answer leaves, judged with the thresholds of the half that it is not in."""
    return frozenset(name for name, limit in limits[half(place)].items() if checks[name](measured) > limit)
