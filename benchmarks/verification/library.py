"""Another backend: the transformers library's Llama in bfloat16, with our rule for choosing tokens."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import DynamicCache

from benchmarks.verification.runs import Run, cut
from protocol.engine.generate import choose_tokens, logprobs_of
from protocol.engine.llama import compute_logits
from protocol.engine.model import ServedModel, in_dtype
from protocol.engine.passes import build_transformers
from protocol.types import Sampler


class LibraryRunner:
    """Generates with the library for prompts of one length."""

    def __init__(self, model: ServedModel) -> None:
        self._model = in_dtype(model, torch.bfloat16)
        self._library = build_transformers(self._model)

    @torch.inference_mode()
    def __call__(self, prompts: Sequence[Sequence[int]], samplers: Sequence[Sampler], limit: int) -> list[Run]:
        cache, count = DynamicCache(config=self._library.config), len(prompts)
        step = torch.tensor([list(prompt) for prompt in prompts])
        steps: list[tuple[Tensor, ...]] = []
        for position in range(limit):
            output = self._library(input_ids=step, past_key_values=cache, use_cache=True)
            last = output.last_hidden_state[:, -1]
            logits = compute_logits(self._model.network, last).float()
            chosen = choose_tokens(logits, samplers, torch.full((count,), position), self._model)
            steps.append((chosen, *logprobs_of(logits, chosen), last.float()))
            step = chosen.unsqueeze(1)
        return [cut(steps, row, self._model) for row in range(count)]
