"""Cheats that run no other model: finished honest answers, edited, cut, copied or taken from a cache."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random

import torch

from benchmarks.verification.prompts import prompt
from benchmarks.verification.records import Record
from benchmarks.verification.runs import Run, spoofed
from protocol.claim import unpack_top
from protocol.engine.model import ServedModel, in_dtype
from protocol.engine.prompt import PromptEncoder
from protocol.sampling import noise
from protocol.types import Sampler

Edited = Iterator[tuple[Record, Run]]
"""The record of the prompt that was asked, and the answer that is given instead of its own."""
BASE = "bf16 batch 16"


@dataclass(frozen=True)
class Edit:
    """`make` gets the honest records, their seeded randomness and the float32 model."""

    name: str
    make: Callable[[list[Record], Random, ServedModel, PromptEncoder], Edited]
    sequences: int


def edits() -> tuple[Edit, ...]:
    return (
        Edit("one token replaced: any", _replace_any, 504),
        Edit("one token replaced: second choice", _replace_second, 504),
        Edit("truncated", _truncate, 304),
        Edit("copied from another prompt", _copy, 304),
        Edit("from a cache of another prompt, spoofed", _cached, 304),
    )


def run_of(record: Record) -> Run:
    line = record.line
    states = torch.from_numpy(record.claimed.copy())
    return Run(line.tokens, line.finish, line.logprobs, bytes.fromhex(line.top), states)


def sampler_of(record: Record) -> Sampler:
    milli = record.line.temperature_milli
    return Sampler("gumbel", record.line.seed, milli) if milli else Sampler("greedy", record.line.seed)


def _replace_any(records: list[Record], draw: Random, model: ServedModel, _encoder: PromptEncoder) -> Edited:
    usual = model.manifest.shape.vocabulary - 1
    for record in records:
        run, place = run_of(record), draw.randrange(max(1, len(record.line.tokens) - 1))
        token = run.tokens[place]
        while token == run.tokens[place] or token in model.manifest.stop_token_ids:
            token = draw.randint(100, usual)
        yield record, _with(run, place, token)


def _replace_second(records: list[Record], draw: Random, model: ServedModel, _encoder: PromptEncoder) -> Edited:
    """The token that would have been chosen had the first not been there: the smallest lie there is."""
    for record in records:
        run, sampler = run_of(record), sampler_of(record)
        place, stops = draw.randrange(max(1, len(run.tokens) - 1)), model.manifest.stop_token_ids
        scored = {token: value + noise(sampler, place, token) for token, value in unpack_top(run.top)[place]
                  if token != run.tokens[place] and token not in stops}
        yield record, _with(run, place, max(scored, key=scored.__getitem__))


def _truncate(records: list[Record], _draw: Random, model: ServedModel, _encoder: PromptEncoder) -> Edited:
    for record in records:
        run, half = run_of(record), max(1, len(record.line.tokens) // 2)
        tokens = (*run.tokens[:half], model.manifest.stop_token_ids[0])
        yield record, Run(tokens, "stop", run.logprobs[: half + 1], run.top[: 40 * (half + 1)], run.states[: half + 1])


def _copy(records: list[Record], _draw: Random, _model: ServedModel, _encoder: PromptEncoder) -> Edited:
    for record, other in zip(records, [*records[1:], records[0]], strict=True):
        yield record, run_of(other)


def _cached(records: list[Record], _draw: Random, model: ServedModel, encoder: PromptEncoder) -> Edited:
    prover = in_dtype(model, torch.bfloat16)
    for record, run in _copy(records, _draw, model, encoder):
        ids = encoder.encode(prompt(record.line.place))
        yield record, spoofed([run], [ids], prover)[0]


def _with(run: Run, place: int, token: int) -> Run:
    """The token's logprob stays as it was, and its entry among the top five takes the new id: the cheapest lie."""
    top = bytearray(run.top)
    for at in range(40 * place, 40 * place + 40, 8):
        if struct.unpack_from("<I", top, at)[0] == run.tokens[place]:
            known = {struct.unpack_from("<I", top, other)[0] for other in range(40 * place, 40 * place + 40, 8)}
            if token not in known:
                struct.pack_into("<I", top, at, token)
    return replace(run, tokens=(*run.tokens[:place], token, *run.tokens[place + 1 :]), top=bytes(top))
