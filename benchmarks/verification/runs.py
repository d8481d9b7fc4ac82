"""Running a model for the benchmark, honestly or not, with everything kept that any verifier might want to see."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from unittest.mock import patch

import torch
from torch import Tensor

from protocol.claim import FinishReason, pack_top
from protocol.engine import generate as generating
from protocol.engine.generate import Execution, choose_tokens, generate_batch, logprobs_of
from protocol.engine.llama import Cache, Llama, compute_logits, forward
from protocol.engine.model import ServedModel
from protocol.types import Sampler


@dataclass(frozen=True)
class Run:
    """One answer: what its provider claims of its tokens, and the states (tokens, hidden) that it would project."""

    tokens: tuple[int, ...]
    finish: str
    logprobs: tuple[float, ...]
    top: bytes
    states: Tensor


Prefill = Callable[[Llama, Cache, Tensor], Tensor]
"""Fills an empty cache with tokens (batch, count); gives the last hidden states (batch, 1, hidden)."""


@contextmanager
def whole_states() -> Iterator[None]:
    """Executions carry their float32 hidden states instead of the fingerprint's rows."""
    with patch.object(generating, "fingerprint_rows", lambda states, _seed: states.float().numpy().tobytes()):
        yield


def padded(model: ServedModel, prompts: Sequence[Sequence[int]], samplers: Sequence[Sampler], limit: int) -> list[Run]:
    """The engine's own batch, padded on the left."""
    with whole_states():
        found = generate_batch(model, prompts, limit, samplers, [bytes(32)] * len(prompts))
    return [_run_of(execution, model.manifest.shape.hidden) for execution in found]


@torch.inference_mode()
def decode(model: ServedModel, prompts: Sequence[Sequence[int]], samplers: Sequence[Sampler], limit: int,
           prefill: Prefill, choose: Callable[..., Tensor] = choose_tokens) -> list[Run]:
    """Prompts of one length, without padding, with another way to fill the cache or to choose a token."""
    network, count = model.network, len(prompts)
    cache = Cache(network, count, len(prompts[0]) + limit)
    state = prefill(network, cache, torch.tensor([list(prompt) for prompt in prompts]))
    steps: list[tuple[Tensor, ...]] = []
    for position in range(limit):
        last = state[:, -1]
        logits = compute_logits(network, last).float()
        chosen = choose(logits, samplers, torch.full((count,), position), model)
        steps.append((chosen, *logprobs_of(logits, chosen), last.float()))
        state = forward(network, chosen.unsqueeze(1), cache)
    return [cut(steps, row, model) for row in range(count)]


@torch.inference_mode()
def prefill_claim(
    model: ServedModel, prompt: Sequence[int], tokens: Sequence[int]
) -> tuple[tuple[float, ...], bytes, Tensor]:
    """What a provider can say about tokens that it did not generate: logprobs, top logprobs and states of one pass."""
    cache = Cache(model.network, 1, len(prompt) + len(tokens))
    states = forward(model.network, torch.tensor([[*prompt, *tokens[:-1]]]), cache)[0, len(prompt) - 1 :]
    values, top, ids = logprobs_of(compute_logits(model.network, states).float(), torch.tensor(list(tokens)))
    pairs = [tuple(zip(row.tolist(), of.tolist(), strict=True)) for row, of in zip(ids, top, strict=True)]
    return tuple(values.tolist()), pack_top(pairs), states.float()


def spoofed(runs: Sequence[Run], prompts: Sequence[Sequence[int]], prover: ServedModel) -> list[Run]:
    """The same tokens with the claims of another model about them."""
    found = []
    for run, prompt in zip(runs, prompts, strict=True):
        logprobs, top, states = prefill_claim(prover, prompt, run.tokens)
        found.append(replace(run, logprobs=logprobs, top=top, states=states))
    return found


def in_one_pass(network: Llama, cache: Cache, tokens: Tensor) -> Tensor:
    return forward(network, tokens, cache)[:, -1:]


def in_chunks(size: int) -> Prefill:
    """Chunked prefill: the prompt in passes of `size` tokens."""

    def fill(network: Llama, cache: Cache, tokens: Tensor) -> Tensor:
        for start in range(0, tokens.shape[1], size):
            state = forward(network, tokens[:, start : start + size], cache)
        return state[:, -1:]

    return fill


def from_prefix(network: Llama, cache: Cache, tokens: Tensor) -> Tensor:
    """Prefix reuse: what all prompts begin with is computed once, alone, and copied into every sequence."""
    same = (tokens == tokens[0]).all(dim=0).long().cumprod(0).sum()
    length = max(1, min(int(same), tokens.shape[1] - 1))
    alone = Cache(network, 1, length)
    forward(network, tokens[:1, :length], alone)
    cache.keys[:, :, :, :length] = alone.keys
    cache.values[:, :, :, :length] = alone.values
    cache.length = length
    return forward(network, tokens[:, length:], cache)[:, -1:]


def _run_of(execution: Execution, hidden: int) -> Run:
    states = torch.frombuffer(bytearray(execution.fingerprints), dtype=torch.float32).reshape(-1, hidden)
    return Run(execution.output_token_ids, execution.finish_reason.value, execution.chosen_logprobs,
               execution.top_logprobs, states)


def cut(steps: list[tuple[Tensor, ...]], row: int, model: ServedModel) -> Run:
    """One row's answer up to its stop token."""
    stops, tokens = set(model.manifest.stop_token_ids), [int(step[0][row]) for step in steps]
    end = next((place + 1 for place, token in enumerate(tokens) if token in stops), len(tokens))
    finish = FinishReason.STOP if tokens[end - 1] in stops else FinishReason.LENGTH
    pairs = [tuple(zip(step[3][row].tolist(), step[2][row].tolist(), strict=True)) for step in steps[:end]]
    return Run(tuple(tokens[:end]), finish.value, tuple(float(step[1][row]) for step in steps[:end]), pack_top(pairs),
               torch.stack([step[4][row] for step in steps[:end]]))
