"""Vector models under cheats: how many dishonest answers an audit catches, and how many honest ones it suspects.

    python -m benchmarks.vectors [NAME …] [--samples 1000]     # a minute for a small net, twenty for the sentence model

Every input is a call of its own, the hardest case; none of them is among those that the profile was calibrated on.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping

import torch
from torch import Tensor

from protocol.engine.calibrate_vectors import VARIATIONS, run_variation
from protocol.engine.vector_catalogue import find_vector_model, find_vector_profile, list_vector_models
from protocol.engine.vector_model import VectorModel, load_vector_model
from protocol.engine.vector_worker import run_calls
from protocol.types import VerdictKind
from protocol.vector_profile import VectorProfile
from protocol.vector_verdict import compare_vectors, judge_vectors
from protocol.vectors import VectorInputs, pack_rows, unpack_rows
from scripts.calibrate_vectors import INPUTS, honest_inputs

CHEATS = ("other_weights", "int8", "bf16", "stale", "constant", "truncated")
TENTH = 10


def main(*words: str) -> int:
    parser = argparse.ArgumentParser(prog="vectors", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=[manifest.name for manifest in list_vector_models()])
    parser.add_argument("--samples", type=int, default=1000)
    options = parser.parse_args(words)
    torch.set_num_threads(1)
    print("model | sent instead | calls | FRAUD | UNKNOWN | PASS | largest (honest) or least relative distance")
    for name in options.models:
        manifest = find_vector_model(name)
        model, profile = load_vector_model(manifest), find_vector_profile(manifest)
        inputs = honest_inputs(manifest, options.samples, skip=INPUTS)
        replay = run_calls(model, inputs, 1)
        for variation in VARIATIONS[1:]:
            claim = bytes.fromhex(run_variation(manifest, inputs, variation)["vector"])
            said = f"honest: {variation.name}, batch {variation.batch}, threads {variation.threads}"
            print_row(model, profile, said, claim, replay)
        for kind in CHEATS:
            print_row(model, profile, kind, cheat(kind, model, inputs, replay), replay)
    return 0


def print_row(model: VectorModel, profile: VectorProfile, said: str, claim: bytes, replay: bytes) -> None:
    kinds, distances = judge_each(model, profile, claim, replay)
    counts = " | ".join(str(kinds[kind]) for kind in (VerdictKind.FRAUD, VerdictKind.UNKNOWN, VerdictKind.PASS))
    edge = max(distances) if said.startswith("honest") else min(distances)
    print(f"{model.manifest.name} | {said} | {kinds.total()} | {counts} | {edge:.3g}", flush=True)


def judge_each(model: VectorModel, profile: VectorProfile, claim: bytes,
               replay: bytes) -> tuple[Counter[VerdictKind], list[float]]:
    """The verdicts of calls of one input each, and their relative distances."""
    width = model.manifest.output_width
    kinds: Counter[VerdictKind] = Counter()
    distances = []
    for start in range(0, len(claim), 4 * width):
        pair = claim[start : start + 4 * width], replay[start : start + 4 * width]
        kinds[judge_vectors(profile, model.manifest, 1, *pair).kind] += 1
        distances.append(compare_vectors(*pair, width).relative)
    return kinds, distances


def cheat(kind: str, model: VectorModel, inputs: VectorInputs, right: bytes) -> bytes:
    """What a dishonest provider sends for `inputs` instead of what is `right`: the answers to the neighbours' inputs,
    the best of constants, the answers to inputs that lack a tenth, or those of cheaper or slightly other weights."""
    manifest, width = model.manifest, 4 * model.manifest.output_width
    if kind == "stale":
        return right[width:] + right[:width]
    if kind == "constant":
        mean = torch.tensor(unpack_rows(right, manifest.output_width)).mean(dim=0)
        mean = mean / mean.norm() if manifest.unit else mean
        return pack_rows(mean.repeat(inputs.count, 1).float().numpy())
    if kind == "truncated":
        return run_calls(model, truncated(inputs, manifest.architecture == "scorer"), 16)
    return run_calls(model.with_tensors(altered(kind, model.tensors)), inputs, 16)


def altered(kind: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """int8 weights with a scale a row, bfloat16 weights and numbers, or weights a thousandth of their size away."""
    if kind == "int8":
        return {name: quantise(tensor) if tensor.dim() == 2 else tensor for name, tensor in tensors.items()}
    if kind == "bf16":
        return {name: tensor.bfloat16() for name, tensor in tensors.items()}
    generator = torch.Generator().manual_seed(1)
    return {name: tensor + 1e-3 * tensor.norm() / tensor.numel() ** 0.5 * torch.randn(tensor.shape, generator=generator)
            for name, tensor in tensors.items()}


def quantise(matrix: Tensor) -> Tensor:
    """A matrix as int8 with one scale a row, the usual weight-only quantisation, and back."""
    scale = (matrix.abs().amax(dim=1, keepdim=True) / 127).clamp(min=1e-12)
    return (matrix / scale).round().clamp(-127, 127) * scale


def truncated(inputs: VectorInputs, last: bool) -> VectorInputs:
    """Texts without their last tenth; rows whose first (or last) tenth is zero."""
    texts = tuple(text[: len(text) - max(1, len(text) // TENTH)] for text in inputs.texts)
    rows = []
    for row in inputs.rows:
        gone = max(1, len(row) // TENTH)
        rows.append((*row[:-gone], *[0.0] * gone) if last else (*[0.0] * gone, *row[gone:]))
    return VectorInputs(texts, tuple(rows))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
