"""Who runs the model and how: benign variations, and cheats. Each way is one row of the benchmark's table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks.verification import runs
from benchmarks.verification.runs import Run
from protocol.engine import generate as generating
from protocol.engine.generate import choose_tokens
from protocol.engine.llama import Cache, compute_logits, forward
from protocol.engine.model import ServedModel, build_model, in_dtype
from protocol.engine.requantise import LINEAR_LAYERS, requantise
from protocol.engine.sampler import margins
from protocol.types import Sampler

Prompts = Sequence[Sequence[int]]
Runner = Callable[[Prompts, Sequence[Sampler], int], list[Run]]
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
SKIPPED = (14, 15)
LAYERS_LEFT = 24
CONFIDENT = 0.9
DRAFT_MARGIN = 0.2
SHORT, LONG = 32, 128
"""Most tokens of an answer. What is too faint for short answers is asked for long ones."""


@dataclass(frozen=True)
class Way:
    """`build` makes a runner from the model in float32. `threads` and `environment` are its process's."""

    name: str
    honest: bool
    build: Callable[[ServedModel], Runner]
    sequences: int = 304
    batch: int = 16
    same_length: bool = False
    only: str = ""
    """"sampled" asks with temperature 1 alone, "system" only prompts that have a system message, which is dropped."""
    threads: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)
    limit: int = SHORT


def ways() -> tuple[Way, ...]:
    """All that run a model; what only edits or mixes finished answers is in `edits`."""
    b16 = torch.bfloat16
    return (
        Way("f32 batch 16", True, lambda m: partial(runs.padded, m), 512),
        Way("bf16 batch 16", True, lambda m: partial(runs.padded, in_dtype(m, b16)), 704),
        Way("bf16 batch 32", True, lambda m: partial(runs.padded, in_dtype(m, b16)), 512, 32),
        Way("bf16 chunked prefill", True, _filled(runs.in_chunks(16), b16), 400, 16, True),
        Way("bf16 prefix reuse", True, _filled(runs.from_prefix, b16), 304, 16, True),
        Way("bf16 avx2 kernels", True, lambda m: partial(runs.padded, in_dtype(m, b16)), 112, environment=AVX2),
        Way("bf16 two threads", True, lambda m: partial(runs.padded, in_dtype(m, b16)), 80, threads=2),
        Way("bf16 transformers library", True, _library, 304, 16, True),
        Way("bf16 batch 1", True, lambda m: partial(runs.padded, in_dtype(m, b16)), 48, 1),
        Way("f32 batch 1", True, lambda m: partial(runs.padded, m), 48, 1),
        Way("int8", False, lambda m: partial(runs.padded, _int8(m))),
        Way("int8 + bf16", False, lambda m: partial(runs.padded, in_dtype(_int8(m), b16))),
        Way("fp8 KV", False, lambda m: _with_fp8_cache(in_dtype(m, b16))),
        Way("int4", False, lambda m: partial(runs.padded, in_dtype(requantise(m), b16))),
        Way("weights + 1 % noise", False, lambda m: partial(runs.padded, in_dtype(_noisy(m), b16))),
        Way("layers 14, 15 skipped", False, lambda m: partial(runs.padded, in_dtype(_without(m, SKIPPED), b16))),
        Way("first 24 of 30 layers", False, lambda m: partial(runs.padded, in_dtype(_first(m), b16))),
        Way("system prompt dropped", False, lambda m: partial(runs.padded, in_dtype(m, b16)), only="system"),
        Way("middle of the prompt dropped", False, lambda m: _half_blind(in_dtype(m, b16))),
        Way("other seed", False, lambda m: _sampled(in_dtype(m, b16), lambda s: replace(s, seed=s.seed + 1)),
            only="sampled"),
        Way("greedy for sampled", False, lambda m: _sampled(in_dtype(m, b16), lambda s: Sampler("greedy", s.seed)),
            only="sampled"),
        Way("temperature 0.7 for 1", False,
            lambda m: _sampled(in_dtype(m, b16), lambda s: replace(s, temperature_milli=700)), only="sampled"),
        Way("temperature 0.95 for 1", False,
            lambda m: _sampled(in_dtype(m, b16), lambda s: replace(s, temperature_milli=950)), 400, only="sampled"),
        Way("prefill spoof: int4 writes", False, lambda m: _spoof(in_dtype(requantise(m), b16), m)),
        Way("prefill spoof: 24 layers write", False, lambda m: _spoof(in_dtype(_first(m), b16), m)),
        Way("prefill spoof: skip-2 writes", False, lambda m: _spoof(in_dtype(_without(m, SKIPPED), b16), m)),
        Way("prefill spoof: int8 writes", False, lambda m: _spoof(in_dtype(_int8(m), b16), m), 400),
        Way("own: lenient draft", False, lambda m: _lenient(in_dtype(_first(m), b16), in_dtype(m, b16)), 304, 16, True),
        Way("own: confident early exit, spoofed", False, lambda m: _early_exit(in_dtype(m, b16)), 304, 16, True),
    )


def long_ways() -> tuple[Way, ...]:
    """Answers of up to 128 tokens, judged only by the mean margin over several requests."""
    b16 = torch.bfloat16
    return (
        Way("bf16 batch 16, long", True, lambda m: partial(runs.padded, in_dtype(m, b16)), limit=LONG),
        Way("prefill spoof: int8 writes, long", False, lambda m: _spoof(in_dtype(_int8(m), b16), m), limit=LONG),
        Way("temperature 0.95 for 1, long", False,
            lambda m: _sampled(in_dtype(m, b16), lambda s: replace(s, temperature_milli=950)), only="sampled",
            limit=LONG),
    )


def _filled(prefill: runs.Prefill, dtype: torch.dtype) -> Callable[[ServedModel], Runner]:
    def build(model: ServedModel) -> Runner:
        cast = in_dtype(model, dtype)
        return lambda prompts, samplers, limit: runs.decode(cast, prompts, samplers, limit, prefill)

    return build


def _int8(model: ServedModel) -> ServedModel:
    """Symmetric, one scale for each output channel."""
    tensors = {}
    for name, tensor in model.tensors.items():
        if name.endswith(LINEAR_LAYERS):
            scale = tensor.abs().amax(dim=1, keepdim=True) / 127
            tensor = (tensor / scale).round() * scale
        tensors[name] = tensor
    return build_model(model.manifest, tensors)


def _noisy(model: ServedModel) -> ServedModel:
    """Gaussian noise of 1 % of each matrix's standard deviation."""
    generator = torch.Generator().manual_seed(1)
    return build_model(model.manifest, {
        name: tensor + 0.01 * tensor.std() * torch.randn(tensor.shape, generator=generator)
        if name.endswith(LINEAR_LAYERS) else tensor
        for name, tensor in model.tensors.items()
    })


def _without(model: ServedModel, places: Sequence[int]) -> ServedModel:
    layers = tuple(layer for place, layer in enumerate(model.network.layers) if place not in places)
    kept = [name for name in model.tensors if not any(f".layers.{place}." in name for place in places)]
    shorter = replace(model.manifest, shape=replace(model.manifest.shape, layers=len(layers)))
    renamed = {}
    left = [place for place in range(len(model.network.layers)) if place not in places]
    for name in kept:
        parts = name.split(".")
        if parts[1] == "layers":
            parts[2] = str(left.index(int(parts[2])))
        renamed[".".join(parts)] = model.tensors[name]
    return build_model(shorter, renamed)


def _first(model: ServedModel) -> ServedModel:
    return _without(model, range(LAYERS_LEFT, model.manifest.shape.layers))


class _Fp8Cache(Cache):
    """Keys and values rounded to e4m3."""

    def write(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        dtype = keys.dtype
        return super().write(layer, keys.to(torch.float8_e4m3fn).to(dtype), values.to(torch.float8_e4m3fn).to(dtype))


def _with_fp8_cache(model: ServedModel) -> Runner:
    def run(prompts: Prompts, samplers: Sequence[Sampler], limit: int) -> list[Run]:
        with patch.object(generating, "Cache", _Fp8Cache):
            return runs.padded(model, prompts, samplers, limit)

    return run


def _half_blind(model: ServedModel) -> Runner:
    def run(prompts: Prompts, samplers: Sequence[Sampler], limit: int) -> list[Run]:
        cut = [[*prompt[: len(prompt) // 3], *prompt[2 * len(prompt) // 3 :]] for prompt in prompts]
        return runs.padded(model, cut, samplers, limit)

    return run


def _sampled(model: ServedModel, change: Callable[[Sampler], Sampler]) -> Runner:
    return lambda prompts, samplers, limit: runs.padded(model, prompts, [change(one) for one in samplers], limit)


def _spoof(writer: ServedModel, model: ServedModel) -> Runner:
    """A cheap model writes, the full one proves."""
    prover = in_dtype(model, torch.bfloat16)
    return lambda prompts, samplers, limit: runs.spoofed(runs.padded(writer, prompts, samplers, limit), prompts, prover)


def _lenient(draft: ServedModel, full: ServedModel) -> Runner:
    """Speculative decoding that is content with nearly the right token: the draft's, wherever the full model finds it
    at most `DRAFT_MARGIN` nats worse than its own. Every claim comes from the full model. Made against our margins."""

    def run(prompts: Prompts, samplers: Sequence[Sampler], limit: int) -> list[Run]:
        side = _Side(draft, prompts, limit, _nearly)
        return runs.decode(full, prompts, samplers, limit, runs.in_one_pass, side.choose)

    return run


def _early_exit(model: ServedModel) -> Runner:
    """Leaves after 24 layers wherever those are sure of the next token; the full model proves afterwards."""
    short = _first(model)

    def run(prompts: Prompts, samplers: Sequence[Sampler], limit: int) -> list[Run]:
        side = _Side(short, prompts, limit, _sure)
        return runs.spoofed(runs.decode(model, prompts, samplers, limit, runs.in_one_pass, side.choose), prompts, model)

    return run


class _Side:
    """A cheaper model beside the full one: its token is taken in the rows where `takes` says so."""

    def __init__(self, cheap: ServedModel, prompts: Prompts, limit: int, takes: Callable[..., Tensor]) -> None:
        self._cheap, self._takes = cheap, takes
        tokens = torch.tensor([list(prompt) for prompt in prompts])
        self._cache = Cache(cheap.network, len(prompts), tokens.shape[1] + limit)
        with torch.inference_mode():
            self._state = runs.in_one_pass(cheap.network, self._cache, tokens)

    def choose(self, logits: Tensor, samplers: Sequence[Sampler], positions: Tensor, model: ServedModel) -> Tensor:
        early = compute_logits(self._cheap.network, self._state[:, -1]).float()
        guess = choose_tokens(early, samplers, positions, model)
        taken = self._takes(early, logits, guess, samplers, positions)
        chosen = torch.where(taken, guess, choose_tokens(logits, samplers, positions, model))
        self._state = forward(self._cheap.network, chosen.unsqueeze(1), self._cache)
        return chosen


def _sure(early: Tensor, _logits: Tensor, _guess: Tensor, _samplers: Sequence[Sampler], _positions: Tensor) -> Tensor:
    return early.softmax(dim=-1).amax(dim=-1) > CONFIDENT


def _nearly(_early: Tensor, logits: Tensor, guess: Tensor, samplers: Sequence[Sampler], positions: Tensor) -> Tensor:
    return torch.cat([
        margins(logits[row : row + 1], guess[row : row + 1], sampler, positions[row : row + 1])
        for row, sampler in enumerate(samplers)
    ]) <= DRAFT_MARGIN


def _library(model: ServedModel) -> Runner:
    from benchmarks.verification.library import LibraryRunner

    return LibraryRunner(model)
