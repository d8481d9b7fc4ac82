"""One calibration run in a process of its own, because torch picks its CPU kernels when it starts.

Reads one JSON request from standard input, writes one JSON line a sequence to standard output. The
parent is `calibrate`; nothing else calls it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from protocol.claim import Asked, Claim
from protocol.engine.catalogue import find_model
from protocol.engine.generate import generate, generate_batch
from protocol.engine.llama import Cache, build_llama, compute_logits, forward
from protocol.engine.model import ServedModel, load_model, use_threads
from protocol.engine.replay import replay


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
    for batch in request["batches"]:
        prompts, limit = batch["prompts"], batch["output_tokens"]
        executions = (
            generate_batch(model, prompts, limit)
            if len(prompts) > 1
            else (generate(model, prompts[0], limit),)
        )
        for prompt, execution in zip(prompts, executions, strict=True):
            yield {
                "prompt": prompt,
                "tokens": execution.output_token_ids,
                "logprobs": execution.chosen_logprobs,
                "finish": execution.finish_reason.value,
                "limit": limit,
            }


def _replay_all(model: ServedModel, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for sequence in request["sequences"]:
        claim = Claim(tuple(sequence["tokens"]), None, sequence["finish"])
        found = replay(model, Asked(sequence["prompt"], sequence["limit"]), claim)
        yield {"margins": found.margins, "logprobs": found.chosen_logprobs}


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
