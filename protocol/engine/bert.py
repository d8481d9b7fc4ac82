"""The BERT encoder of a sentence model in float32: token ids in, one vector of length 1 out.

Written out, as `llama` is, so that the order of operations is ours: `tests/protocol/engine/test_bert.py` holds it
against transformers. Sentences of a batch are padded and the padding is masked, so a neighbour changes a vector by
rounding alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

EPSILON = 1e-12
"""Of the layer norms; the architecture's constant."""
SIZES = {"layers", "hidden", "heads", "intermediate", "vocabulary", "positions", "kinds"}
PADDING = 0


def plan_bert(shape: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor that the encoder reads; the pooler of the original is not used."""
    hidden, inner = shape["hidden"], shape["intermediate"]
    plan: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (shape["vocabulary"], hidden),
        "embeddings.position_embeddings.weight": (shape["positions"], hidden),
        "embeddings.token_type_embeddings.weight": (shape["kinds"], hidden),
    }
    dense = {
        "attention.self.query": (hidden, hidden), "attention.self.key": (hidden, hidden),
        "attention.self.value": (hidden, hidden), "attention.output.dense": (hidden, hidden),
        "intermediate.dense": (inner, hidden), "output.dense": (hidden, inner),
    }  # fmt: skip
    norms = ["embeddings.LayerNorm"]
    for layer in range(shape["layers"]):
        prefix = f"encoder.layer.{layer}."
        for name, size in dense.items():
            plan |= {f"{prefix}{name}.weight": size, f"{prefix}{name}.bias": size[:1]}
        norms += [f"{prefix}attention.output.LayerNorm", f"{prefix}output.LayerNorm"]
    for name in norms:
        plan |= {f"{name}.weight": (hidden,), f"{name}.bias": (hidden,)}
    return plan


@torch.inference_mode()
def embed(shape: Mapping[str, int], tensors: Mapping[str, Tensor], token_ids: Sequence[Sequence[int]]) -> Tensor:
    """One vector of length 1 a sentence (sentences, hidden): the mean of its tokens' last states, marks included."""
    width = max(len(ids) for ids in token_ids)
    tokens = torch.tensor([[*ids, *[PADDING] * (width - len(ids))] for ids in token_ids])
    real = torch.tensor([[place < len(ids) for place in range(width)] for ids in token_ids])
    state = encode(shape, tensors, tokens, real)
    weight = real.unsqueeze(-1).to(state.dtype)
    return functional.normalize((state * weight).sum(dim=1) / weight.sum(dim=1), dim=-1)


def encode(shape: Mapping[str, int], tensors: Mapping[str, Tensor], tokens: Tensor, real: Tensor) -> Tensor:
    """Last hidden states (batch, count, hidden) of tokens (batch, count); `real` is False where there is padding."""
    def linear(name: str, value: Tensor) -> Tensor:
        return functional.linear(value, tensors[f"{name}.weight"], tensors[f"{name}.bias"])

    def norm(name: str, value: Tensor) -> Tensor:
        scale, shift = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
        return functional.layer_norm(value, (shape["hidden"],), scale, shift, EPSILON)

    batch, count = tokens.shape
    heads, size = shape["heads"], shape["hidden"] // shape["heads"]
    mask = real[:, None, None, :]
    state = (tensors["embeddings.word_embeddings.weight"][tokens]
             + tensors["embeddings.token_type_embeddings.weight"][0]
             + tensors["embeddings.position_embeddings.weight"][:count])
    state = norm("embeddings.LayerNorm", state)
    for layer in range(shape["layers"]):
        name = f"encoder.layer.{layer}"
        query, key, value = (
            linear(f"{name}.attention.self.{part}", state).view(batch, count, heads, size).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        seen = linear(f"{name}.attention.output.dense", seen.transpose(1, 2).reshape(batch, count, heads * size))
        state = norm(f"{name}.attention.output.LayerNorm", seen + state)
        inner = functional.gelu(linear(f"{name}.intermediate.dense", state))
        state = norm(f"{name}.output.LayerNorm", linear(f"{name}.output.dense", inner) + state)
    return state
