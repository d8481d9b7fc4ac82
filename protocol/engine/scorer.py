"""A score of a row of a table, such as the probability that a customer leaves: a small network over scaled columns."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

SIZES = {"columns", "hidden"}


def plan_scorer(shape: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor; `mean` and `scale` bring each column to mean 0 and deviation 1."""
    columns, hidden = shape["columns"], shape["hidden"]
    return {
        "mean": (columns,), "scale": (columns,),
        "first.weight": (hidden, columns), "first.bias": (hidden,),
        "second.weight": (hidden, hidden), "second.bias": (hidden,),
        "last.weight": (1, hidden), "last.bias": (1,),
        "direct.weight": (1, columns),
    }  # fmt: skip


def score(tensors: Mapping[str, Tensor], rows: Tensor) -> Tensor:
    """Probabilities (rows, 1) of rows of raw columns (rows, columns)."""
    return torch.sigmoid(logits(tensors, rows))


def logits(tensors: Mapping[str, Tensor], rows: Tensor) -> Tensor:
    """Log odds (rows, 1): what the columns say directly, plus what the network adds."""
    scaled = (rows - tensors["mean"]) / tensors["scale"]
    state = torch.tanh(functional.linear(scaled, tensors["first.weight"], tensors["first.bias"]))
    state = torch.tanh(functional.linear(state, tensors["second.weight"], tensors["second.bias"]))
    added = functional.linear(state, tensors["last.weight"], tensors["last.bias"])
    return added + functional.linear(scaled, tensors["direct.weight"])
