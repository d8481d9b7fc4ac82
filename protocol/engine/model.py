"""Loading a served model: float32 tensors mapped from the shared cache, checked against the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from protocol.engine.llama import Llama, build_llama
from protocol.engine.weights import (
    TENSOR_FILE,
    ModelFileMismatch,
    Progress,
    digest_tensors,
    discard_prepared,
    prepare_model,
)
from protocol.manifest import ModelManifest


@dataclass(frozen=True)
class ServedModel:
    """A network ready to run, the tensors it was built from, and the manifest that it claims to be."""

    manifest: ModelManifest
    tensors: Mapping[str, Tensor]
    network: Llama


def use_threads(count: int) -> None:
    """Set torch's threads for this process. One a process is fastest as soon as a neighbour is busy."""
    torch.set_num_threads(count)


def build_model(manifest: ModelManifest, tensors: Mapping[str, Tensor]) -> ServedModel:
    """A model over tensors that are in memory already, without checking their digest."""
    return ServedModel(manifest, tensors, build_llama(manifest.shape, tensors, manifest.context_tokens))


def in_dtype(model: ServedModel, dtype: torch.dtype) -> ServedModel:
    """The same model computing in another dtype; its matrices are copied."""
    tensors = {name: tensor.to(dtype) for name, tensor in model.tensors.items()}
    return build_model(model.manifest, tensors)


def load_model(
    manifest: ModelManifest, cache: Path, weights_file: Path | None = None, progress: Progress | None = None
) -> ServedModel:
    """The model of a manifest. A damaged cache is derived again once; the weights stay shared pages.

    Errors: `ModelFileMissing`, `ModelFileMismatch`, `GgufUnsupported`.
    """
    for last_try in (False, True):
        tensors = _map_tensors(prepare_model(manifest, cache, weights_file, progress) / TENSOR_FILE)
        found = digest_tensors((name, tensors[name].numpy()) for name in sorted(tensors))
        if found == manifest.tensors:
            return build_model(manifest, tensors)
        if not last_try:
            discard_prepared(manifest, cache)
    raise ModelFileMismatch(
        f"The tensors of {manifest.name} in {cache}",
        found.sha256,
        manifest.tensors.sha256,
        "The disk or another program changes the cache: set MALLA_MODEL_CACHE to another folder.",
    )


def _map_tensors(path: Path) -> dict[str, Tensor]:
    # safe_open maps the file; tensors are views of the map, so processes share the pages.
    with safe_open(path, framework="pt") as stream:
        names = list(stream.keys())
        return {name: stream.get_tensor(name) for name in names}
