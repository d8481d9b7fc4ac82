"""The cache of a running batch: sequences of different lengths in the rows of one tensor."""

from __future__ import annotations

import torch
from torch import Tensor

from protocol.engine.llama import Cache, Llama


class SlotCache(Cache):
    """Keys and values of sequences of different lengths, one a row; a step appends one token to each of the first rows.

    `lengths` (rows,) of the rows that step have to be set before each pass.
    """

    def __init__(self, network: Llama, rows: int, capacity: int) -> None:
        super().__init__(network, rows, capacity)
        # A mask takes away what lies behind a shorter row's end by a weight of 0, and 0 times NaN is NaN.
        self.keys.zero_()
        self.values.zero_()
        self.rows, self.capacity = rows, capacity
        self.lengths = torch.zeros(0, dtype=torch.long)

    def write(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        count, longest = len(self.lengths), int(self.lengths.max()) + 1
        place = torch.arange(count)
        self.keys[layer, place, :, self.lengths] = keys[:, :, 0]
        self.values[layer, place, :, self.lengths] = values[:, :, 0]
        return self.keys[layer, :count, :, :longest], self.values[layer, :count, :, :longest]

    def fill(self, row: int, other: Cache, source: int, length: int) -> None:
        """Copy the first `length` tokens of a row of another cache."""
        self.keys[:, row, :, :length] = other.keys[:, source, :, :length]
        self.values[:, row, :, :length] = other.values[:, source, :, :length]

    def swap(self, one: int, two: int, length: int) -> None:
        for tensor in (self.keys, self.values):
            kept = tensor[:, one, :, :length].clone()
            tensor[:, one, :, :length] = tensor[:, two, :, :length]
            tensor[:, two, :, :length] = kept
