"""Loading and running a vector model: its tensors checked against the manifest, then inputs in, rows of numbers out.

The provider's worker and an auditor's replay are the same function; only batch and threads differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from protocol.engine import bert, forecaster, scorer
from protocol.engine.data_file import ModelFileMismatch, ModelFileMissing
from protocol.engine.digests import digest_file, digest_tensors
from protocol.engine.tensor_plan import check_against_plan
from protocol.engine.vector_catalogue import locate_vector_weights
from protocol.engine.wordpiece import TextEncoder, count_input_tokens, load_text_encoder
from protocol.errors import BadInput
from protocol.vector_manifest import VectorManifest
from protocol.vectors import VectorInputs, check_inputs, pack_rows

BATCH = 16
"""Inputs computed at once. Batches of equal lengths are fastest, so texts are sorted by length before."""

ROUNDS, ROUNDING = 4, 2.0**-23
"""How often inputs are run again before a distance convicts, and by which part each number is then off."""


@dataclass(frozen=True)
class VectorRun:
    """What one call computed: the packed vector and the input tokens (texts) or numbers (rows) that it is paid for."""

    vector: bytes
    input_tokens: int


class VectorModel:
    """A vector model over tensors that are in memory. Thread-safe: nothing changes after it is made."""

    def __init__(self, manifest: VectorManifest, tensors: Mapping[str, Tensor], encoder: TextEncoder | None) -> None:
        self.manifest, self.tensors, self._encoder = manifest, dict(tensors), encoder

    def count_tokens(self, inputs: VectorInputs) -> int:
        """What a call is paid for, as `wordpiece.count_input_tokens` says it without the weights."""
        return count_input_tokens(inputs, self.manifest, self._encoder)

    def run(self, inputs: VectorInputs, batch: int = BATCH) -> VectorRun:
        """The rows of all inputs, in their order, as float32 bytes. Errors: those of `rows`."""
        return VectorRun(pack_rows(self.rows(inputs, batch).float().numpy()), self.count_tokens(inputs))

    def rows(self, inputs: VectorInputs, batch: int = BATCH) -> Tensor:
        """Outputs (inputs, output width) in the dtype of the tensors.

        Errors: those of `check_inputs`; `Refused(TOO_MANY_TOKENS)` for a text beyond the model's context.
        """
        check_inputs(inputs, self.manifest)
        if self._encoder is not None:
            return self._embed_all(self._encoder.encode(inputs.texts), batch)
        values = torch.tensor(inputs.rows, dtype=torch.float32)
        return torch.cat([self.compute(values[i : i + batch]) for i in range(0, len(values), batch)])

    @torch.inference_mode()
    def perturb(self, inputs: VectorInputs, seed: int, rounds: int = ROUNDS) -> list[bytes]:
        """What the model gives in float64 when each weight, and each number of a row, is off by a rounding of float32:
        how far apart honest runs may lie on these inputs. The same for the same seed. Errors: those of `rows`."""
        check_inputs(inputs, self.manifest)
        chance = torch.Generator().manual_seed(seed)

        def off(values: Tensor) -> Tensor:
            shift = torch.rand(values.shape, generator=chance, dtype=torch.float64) * 2 - 1
            return values.double() * (1 + ROUNDING * shift)

        found = []
        for _ in range(rounds):
            model = self.with_tensors({name: off(tensor) for name, tensor in self.tensors.items()})
            made = model.rows(inputs) if self._encoder is not None else model.compute(off(torch.tensor(inputs.rows)))
            found.append(pack_rows(made.float().numpy()))
        return found

    def with_tensors(self, tensors: Mapping[str, Tensor]) -> VectorModel:
        """The same architecture over other numbers: another dtype, or what a cheat would serve."""
        return VectorModel(self.manifest, tensors, self._encoder)

    @torch.inference_mode()
    def compute(self, rows: Tensor) -> Tensor:
        """Outputs (rows, output width) of rows of numbers, in the dtype of the tensors."""
        values = rows.to(next(iter(self.tensors.values())).dtype)
        if self.manifest.architecture == "forecaster":
            return forecaster.forecast(self.manifest.shape, self.tensors, values)
        return scorer.score(self.tensors, values)

    def _embed_all(self, tokens: list[list[int]], batch: int) -> Tensor:
        order = sorted(range(len(tokens)), key=lambda place: len(tokens[place]))
        found: dict[int, Tensor] = {}
        for start in range(0, len(order), batch):
            places = order[start : start + batch]
            rows = bert.embed(self.manifest.shape, self.tensors, [tokens[place] for place in places])
            found.update(zip(places, rows, strict=True))
        return torch.stack([found[place] for place in range(len(tokens))])


def load_vector_model(manifest: VectorManifest, weights_file: Path | None = None) -> VectorModel:
    """The model of a manifest, from the package or the release that ships its weights.

    Errors: `ModelFileMissing`, `ModelFileMismatch`, `BundleRefused`.
    """
    path = weights_file or locate_vector_weights(manifest)
    if not path.is_file():
        raise ModelFileMissing(f"There is no model file at {path}.", "Run: make setup")
    found = digest_file(path)
    if found != manifest.weights:
        raise ModelFileMismatch(f"The model file {path}", found.sha256, manifest.weights.sha256,
                                "Reinstall the package that ships it, or name the model whose file this is.")
    plan = plan_of(manifest)
    with safe_open(path, framework="pt") as stream:
        stored = set(stream.keys())
        tensors = {name: stream.get_tensor(name) for name in plan if name in stored}
    check_against_plan({name: tuple(tensor.shape) for name, tensor in tensors.items()}, plan, path.name)
    decoded = digest_tensors((name, tensors[name].numpy()) for name in sorted(tensors))
    if decoded != manifest.tensors:
        raise ModelFileMismatch(f"The tensors of {manifest.name}", decoded.sha256, manifest.tensors.sha256,
                                "The manifest names other weights: reinstall this release.")
    return VectorModel(manifest, tensors, load_text_encoder(manifest, path))


def plan_of(manifest: VectorManifest) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of the manifest's architecture. Errors: `BadInput` for sizes of another one."""
    sizes, plan = {"bert": (bert.SIZES, bert.plan_bert), "forecaster": (forecaster.SIZES, forecaster.plan_forecaster),
                   "scorer": (scorer.SIZES, scorer.plan_scorer)}[manifest.architecture]
    if set(manifest.shape) != sizes:
        raise BadInput(f"A {manifest.architecture} has the sizes {sorted(sizes)}, the manifest "
                       f"{sorted(manifest.shape)}.")
    return plan(manifest.shape)
