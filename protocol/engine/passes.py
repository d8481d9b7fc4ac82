"""Generation with the prompt computed in several passes, or by another implementation of the network: what an honest
provider may do, slower than `generate` and for calibration only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from protocol.claim import TOP, FinishReason, pack_top
from protocol.engine.fingerprint import fingerprint_rows
from protocol.engine.generate import Execution, logprobs_at
from protocol.engine.llama import Cache, compute_logits, forward
from protocol.engine.model import ServedModel
from protocol.engine.sampler import choose
from protocol.types import Sampler


class Steps(Protocol):
    """One sequence that grows: final hidden states (tokens, hidden) of tokens that follow what was fed before."""

    def feed(self, tokens: Sequence[int]) -> Tensor: ...


class OwnSteps:
    """Our own network with its cache of keys and values."""

    def __init__(self, model: ServedModel, capacity: int) -> None:
        self._network, self._cache = model.network, Cache(model.network, 1, capacity)

    def feed(self, tokens: Sequence[int]) -> Tensor:
        return forward(self._network, torch.tensor([list(tokens)]), self._cache)[0]


class TransformersSteps:
    """The Llama of the `transformers` library over the same tensors: another backend."""

    def __init__(self, model: ServedModel) -> None:
        self._network, self._past = _transformers_network(model), None

    def feed(self, tokens: Sequence[int]) -> Tensor:
        found: Any = self._network(torch.tensor([list(tokens)]), past_key_values=self._past, use_cache=True)
        self._past = found.past_key_values
        return found.last_hidden_state[0]


@torch.inference_mode()
def generate_in_passes(model: ServedModel, steps: Steps, prompt: Sequence[int], widths: Sequence[int], limit: int,
                       sampler: Sampler, seed: bytes) -> Execution:
    """As `generate`, with the prompt fed in passes of `widths` tokens. Errors: `NumbersBroken`."""
    stops, start = set(model.manifest.stop_token_ids), 0
    tokens: list[int] = []
    states: list[Tensor] = []
    logprobs: list[float] = []
    top: list[tuple[tuple[int, float], ...]] = []
    for width in widths:
        state = steps.feed(prompt[start : start + width])[-1:]
        start += width
    while True:
        logits = compute_logits(model.network, state).float()
        token = int(choose(logits, [sampler], torch.tensor([len(tokens)]))[0])
        best = logits.topk(TOP, dim=-1).indices
        values = logprobs_at(logits, torch.cat((torch.tensor([[token]]), best), dim=-1))[0].tolist()
        tokens.append(token)
        states.append(state[0])
        logprobs.append(values[0])
        top.append(tuple(zip(best[0].tolist(), values[1:], strict=True)))
        if token in stops or len(tokens) == limit:
            break
        state = steps.feed([token])
    finish = FinishReason.STOP if tokens[-1] in stops else FinishReason.LENGTH
    rows = fingerprint_rows(torch.stack(states), seed)
    return Execution(tuple(tokens), tuple(logprobs), finish, pack_top(top), rows)


_networks: dict[int, Any] = {}


def _transformers_network(model: ServedModel) -> Any:
    """Its body without the head, built once for a model."""
    if id(model) not in _networks:
        from transformers import LlamaConfig, LlamaModel

        shape = model.manifest.shape
        config = LlamaConfig(
            vocab_size=shape.vocabulary, hidden_size=shape.hidden, intermediate_size=shape.intermediate,
            num_hidden_layers=shape.layers, num_attention_heads=shape.heads, num_key_value_heads=shape.kv_heads,
            rms_norm_eps=float(shape.rms_norm_eps), max_position_embeddings=model.manifest.context_tokens,
            rope_parameters={"rope_type": "default", "rope_theta": float(shape.rope_theta)},
        )
        network = LlamaModel(config).eval().to(next(iter(model.tensors.values())).dtype)
        state = {name.removeprefix("model."): tensor for name, tensor in model.tensors.items()
                 if name.startswith("model.")}
        network.load_state_dict(state)
        _networks[id(model)] = network
    return _networks[id(model)]
