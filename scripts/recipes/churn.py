"""Customer churn: how likely each customer of a telephone company is to leave, beside a logistic regression.

    python -m scripts.recipes.churn --local                # on this machine
    python -m scripts.recipes.churn                        # on the market, through `malla request serve`
    python -m scripts.recipes.churn --top 10               # and the ten customers to call first

Data: a public table of 7,043 customers (package customer-churn-model). The network (2,000 numbers, trained by
scripts/train_workloads.py) saw four fifths of them; scored are the others. The figure is the area under the ROC curve,
0.5 for guessing. A logistic regression on the same columns, fitted here, is the baseline worth beating: on this table
the network does not beat it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

import numpy
from numpy.typing import NDArray

from scripts.recipes.backends import Backend, add_backend, choose_backend, tell
from scripts.recipes.data import COLUMNS, Customer, customers
from scripts.recipes.quality import auc

MODEL = "Churn-Telco"
HELD_OUT = 5
RIDGE = 1.0
STEPS = 25
"""Newton's method is done long before."""


def main(*words: str) -> int:
    parser = argparse.ArgumentParser(prog="churn", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add_backend(parser, 1409, "held-out customers")
    parser.add_argument("--top", type=int, default=0, metavar="N", help="name the N likeliest to leave")
    options = parser.parse_args(words)
    began = time.monotonic()
    known, held = split(customers())
    held = held[: options.limit]
    scores = score(choose_backend(options), held)
    left = [customer.left for customer in held]
    tenure = [-customer.row[COLUMNS.index("tenure")] for customer in held]
    print(f"{len(held)} held-out customers, {sum(left)} of whom left: AUC {auc(scores, left):.3f}, "
          f"logistic regression {auc(logistic_scores(known, held), left):.3f}, the newest first "
          f"{auc(tenure, left):.3f}, guessing 0.500 ({time.monotonic() - began:.0f} s)")
    for risk, customer in sorted(zip(scores, held, strict=True), key=lambda pair: -pair[0])[: options.top]:
        print(f"{customer.name} {risk:.2f}")
    return 0


def split(table: Sequence[Customer]) -> tuple[list[Customer], list[Customer]]:
    """Those that training saw, and every fifth one."""
    return ([customer for place, customer in enumerate(table) if place % HELD_OUT],
            [customer for place, customer in enumerate(table) if place % HELD_OUT == 0])


def score(backend: Backend, asked: Sequence[Customer]) -> list[float]:
    """The probability that each one leaves."""
    return [row[0] for row in backend.predict(MODEL, [customer.row for customer in asked])]


def logistic_scores(known: Sequence[Customer], asked: Sequence[Customer]) -> list[float]:
    """Scores by a logistic regression on the same columns, fitted to `known` by Newton's method."""
    rows, wanted = _matrix(known), numpy.array([float(customer.left) for customer in known])
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    design = _with_one((rows - mean) / scale)
    weights = numpy.zeros(design.shape[1])
    for _ in range(STEPS):
        chance = 1 / (1 + numpy.exp(-design @ weights))
        slope = design.T @ (wanted - chance) - RIDGE * weights
        curve = (design * (chance * (1 - chance))[:, None]).T @ design + RIDGE * numpy.eye(len(weights))
        weights = weights + numpy.linalg.solve(curve, slope)
    found: list[float] = (_with_one((_matrix(asked) - mean) / scale) @ weights).tolist()
    return found


def _matrix(table: Sequence[Customer]) -> NDArray[numpy.float64]:
    return numpy.array([customer.row for customer in table])


def _with_one(rows: NDArray[numpy.float64]) -> NDArray[numpy.float64]:
    return numpy.hstack([rows, numpy.ones((len(rows), 1))])


if __name__ == "__main__":
    sys.exit(tell(main))
