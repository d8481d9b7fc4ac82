"""Greedy generation: the one meaning of "the model's answer" until other samplers are agreed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from protocol.claim import Claim, FinishReason
from protocol.engine.llama import Cache, compute_logits, forward
from protocol.engine.model import ServedModel
from protocol.errors import MallaError
from protocol.manifest import check_request


class NumbersBroken(MallaError):
    """A forward pass gave infinities or NaN. Whoever ran it has failed, and nobody else."""

    code = "numbers_broken"


class GenerationCancelled(MallaError):
    """The caller's `cancelled` said stop."""

    code = "cancelled"


@dataclass(frozen=True)
class Execution:
    """What running a job gives. A stop token is the last output token, with finish 'stop'; logprobs are
    float32 values of the natural logarithm, one a token."""

    output_token_ids: tuple[int, ...]
    chosen_logprobs: tuple[float, ...]
    finish_reason: FinishReason

    def as_claim(self) -> Claim:
        """The claim that an honest provider makes of it."""
        return Claim(self.output_token_ids, self.chosen_logprobs, self.finish_reason.value)


OnToken = Callable[[int, int], None]
"""Called after each token with how many there are and the token's id."""


@torch.inference_mode()
def generate(
    model: ServedModel,
    prompt_token_ids: Sequence[int],
    max_output_tokens: int,
    on_token: OnToken | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Execution:
    """Run the model greedily until a stop token or `max_output_tokens`.

    Errors: those of `manifest.check_request`; `GenerationCancelled`; `NumbersBroken`.
    """
    check_request(model.manifest, prompt_token_ids, max_output_tokens)
    network, stops = model.network, set(model.manifest.stop_token_ids)
    cache = Cache(network, 1, len(prompt_token_ids) + max_output_tokens)
    step = torch.tensor([list(prompt_token_ids)])
    tokens: list[int] = []
    logprobs: list[float] = []
    while True:
        if cancelled is not None and cancelled():
            raise GenerationCancelled(
                f"Generation was cancelled after {len(tokens)} of {max_output_tokens} tokens."
            )
        logits = compute_logits(network, forward(network, step, cache)[:, -1])
        chosen = logits.argmax(dim=-1)
        tokens.append(int(chosen))
        logprobs.append(float(chosen_logprobs(logits, chosen)))
        if on_token is not None:
            on_token(len(tokens), tokens[-1])
        if tokens[-1] in stops:
            return Execution(tuple(tokens), tuple(logprobs), FinishReason.STOP)
        if len(tokens) == max_output_tokens:
            return Execution(tuple(tokens), tuple(logprobs), FinishReason.LENGTH)
        step = chosen.unsqueeze(0)


@torch.inference_mode()
def generate_batch(
    model: ServedModel, prompts: Sequence[Sequence[int]], max_output_tokens: int
) -> tuple[Execution, ...]:
    """The same for several prompts at once, padded on the left: other rounding, same model.

    Errors: those of `manifest.check_request`, `NumbersBroken`.
    """
    for prompt in prompts:
        check_request(model.manifest, prompt, max_output_tokens)
    network, stops = model.network, set(model.manifest.stop_token_ids)
    longest, count = max(map(len, prompts)), len(prompts)
    cache = Cache(network, count, longest + max_output_tokens)
    padding = torch.tensor([longest - len(prompt) for prompt in prompts])
    step = torch.tensor([[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts])
    outputs: list[list[tuple[int, float]]] = [[] for _ in prompts]
    open_rows = set(range(count))
    while open_rows:
        start, stop = cache.length, cache.length + step.shape[1]
        places = torch.arange(start, stop) - padding[:, None]
        logits = compute_logits(network, _forward_padded(model, step, cache, places, padding))
        chosen = logits.argmax(dim=-1)
        values = chosen_logprobs(logits, chosen)
        for row in sorted(open_rows):
            outputs[row].append((int(chosen[row]), float(values[row])))
            if int(chosen[row]) in stops or len(outputs[row]) == max_output_tokens:
                open_rows.discard(row)
        step = chosen.unsqueeze(1)
    return tuple(_execution(output, stops) for output in outputs)


def chosen_logprobs(logits: Tensor, tokens: Tensor) -> Tensor:
    """Float32 logprobs of `tokens` (rows) under `logits` (rows, vocabulary); added in float64, never above 0.

    Errors: `NumbersBroken`.
    """
    wide = logits.double()
    values = wide.gather(-1, tokens.unsqueeze(-1)).squeeze(-1) - wide.logsumexp(dim=-1)
    if not bool(values.isfinite().all()):
        raise NumbersBroken(
            "The model's forward pass gave numbers that are not finite.", "Check the memory and the cache."
        )
    return values.clamp(max=0.0).float()


def _forward_padded(
    model: ServedModel, step: Tensor, cache: Cache, places: Tensor, padding: Tensor
) -> Tensor:
    start, width = cache.length, step.shape[1]
    keys, queries = torch.arange(start + width), torch.arange(start, start + width)
    visible = (keys <= queries[:, None]) & (keys >= padding[:, None, None])
    # A padded position sees itself, because a softmax over nothing is NaN; no real token sees it.
    visible |= keys == queries[:, None]
    hidden = forward(model.network, step, cache, places.clamp(min=0), visible.unsqueeze(1))
    return hidden[:, -1]


def _execution(output: list[tuple[int, float]], stops: set[int]) -> Execution:
    finish = FinishReason.STOP if output[-1][0] in stops else FinishReason.LENGTH
    return Execution(tuple(token for token, _ in output), tuple(value for _, value in output), finish)
