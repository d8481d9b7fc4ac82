"""Generation: what running the job means, with the evidence that a transcript keeps of every token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from protocol.claim import TOP, Claim, FinishReason, pack_top
from protocol.engine.fingerprint import fingerprint_rows
from protocol.engine.llama import Cache, Llama, compute_logits, forward
from protocol.engine.model import ServedModel
from protocol.engine.sampler import ban, choose
from protocol.errors import MallaError
from protocol.manifest import check_request
from protocol.sampling import PLAIN
from protocol.types import Sampler


class NumbersBroken(MallaError):
    """A forward pass gave infinities or NaN. Whoever ran it has failed, and nobody else."""

    code = "numbers_broken"


class GenerationCancelled(MallaError):
    """The caller's `cancelled` said stop."""

    code = "cancelled"


@dataclass(frozen=True)
class Execution:
    """What running a job gives. A stop token is the last output token, with finish 'stop'; logprobs are
    float32 values of the natural logarithm, one a token, and `top_logprobs` as `protocol.claim.pack_top` has them.
    `fingerprints` are the rows of all tokens (`protocol.proofs.fingerprint`), empty without a seed."""

    output_token_ids: tuple[int, ...]
    chosen_logprobs: tuple[float, ...]
    finish_reason: FinishReason
    top_logprobs: bytes = b""
    fingerprints: bytes = b""

    def as_claim(self) -> Claim:
        """The claim that an honest provider makes of it, before anything of its fingerprints is opened."""
        return Claim(self.output_token_ids, self.chosen_logprobs, self.finish_reason.value, self.top_logprobs)


class Steps(Protocol):
    """One sequence that grows: final hidden states (tokens, hidden) of tokens that follow what was fed before."""

    def feed(self, tokens: Sequence[int]) -> Tensor: ...


class OwnSteps:
    """Our own network with its cache of keys and values, for `capacity` tokens."""

    def __init__(self, network: Llama, capacity: int) -> None:
        self._network, self._cache = network, Cache(network, 1, capacity)

    def feed(self, tokens: Sequence[int]) -> Tensor:
        return forward(self._network, torch.tensor([list(tokens)]), self._cache)[0]


OnToken = Callable[[int, int], None]
"""Called after each token with how many there are and the token's id."""


@torch.inference_mode()
def generate(
    model: ServedModel,
    prompt_token_ids: Sequence[int],
    max_output_tokens: int,
    on_token: OnToken | None = None,
    cancelled: Callable[[], bool] | None = None,
    sampler: Sampler = PLAIN,
    fingerprint_seed: bytes | None = None,
    steps: Steps | None = None,
    widths: Sequence[int] = (),
) -> Execution:
    """Run the model until a stop token or `max_output_tokens`.

    `steps` is another implementation of the network, for the head and tensors of this model; `widths` are the tokens of
    each pass over the prompt (they add up to it) where that is not one pass. Both are for calibration.

    Errors: those of `manifest.check_request`; `GenerationCancelled`; `NumbersBroken`.
    """
    check_request(model.manifest, prompt_token_ids, max_output_tokens)
    stops, written = set(model.manifest.stop_token_ids), Written(max_output_tokens, fingerprint_seed)
    steps = steps or OwnSteps(model.network, len(prompt_token_ids) + max_output_tokens)
    start = 0
    for width in widths or [len(prompt_token_ids)]:
        state = steps.feed(prompt_token_ids[start : start + width])[-1:]
        start += width
    while True:
        if cancelled is not None and cancelled():
            raise GenerationCancelled(
                f"Generation was cancelled after {len(written.tokens)} of {max_output_tokens} tokens."
            )
        logits = compute_logits(model.network, state).float()
        chosen = choose_tokens(logits, [sampler], torch.tensor([len(written.tokens)]), model)
        written.add(0, state, chosen, *logprobs_of(logits, chosen))
        if on_token is not None:
            on_token(len(written.tokens), written.tokens[-1])
        if written.tokens[-1] in stops or len(written.tokens) == max_output_tokens:
            return written.execution(stops)
        state = steps.feed(written.tokens[-1:])


@torch.inference_mode()
def generate_batch(
    model: ServedModel,
    prompts: Sequence[Sequence[int]],
    max_output_tokens: int,
    samplers: Sequence[Sampler] | None = None,
    fingerprint_seeds: Sequence[bytes] | None = None,
) -> tuple[Execution, ...]:
    """The same for several prompts at once, padded on the left: other rounding, same model. Greedy and sampled prompts
    do not share a batch.

    Errors: those of `manifest.check_request`, `NumbersBroken`.
    """
    for prompt in prompts:
        check_request(model.manifest, prompt, max_output_tokens)
    network, stops = model.network, set(model.manifest.stop_token_ids)
    longest, count = max(map(len, prompts)), len(prompts)
    cache = Cache(network, count, longest + max_output_tokens)
    padding = torch.tensor([longest - len(prompt) for prompt in prompts])
    step = torch.tensor([[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts])
    rules = list(samplers) if samplers is not None else [PLAIN] * count
    seeds = list(fingerprint_seeds) if fingerprint_seeds is not None else [None] * count
    outputs = [Written(max_output_tokens, seed) for seed in seeds]
    open_rows = set(range(count))
    for position in range(max_output_tokens):
        start, stop = cache.length, cache.length + step.shape[1]
        places = torch.arange(start, stop) - padding[:, None]
        state = _forward_padded(model, step, cache, places, padding)
        logits = compute_logits(network, state).float()
        chosen = choose_tokens(logits, rules, torch.full((count,), position), model)
        values, top, top_ids = logprobs_of(logits, chosen)
        for row in sorted(open_rows):
            outputs[row].add(row, state, chosen, values, top, top_ids)
            if int(chosen[row]) in stops:
                open_rows.discard(row)
        if not open_rows:
            break
        step = chosen.unsqueeze(1)
    return tuple(output.execution(stops) for output in outputs)


def logprobs_at(logits: Tensor, tokens: Tensor) -> Tensor:
    """Float32 logprobs of `tokens` (rows, count) under `logits` (rows, vocabulary); added in float64, never above 0.

    Errors: `NumbersBroken`.
    """
    wide = logits.double()
    values = wide.gather(-1, tokens) - wide.logsumexp(dim=-1, keepdim=True)
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


def choose_tokens(logits: Tensor, samplers: Sequence[Sampler], positions: Tensor, model: ServedModel) -> Tensor:
    """The token of each row by its sampler; `positions` count output tokens, before `min_tokens` none stops."""
    banned = positions < torch.tensor([sampler.min_tokens for sampler in samplers])
    return choose(ban(logits, model.manifest.stop_token_ids, banned), samplers, positions)


def logprobs_of(logits: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Logprobs (rows,) of the chosen tokens, then (rows, 5) of the likeliest ones and their ids."""
    ids = logits.topk(TOP, dim=-1).indices
    values = logprobs_at(logits, torch.cat((chosen.unsqueeze(-1), ids), dim=-1))
    return values[:, 0], values[:, 1:], ids


class Written:
    """What one sequence has so far, of at most `most` tokens."""

    def __init__(self, most: int, fingerprint_seed: bytes | None) -> None:
        self.tokens: list[int] = []
        self.logprobs: list[float] = []
        self.top: list[tuple[tuple[int, float], ...]] = []
        self._states: list[Tensor] = []
        self._most, self._seed = most, fingerprint_seed

    def add(self, row: int, state: Tensor, chosen: Tensor, values: Tensor, top: Tensor, ids: Tensor) -> None:
        self.tokens.append(int(chosen[row]))
        self.logprobs.append(float(values[row]))
        self.top.append(tuple(zip(ids[row].tolist(), top[row].tolist(), strict=True)))
        if self._seed is not None:
            self._states.append(state[row])

    def execution(self, stops: set[int], kept: int | None = None) -> Execution:
        """Of the first `kept` tokens, all by default; fewer than could be is an answer that ended early."""
        kept = len(self.tokens) if kept is None else kept
        finish = FinishReason.LENGTH if kept == self._most else FinishReason.CANCELLED
        if self.tokens[kept - 1] in stops:
            finish = FinishReason.STOP
        rows = b"" if self._seed is None else fingerprint_rows(torch.stack(self._states[:kept]), self._seed)
        return Execution(tuple(self.tokens[:kept]), tuple(self.logprobs[:kept]), finish, pack_top(self.top[:kept]),
                         rows)
