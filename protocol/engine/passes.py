"""Other ways to run the same network that an honest provider may take: for calibration only, slower than our own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from protocol.engine.model import ServedModel


class TransformersSteps:
    """One sequence with the Llama of the `transformers` library (`build_transformers`): another backend."""

    def __init__(self, network: Any) -> None:
        self._network, self._past = network, None

    def feed(self, tokens: Sequence[int]) -> Tensor:
        found = self._network(torch.tensor([list(tokens)]), past_key_values=self._past, use_cache=True)
        self._past = found.past_key_values
        return found.last_hidden_state[0]


def build_transformers(model: ServedModel) -> Any:
    """The library's network over the tensors of a model, in their dtype and without the head."""
    from transformers import LlamaConfig, LlamaModel

    shape = model.manifest.shape
    config = LlamaConfig(
        vocab_size=shape.vocabulary, hidden_size=shape.hidden, intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers, num_attention_heads=shape.heads, num_key_value_heads=shape.kv_heads,
        rms_norm_eps=float(shape.rms_norm_eps), max_position_embeddings=model.manifest.context_tokens,
        rope_parameters={"rope_type": "default", "rope_theta": float(shape.rope_theta)},
    )
    network = LlamaModel(config).eval().to(next(iter(model.tensors.values())).dtype)
    network.load_state_dict({name.removeprefix("model."): tensor for name, tensor in model.tensors.items()
                             if name.startswith("model.")})
    return network
