"""Tests of whether two samples come from one distribution: p-values small when somebody can tell them apart."""

from __future__ import annotations

import math
from typing import Any

import numpy

Numbers = numpy.ndarray[Any, numpy.dtype[numpy.float64]]


def smirnov(one: Numbers, other: Numbers) -> float:
    """Two-sided Kolmogorov-Smirnov test, by the asymptotic series; with ties it says too much rather than too little.

    Errors: `ValueError` for fewer than 1,000 values, where the series is not good enough.
    """
    n, m = len(one), len(other)
    if min(n, m) < 1_000:
        raise ValueError(f"The series needs 1,000 values a side, not {n} and {m}.")
    both = numpy.sort(numpy.concatenate([one, other]))
    apart = numpy.abs(numpy.searchsorted(numpy.sort(one), both, "right") / n
                      - numpy.searchsorted(numpy.sort(other), both, "right") / m).max()
    root = math.sqrt(n * m / (n + m))
    x = (root + 0.12 + 0.11 / root) * float(apart)
    if x < 0.3:
        return 1.0
    return min(1.0, max(0.0, 2 * math.fsum((-1) ** (k - 1) * math.exp(-2 * k * k * x * x) for k in range(1, 101))))


def chi_square(one: Numbers, other: Numbers, least: int = 10) -> float:
    """Homogeneity of two samples of categories; those with fewer than `least` together count as one."""
    values, places = numpy.unique(numpy.concatenate([one, other]), return_inverse=True)
    table = numpy.stack([numpy.bincount(part, minlength=len(values)).astype(float)
                         for part in (places[: len(one)], places[len(one):])])
    few = table.sum(0) < least
    if few.any():
        table = numpy.concatenate([table[:, ~few], table[:, few].sum(1, keepdims=True)], axis=1)
    if table.shape[1] < 2:
        return 1.0
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / table.sum()
    return gamma_tail((table.shape[1] - 1) / 2, float(((table - expected) ** 2 / expected).sum()) / 2)


def gamma_tail(a: float, x: float) -> float:
    """The regularised upper incomplete gamma function Q(a, x): by its series below a + 1, else by its fraction."""
    if x <= 0:
        return 1.0
    front = math.exp(-x + a * math.log(x) - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        for n in range(1, 10_000):
            term *= x / (a + n)
            total += term
            if term < total * 1e-15:
                break
        return max(0.0, 1 - total * front)
    b, c = x + 1 - a, 1e300
    d = 1 / b
    h = d
    for n in range(1, 10_000):
        b += 2
        d = 1 / (-n * (n - a) * d + b)
        c = b - n * (n - a) / c
        h *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return min(1.0, front * h)


def told_apart(one: Numbers, other: Numbers, seed: int, waves: int = 400) -> tuple[float, float]:
    """A classifier learns on half of both samples to tell them apart, and is asked about the other half: its area under
    the curve, and the two-sided p-value of that if there were nothing to tell.

    It is ridge regression on ranks, their products, and random waves over all columns at two widths: it sees what
    single columns, pairs, and the shape of the whole cloud show.
    """
    chance = numpy.random.Generator(numpy.random.PCG64(seed))
    data = numpy.concatenate([one, other])
    ranks = numpy.stack([_ranks(column) for column in data.T], 1)
    label = numpy.concatenate([numpy.ones(len(one)), numpy.zeros(len(other))])
    pairs = numpy.stack([ranks[:, i] * ranks[:, j] for i in range(ranks.shape[1]) for j in range(i + 1)], 1)
    angles = [ranks @ chance.normal(0, width, (ranks.shape[1], waves // 2)) + chance.uniform(0, 2 * math.pi, waves // 2)
              for width in (0.5, 1.5)]
    features = numpy.concatenate([ranks, pairs, *(numpy.cos(angle) for angle in angles)], 1)
    features = (features - features.mean(0)) / (features.std(0) + 1e-9)
    order = chance.permutation(len(data))
    learn, ask = order[: len(order) // 2], order[len(order) // 2:]
    known = features[learn]
    weights = numpy.linalg.solve(known.T @ known + 0.01 * len(known) * numpy.eye(known.shape[1]),
                                 known.T @ (label[learn] - label[learn].mean()))
    return area(features[ask] @ weights, label[ask] > 0)


def area(score: Numbers, is_one: Any) -> tuple[float, float]:
    """Mann and Whitney: the area under the curve, and its two-sided p-value."""
    n, m = int(is_one.sum()), int((~is_one).sum())
    ranks = _midranks(score)
    found = (float(ranks[is_one].sum()) - n * (n + 1) / 2) / (n * m)
    z = (found - 0.5) / math.sqrt((n + m + 1) / (12 * n * m))
    return found, math.erfc(abs(z) / math.sqrt(2))


def _midranks(values: Numbers) -> Numbers:
    _, places, counts = numpy.unique(values, return_inverse=True, return_counts=True)
    ends = numpy.cumsum(counts)
    return numpy.asarray((ends - (counts - 1) / 2)[places], numpy.float64)


def _ranks(values: Numbers) -> Numbers:
    """Ranks from -1 to 1: no tail hides the rest."""
    return 2 * _midranks(values) / (len(values) + 1) - 1
