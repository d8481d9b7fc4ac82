"""Another backend: the transformers library's Llama in bfloat16, with our rule for choosing tokens."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

from benchmarks.verification.runs import Run, _cut
from protocol.engine.generate import _choose, _logprobs_of
from protocol.engine.model import ServedModel
from protocol.types import Sampler


class LibraryRunner:
    """Generates with the library for prompts of one length."""

    def __init__(self, model: ServedModel) -> None:
        shape = model.manifest.shape
        config = LlamaConfig(
            vocab_size=shape.vocabulary, hidden_size=shape.hidden, intermediate_size=shape.intermediate,
            num_hidden_layers=shape.layers, num_attention_heads=shape.heads, num_key_value_heads=shape.kv_heads,
            rms_norm_eps=float(shape.rms_norm_eps), max_position_embeddings=model.manifest.context_tokens,
            rope_parameters={"rope_type": "default", "rope_theta": float(shape.rope_theta)},
            tie_word_embeddings=shape.tied_embeddings,
        )
        self._model, self._library = model, LlamaForCausalLM(config).eval()
        self._library.load_state_dict(dict(model.tensors), strict=False)
        self._library.to(torch.bfloat16)

    @torch.inference_mode()
    def __call__(self, prompts: Sequence[Sequence[int]], samplers: Sequence[Sampler], limit: int) -> list[Run]:
        cache, count = DynamicCache(config=self._library.config), len(prompts)
        step = torch.tensor([list(prompt) for prompt in prompts])
        steps: list[tuple[Tensor, ...]] = []
        for position in range(limit):
            output = self._library.model(input_ids=step, past_key_values=cache, use_cache=True)
            last = output.last_hidden_state[:, -1]
            logits = self._library.lm_head(last).float()
            chosen = _choose(logits, samplers, torch.full((count,), position), self._model)
            steps.append((chosen, *_logprobs_of(logits, chosen), last.float()))
            step = chosen.unsqueeze(1)
        return [_cut(steps, row, self._model) for row in range(count)]


def library_runner(model: ServedModel) -> LibraryRunner:
    return LibraryRunner(model)


