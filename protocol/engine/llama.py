"""The Llama network in float32, written out so that the order of operations is ours and fixed.

Compared with a general library this is faster for one token at a time, needs nothing but torch, and
does not change meaning when that library does. `tests/protocol/engine` holds it against transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from protocol.manifest import LlamaShape


class Layer(NamedTuple):
    """Weights of one layer; matrices are (outputs, inputs)."""

    attention_norm: Tensor
    query: Tensor
    key: Tensor
    value: Tensor
    output: Tensor
    mlp_norm: Tensor
    gate: Tensor
    up: Tensor
    down: Tensor


LAYER_FIELDS = {
    "attention_norm": "input_layernorm",
    "query": "self_attn.q_proj",
    "key": "self_attn.k_proj",
    "value": "self_attn.v_proj",
    "output": "self_attn.o_proj",
    "mlp_norm": "post_attention_layernorm",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}


@dataclass(frozen=True)
class Llama:
    """A network: its layers, embedding, final norm and the two rotary tables (positions, head size)."""

    shape: LlamaShape
    layers: tuple[Layer, ...]
    embedding: Tensor
    norm: Tensor
    head: Tensor
    cosine: Tensor
    sine: Tensor
    epsilon: float


class Cache:
    """Keys and values of all layers for `batch` sequences of `capacity` tokens; `length` are filled."""

    def __init__(self, network: Llama, batch: int, capacity: int) -> None:
        shape = network.shape
        size = (shape.layers, batch, shape.kv_heads, capacity, shape.hidden // shape.heads)
        self.keys = torch.empty(size, dtype=network.embedding.dtype)
        self.values = torch.empty(size, dtype=network.embedding.dtype)
        self.length = 0

    def write(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Store a layer's keys and values (batch, heads, count, size) behind those of before, and give all of them."""
        start, stop = self.length, self.length + keys.shape[2]
        self.keys[layer, :, :, start:stop] = keys
        self.values[layer, :, :, start:stop] = values
        return self.keys[layer, :, :, :stop], self.values[layer, :, :, :stop]


def build_llama(shape: LlamaShape, tensors: Mapping[str, Tensor], positions: int) -> Llama:
    """A network over `tensors` (Hugging Face's names), without copying them, for up to `positions` tokens.

    Errors: `KeyError` naming a tensor that is missing.
    """
    layers = tuple(
        Layer(
            **{field: tensors[f"model.layers.{place}.{name}.weight"] for field, name in LAYER_FIELDS.items()}
        )
        for place in range(shape.layers)
    )
    embedding = tensors["model.embed_tokens.weight"]
    # The angles are made in float64: their rounding is then the same in every vector width.
    half = shape.hidden // shape.heads // 2
    frequency = float(shape.rope_theta) ** -(torch.arange(half, dtype=torch.float64) / half)
    angle = torch.outer(torch.arange(positions, dtype=torch.float64), frequency)
    return Llama(
        shape=shape,
        layers=layers,
        embedding=embedding,
        norm=tensors["model.norm.weight"],
        head=embedding if shape.tied_embeddings else tensors["lm_head.weight"],
        cosine=angle.cos().repeat(1, 2).to(embedding.dtype),
        sine=torch.cat((-angle.sin(), angle.sin()), dim=1).to(embedding.dtype),
        epsilon=float(shape.rms_norm_eps),
    )


def forward(
    network: Llama, tokens: Tensor, cache: Cache, positions: Tensor | None = None, mask: Tensor | None = None
) -> Tensor:
    """Append `tokens` (batch, count) to the cache; gives the final hidden states (batch, count, hidden).

    Without `positions` and `mask` every sequence fills the cache from its start. With left padding,
    `positions` (batch, count) are each token's own, and `mask` (batch, 1, count, cache length) is True
    where a token may look.
    """
    shape, (batch, count), start = network.shape, tokens.shape, cache.length
    size, stop = shape.hidden // shape.heads, start + count
    places = torch.arange(start, stop) if positions is None else positions
    cosine, sine = network.cosine[places].unsqueeze(-2), network.sine[places].unsqueeze(-2)
    causal = mask is None and count > 1
    if causal and start:
        mask, causal = torch.ones(count, stop, dtype=torch.bool).tril(start), False
    state = network.embedding[tokens]
    for place, layer in enumerate(network.layers):
        normed = functional.rms_norm(state, (shape.hidden,), layer.attention_norm, network.epsilon)
        query = _rotate(
            functional.linear(normed, layer.query).view(batch, count, shape.heads, size), cosine, sine
        )
        key = _rotate(
            functional.linear(normed, layer.key).view(batch, count, shape.kv_heads, size), cosine, sine
        )
        value = functional.linear(normed, layer.value).view(batch, count, shape.kv_heads, size)
        keys, values = cache.write(place, key.transpose(1, 2), value.transpose(1, 2))
        attended = functional.scaled_dot_product_attention(
            query.transpose(1, 2), keys, values, attn_mask=mask, is_causal=causal, enable_gqa=True
        )
        state = state + functional.linear(
            attended.transpose(1, 2).reshape(batch, count, shape.hidden), layer.output
        )
        normed = functional.rms_norm(state, (shape.hidden,), layer.mlp_norm, network.epsilon)
        gated = functional.silu(functional.linear(normed, layer.gate)) * functional.linear(normed, layer.up)
        state = state + functional.linear(gated, layer.down)
    cache.length = stop
    return functional.rms_norm(state, (shape.hidden,), network.norm, network.epsilon)


def compute_logits(network: Llama, hidden: Tensor) -> Tensor:
    """Logits over the vocabulary for hidden states (…, hidden)."""
    return functional.linear(hidden, network.head)


def _rotate(vectors: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    # `sine` carries the minus of the first half, so swapping the halves is all that is left to do.
    half = vectors.shape[-1] // 2
    return vectors * cosine + vectors.roll(half, dims=-1) * sine
