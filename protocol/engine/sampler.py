"""The sampling rule of `protocol.sampling` for many rows at once, in torch; the same token, bit for bit.

Everything that decides is an integer, or one correctly rounded float64 operation: CPU and GPU agree. Beside the
choice it measures how far a claimed token is from it, which is what an audit needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from protocol.sampling import (
    CANDIDATES,
    DOMAIN,
    FRACTION_BITS,
    GREEDY,
    LOG2_E,
    MULTIPLIERS,
    TABLE_BITS,
    WEYL,
    WORD,
    tables,
)
from protocol.types import Sampler

NUCLEUS_SLACK_BPS = 200
RANK_SLACK = 0.25
"""Honest rounding moves the edges of top-p and top-k: a token this near to an edge, in share of the weight or in nats,
may or may not have been a candidate, and neither speaks against its provider."""
WIDE = 96
"""Candidates that a verifier looks at, so that it sees those just beyond a provider's sixty-fourth."""


@dataclass(frozen=True)
class Rows:
    """The sampling rule of each row: (rows,) tensors of int64 on the logits' device."""

    seeds: Tensor
    temperatures: Tensor
    top_p: Tensor
    top_k: Tensor

    @classmethod
    def of(cls, samplers: Sequence[Sampler], device: torch.device) -> Rows:
        """One row a sampler. A seed above 2⁶³ wraps into int64, which keeps its bits."""
        def column(values: list[int]) -> Tensor:
            return torch.tensor(values, dtype=torch.int64, device=device)

        signed = [s.seed - 2**64 if s.seed >= 2**63 else s.seed for s in samplers]
        return cls(column(signed), column([s.temperature_milli for s in samplers]),
                   column([s.top_p_bps for s in samplers]), column([s.top_k for s in samplers]))

    def repeat(self, count: int) -> Rows:
        """The same rule for `count` positions of each row."""
        return Rows(*(column.repeat_interleave(count)
                      for column in (self.seeds, self.temperatures, self.top_p, self.top_k)))


def ban(logits: Tensor, stops: Sequence[int], banned: Tensor) -> Tensor:
    """Logits (rows, vocabulary) with the stop tokens at −inf in the rows where `banned` (rows,) is true."""
    if not bool(banned.any()):
        return logits
    masked = logits.clone()
    for stop in stops:
        masked[:, stop] = torch.where(banned, float("-inf"), masked[:, stop])
    return masked


def choose(logits: Tensor, sampler: Sampler | Sequence[Sampler], positions: Tensor) -> Tensor:
    """The token of each row. `logits` (rows, vocabulary), `positions` (rows,) int64 count output tokens from 0.

    Greedy and sampled rows may not be mixed in one call.
    """
    samplers = [sampler] * len(logits) if isinstance(sampler, Sampler) else list(sampler)
    if all(one.kind == GREEDY for one in samplers):
        return logits.argmax(dim=-1)
    rows = Rows.of(samplers, logits.device)
    values, ids = ranked(logits, CANDIDATES)
    scores = values + noise(rows, positions, ids)
    places = torch.arange(values.shape[1], device=logits.device)
    kept = torch.minimum(rows.top_k, _nucleus(values, rows, rows.top_p))
    scores = torch.where(places < kept[:, None], scores, float("-inf"))
    best = scores.amax(dim=-1, keepdim=True)
    return torch.where(scores == best, ids, torch.iinfo(torch.int64).max).amin(dim=-1)


def margins(logits: Tensor, claimed: Tensor, sampler: Sampler, positions: Tensor) -> Tensor:
    """How much better the best token would have scored than the claimed one: (rows,) float64 nats, never negative.

    Token-DiFR's margin (arXiv 2511.20621) with noise for the candidates only. Where rounding may have moved a
    candidate across the edge of top-k or top-p, the provider gets the benefit; a token beyond is as far off as its
    logit is from the edge.
    """
    wide = logits.double()
    own = wide.gather(-1, claimed[:, None]).squeeze(-1)
    if sampler.kind == GREEDY:
        return (wide.amax(dim=-1) - own).clamp(min=0.0)
    rows = Rows.of([sampler], logits.device).repeat(len(logits))
    values, ids = ranked(logits, min(WIDE, logits.shape[-1]))
    own_score = own + noise(rows, positions, claimed[:, None]).squeeze(-1)
    scores = values + noise(rows, positions, ids)
    places = torch.arange(values.shape[1], device=logits.device)
    edge = values.gather(-1, (rows.top_k.clamp(max=values.shape[1]) - 1)[:, None])
    slack = torch.where(rows.top_p < 10_000, NUCLEUS_SLACK_BPS, 0)
    sure = torch.minimum((values >= edge + RANK_SLACK).sum(dim=-1), _nucleus(values, rows, rows.top_p - slack))
    possible = torch.minimum((values >= edge - RANK_SLACK).sum(dim=-1), _nucleus(values, rows, rows.top_p + slack))
    rank = (values > own[:, None]).sum(dim=-1)
    beaten = places < torch.maximum(sure.clamp(min=1), rank)[:, None]
    best = torch.where(beaten, scores, float("-inf")).amax(dim=-1)
    last = values.gather(-1, (possible.clamp(min=1) - 1)[:, None]).squeeze(-1)
    outside = torch.where(rank >= possible, last - own, 0.0)
    return torch.maximum((best - own_score).clamp(min=0.0), outside)


def ranked(logits: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` largest logits of each row in float64 and their token ids: falling, equal ones by rising id."""
    count = min(count, logits.shape[-1])
    values, ids = logits.topk(min(count + 1, logits.shape[-1]), dim=-1)
    if values.shape[1] > count and bool((values[:, count - 1] == values[:, count]).any()):
        # Equal logits at the edge: which of them a kernel's top-k returns is its own affair, ours is the lowest ids.
        values, ids = logits.sort(dim=-1, descending=True, stable=True)
    values, ids = values[:, :count], ids[:, :count]
    order = ids.argsort(dim=-1)
    values, ids = values.gather(-1, order), ids.gather(-1, order)
    order = values.argsort(dim=-1, descending=True, stable=True)
    return values.gather(-1, order).double(), ids.gather(-1, order)


def noise(rows: Rows, positions: Tensor, ids: Tensor) -> Tensor:
    """T · G for the token ids (rows, count): float64 logit units."""
    seeds = rows.seeds[:, None].expand_as(ids)
    high, low = _philox(seeds, ids, positions[:, None].expand_as(ids))
    odd = (((high << 20) | (low >> 12)) << 1) | 1
    one = tables()[0][-1]
    fixed = FRACTION_BITS * one - _ln(53 * one - _ln(odd))
    return (rows.temperatures[:, None] * fixed).double() / float(1000 << FRACTION_BITS)


def _philox(seeds: Tensor, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    # int64 products wrap modulo 2^64, so their bits are those of the unsigned product.
    low_key, high_key = seeds & WORD, (seeds >> 32) & WORD
    a, b, c, d = first, second, torch.full_like(first, DOMAIN), torch.zeros_like(first)
    for _ in range(10):
        one, two = a * MULTIPLIERS[0], c * MULTIPLIERS[1]
        a, b, c, d = (((two >> 32) & WORD) ^ b ^ low_key, two & WORD,
                      ((one >> 32) & WORD) ^ d ^ high_key, one & WORD)
        low_key, high_key = (low_key + WEYL[0]) & WORD, (high_key + WEYL[1]) & WORD
    return a, b


def _ln(values: Tensor) -> Tensor:
    table = _tensors(values.device)[0]
    # Below 2^53 float64 holds an integer exactly, and so does its exponent.
    exponent = torch.frexp(values.double()).exponent.long() - 1
    mantissa = values << (52 - exponent)
    index = (mantissa >> (52 - TABLE_BITS)) & (2**TABLE_BITS - 1)
    rest = (mantissa & (2 ** (52 - TABLE_BITS) - 1)) >> (52 - TABLE_BITS - 32)
    start = table[index]
    return start + ((table[index + 1] - start) * rest >> 32) + exponent * table[-1]


def _weights(values: Tensor, rows: Rows) -> Tensor:
    table = _tensors(values.device)[1]
    power = (values - values[:, :1]) * 1000.0 / rows.temperatures[:, None].double() * LOG2_E
    whole = power.floor().clamp(min=-FRACTION_BITS - 1)
    fraction = ((power - whole).clamp(min=0.0) * 2**32).long().clamp(max=WORD)
    index, rest = fraction >> (32 - TABLE_BITS), fraction & (2 ** (32 - TABLE_BITS) - 1)
    start = table[index]
    value = start + ((table[index + 1] - start) * rest >> (32 - TABLE_BITS))
    return torch.where(whole < -FRACTION_BITS, 0, value >> (-whole).long())


def _nucleus(values: Tensor, rows: Rows, top_p: Tensor) -> Tensor:
    """How many ranked candidates it takes to reach `top_p` (rows,) of the weight of the row's own top-k."""
    weights = _weights(values, rows)
    inside = torch.arange(values.shape[1], device=values.device) < rows.top_k[:, None]
    total = (weights * inside).sum(dim=-1, keepdim=True)
    reached = weights.cumsum(dim=-1) * 10_000 >= top_p[:, None] * total
    count = torch.where(reached.any(dim=-1), reached.int().argmax(dim=-1) + 1, values.shape[1])
    return torch.where(top_p >= 10_000, values.shape[1], count)


@lru_cache(maxsize=8)
def _tensors(device: torch.device) -> tuple[Tensor, Tensor]:
    logarithms, powers = tables()
    return (torch.tensor(logarithms, dtype=torch.int64, device=device),
            torch.tensor(powers, dtype=torch.int64, device=device))
