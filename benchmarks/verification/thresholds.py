"""Rules that are fixed on one half of the prompts and used on the other.

A distance speaks against an answer when it is beyond a screen, the 0.95 quantile of honest answers, *and* its ratio to
the model's own noise on that very transcript is above 1.25 times the largest honest ratio. A margin does when it is
above 1.25 times the largest honest margin and more than twice the model's own noise. Nothing that is scored was looked
at when its rule was fixed: not the prompt, and not the topic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.verification.measure import Measured
from benchmarks.verification.prompts import half
from protocol.profile import SAFETY_FACTOR

Value = Callable[[Measured], float]
FACTOR = float(SAFETY_FACTOR)
SCREEN = 0.95
LEAST_NOISE = 1e-4
"""Nats or projection units: below it a ratio would divide by rounding alone."""

PLAIN: Mapping[str, Value] = {
    "max_margin": lambda m: max(m.statistics.max_margin, m.statistics.end_margin),
    "mean_margin": lambda m: m.statistics.mean_margin,
    "logprob": lambda m: m.statistics.mean_logprob_distance or 0.0,
    "top-5 logprob": lambda m: m.statistics.mean_top_logprob_distance or 0.0,
    "fingerprint": lambda m: m.statistics.fingerprint_distance or 0.0,
}
MARGINS = ("max_margin", "mean_margin")
TWICE = 2.0
PEERS: Mapping[str, Value] = {
    "Token-DiFR": lambda m: m.token_difr,
    "Activation-DiFR": lambda m: m.activation_difr,
}


@dataclass(frozen=True)
class Answer:
    """One scored answer: the place of its prompt, what an audit measured, and what the second look found."""

    place: int
    measured: Measured
    noise: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """Of one check: the screen, the most that an honest answer of the other half had (with the factor), and the most
    that it was of the model's own noise (with the factor)."""

    screen: float
    value: float
    ratio: float


Rules = Mapping[int, Mapping[str, Rule]]
"""For each half the rules with which it is scored: those of the other half."""


def rules_of(honest: Sequence[Answer], checks: Mapping[str, Value] = PLAIN) -> Rules:
    """Raises ValueError when one of the halves has no honest answer."""
    found = {}
    for side in (0, 1):
        others = [one for one in honest if half(one.place) != side]
        found[side] = {name: _rule(name, value, others) for name, value in checks.items()}
    return found


def caught(answer: Answer, rules: Rules) -> frozenset[str]:
    """The checks that speak against an answer, each with its second look."""
    said = set()
    for name, rule in rules[half(answer.place)].items():
        value = PLAIN[name](answer.measured)
        least = rule.value if name in MARGINS else rule.screen
        if value > least and ratio_of(name, answer) > rule.ratio:
            said.add(name)
    return frozenset(said)


def beyond(answer: Answer, rules: Rules, checks: Mapping[str, Value]) -> frozenset[str]:
    """The checks whose value alone is above 1.25 times the largest honest one: without a second look."""
    return frozenset(name for name, value in checks.items()
                     if value(answer.measured) > rules[half(answer.place)][name].value)


def ratio_of(name: str, answer: Answer) -> float:
    """A check's value in units of the model's own noise; 0 where nobody looked twice."""
    if name not in answer.noise:
        return 0.0
    return PLAIN[name](answer.measured) / max(answer.noise[name], LEAST_NOISE)


def _rule(name: str, value: Value, honest: Sequence[Answer]) -> Rule:
    values = sorted(value(one.measured) for one in honest)
    screen = values[int(SCREEN * len(values))]
    ratios = [ratio_of(name, one) for one in honest if name in PLAIN and value(one.measured) > screen]
    return Rule(screen, FACTOR * values[-1], TWICE if name in MARGINS else FACTOR * max(ratios, default=0.0))
