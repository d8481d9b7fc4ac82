"""A demand forecast: the last seasons of a series in, the next months out, by one small network for every series.

The series is divided by its own mean magnitude, so a shop and a country are alike to the network. The forecast is the
same month of the last season plus what the network adds to it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

SIZES = {"window", "season", "hidden", "horizon"}
LEAST_SCALE = 1e-9
"""A series of zeros is divided by this instead of by zero."""


def plan_forecaster(shape: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor; matrices are (outputs, inputs)."""
    window, hidden, horizon = shape["window"], shape["hidden"], shape["horizon"]
    return {
        "first.weight": (hidden, window), "first.bias": (hidden,),
        "second.weight": (hidden, hidden), "second.bias": (hidden,),
        "last.weight": (horizon, hidden), "last.bias": (horizon,),
    }  # fmt: skip


def forecast(shape: Mapping[str, int], tensors: Mapping[str, Tensor], rows: Tensor) -> Tensor:
    """The next `horizon` months (series, horizon) after the last `window` of each (series, window), in its own unit."""
    scale = rows.abs().mean(dim=1, keepdim=True).clamp(min=LEAST_SCALE)
    scaled = rows / scale
    state = functional.relu(functional.linear(scaled, tensors["first.weight"], tensors["first.bias"]))
    state = state + functional.relu(functional.linear(state, tensors["second.weight"], tensors["second.bias"]))
    added = functional.linear(state, tensors["last.weight"], tensors["last.bias"])
    return (seasonal_naive(scaled, shape["season"], shape["horizon"]) + added) * scale


def seasonal_naive(rows: Tensor, season: int, horizon: int) -> Tensor:
    """The last season again and again (series, horizon)."""
    return rows[:, -season:][:, torch.arange(horizon) % season]
