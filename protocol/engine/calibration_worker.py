"""One calibration run in a process of its own, because torch picks its CPU kernels when it starts.

Reads one JSON request from standard input, writes one JSON line a sequence to standard output. The
parent is `calibrate`; nothing else calls it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from protocol.claim import Asked, Claim, OpenedRows
from protocol.comparison import compute_statistics
from protocol.engine.benign import BF16, CHUNKED, GREEDY, TRANSFORMERS, WHOLE
from protocol.engine.catalogue import find_model
from protocol.engine.generate import Execution, generate, generate_batch
from protocol.engine.llama import Cache, build_llama, compute_logits, forward
from protocol.engine.model import ServedModel, in_dtype, load_model, use_threads
from protocol.engine.passes import TransformersSteps, build_transformers
from protocol.engine.replay import CHUNK, replay
from protocol.proofs.fingerprint import (
    ROW_BYTES,
    fingerprint_root,
    groups,
    open_group,
    positions,
    read_opening,
    seed_of,
)
from protocol.types import Sampler

COOL_MILLI, HOT_MILLI = 700, 1_000
TOP_P_BPS = 9_500


def main() -> int:
    """Run the request and flush each line, so that the parent can show progress."""
    # A calibration shares its machine with nodes that serve; it can wait.
    os.nice(10)
    request = json.load(sys.stdin)
    use_threads(request["threads"])
    model = load_model(find_model(request["model"]), Path(request["cache"]))
    roles = {"generate": _generate_all, "replay": _replay_all, "reference": _measure_rounding}
    for line in roles[request["role"]](model, request):
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
    return 0


def _generate_all(model: ServedModel, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    model = in_dtype(model, torch.bfloat16) if request["dtype"] == BF16 else model
    library = build_transformers(model) if request["network"] == TRANSFORMERS else None
    for batch in request["batches"]:
        prompts, limit = batch["prompts"], batch["output_tokens"]
        samplers = [_sampler(request["sampler"], batch["first_seed"] + place, batch["hot"])
                    for place in range(len(prompts))]
        seeds = [seed_of(bytes(32), 0, sampler.seed) for sampler in samplers]
        executions = _run(model, library, request, prompts, limit, samplers, seeds)
        for prompt, sampler, seed, execution in zip(prompts, samplers, seeds, executions, strict=True):
            yield {
                "prompt": prompt,
                "tokens": execution.output_token_ids,
                "logprobs": execution.chosen_logprobs,
                "finish": execution.finish_reason.value,
                "limit": limit,
                "top": execution.top_logprobs.hex(),
                "rows": execution.fingerprints.hex(),
                "seed": seed.hex(),
                "sampler": asdict(sampler),
            }


def _run(model: ServedModel, library: Any, request: dict[str, Any], prompts: list[list[int]], limit: int,
         samplers: list[Sampler], seeds: Sequence[bytes]) -> tuple[Execution, ...]:
    if request["passes"] == WHOLE and library is None:
        return generate_batch(model, prompts, limit, samplers, seeds)
    return tuple(
        generate(model, prompt, limit, sampler=sampler, fingerprint_seed=seed,
                 steps=None if library is None else TransformersSteps(library), widths=_widths(request, len(prompt)))
        for prompt, sampler, seed in zip(prompts, samplers, seeds, strict=True)
    )


def _widths(request: dict[str, Any], count: int) -> list[int]:
    """Tokens of each pass over a prompt: one, chunks, or a prefix that was cached before and the rest."""
    if request["passes"] == WHOLE or count < 2:
        return [count]
    if request["passes"] == CHUNKED:
        return [min(CHUNK, count - place) for place in range(0, count, CHUNK)]
    return [count // 2, count - count // 2]


def _sampler(kind: str, seed: int, hot: bool) -> Sampler:
    if kind == GREEDY:
        return Sampler(GREEDY, seed)
    return Sampler(kind, seed, HOT_MILLI) if hot else Sampler(kind, seed, COOL_MILLI, TOP_P_BPS)


def _replay_all(model: ServedModel, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    chunk = CHUNK if request["passes"] == CHUNKED else None
    for place, sequence in enumerate(request["sequences"]):
        claim = Claim(tuple(sequence["tokens"]), tuple(sequence["logprobs"]), sequence["finish"],
                      bytes.fromhex(sequence["top"]), _opened(bytes.fromhex(sequence["rows"]), place))
        asked = Asked(sequence["prompt"], sequence["limit"], Sampler(**sequence["sampler"]),
                      bytes.fromhex(sequence["seed"]))
        yield asdict(compute_statistics(claim, replay(model, asked, claim, chunk)))


def _opened(rows: bytes, place: int) -> OpenedRows:
    """One group of a sequence's fingerprints, as an auditor reads it."""
    root, tokens = fingerprint_root(rows), len(rows) // ROW_BYTES
    group = place % groups(tokens)
    return OpenedRows(*read_opening(open_group(rows, group), root, tokens, group), tuple(positions(tokens, group)))


@torch.inference_mode()
def _measure_rounding(model: ServedModel, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    # The same network in float64 stands for the exact result; what is left is float32's rounding.
    shape, positions = model.manifest.shape, model.manifest.context_tokens
    exact = build_llama(shape, {name: tensor.double() for name, tensor in model.tensors.items()}, positions)
    for sequence in request["sequences"]:
        tokens = torch.tensor([[*sequence["prompt"], *sequence["tokens"][:-1]]])
        first, logits = len(sequence["prompt"]) - 1, []
        for network in (model.network, exact):
            hidden = forward(network, tokens, Cache(network, 1, tokens.shape[1]))[0, first:]
            logits.append(compute_logits(network, hidden).double())
        yield {"error": float((logits[0] - logits[1]).abs().max())}


if __name__ == "__main__":
    raise SystemExit(main())
