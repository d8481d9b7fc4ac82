"""The figures that the recipes report: small, well-known measures, each in a few lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

SEASON = 12


def mase(past: Sequence[float], future: Sequence[float], forecast: Sequence[float], season: int = SEASON) -> float:
    """Mean absolute scaled error: of a forecast over that of last season's values within the past; 1 is as good as
    those. Errors: `ValueError` for a past no longer than a season or one that only repeats itself."""
    steps = [abs(now - before) for now, before in zip(past[season:], past, strict=False)]
    if not steps or not sum(steps):
        raise ValueError(f"A past of {len(past)} months that does not vary has no scale for a season of {season}.")
    error = sum(abs(real - said) for real, said in zip(future, forecast, strict=True)) / len(future)
    return error / (sum(steps) / len(steps))


def auc(scores: Sequence[float], labels: Sequence[bool]) -> float:
    """Area under the ROC curve: how often one that left has the higher score than one that stayed; ties count half.

    Errors: `ValueError` when one of the two is missing.
    """
    ones = sum(labels)
    if not 0 < ones < len(labels):
        raise ValueError("An area needs at least one of each label.")
    order = sorted(range(len(scores)), key=scores.__getitem__)
    ranks, start = [0.0] * len(scores), 0
    while start < len(order):
        stop = start
        while stop < len(order) and scores[order[stop]] == scores[order[start]]:
            stop += 1
        for place in order[start:stop]:
            ranks[place] = (start + 1 + stop) / 2
        start = stop
    above = sum(rank for rank, label in zip(ranks, labels, strict=True) if label) - ones * (ones + 1) / 2
    return above / (ones * (len(labels) - ones))


def rouge_l(summary: str, reference: str) -> float:
    """F1 of the longest common subsequence of words (ROUGE-L), lower case, punctuation aside; 0 to 1."""
    said, wanted = words_of(summary), words_of(reference)
    if not said or not wanted:
        return 0.0
    row = [0] * (len(wanted) + 1)
    for word in said:
        before = row
        row = [0]
        for place, other in enumerate(wanted):
            row.append(before[place] + 1 if word == other else max(before[place + 1], row[place]))
    common = row[-1]
    return 2 * common / (len(said) + len(wanted))


def words_of(text: str) -> list[str]:
    """Lower-case words and numbers of a text."""
    return _word_pattern().findall(text.lower())


@cache
def _word_pattern() -> re.Pattern[str]:
    return re.compile(r"[a-z0-9]+")


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean. Errors: `ZeroDivisionError` for none."""
    return sum(values) / len(values)
