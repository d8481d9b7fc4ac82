"""The reference model behind `oracle.ports.Replayer`. Torch is imported when the model is loaded, not before."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from oracle.edges.catalogue import ReleaseCatalogue
from oracle.records.scores import Measured
from protocol.claim import Asked, Claim
from protocol.claim_faults import ClaimFault, find_fault
from protocol.comparison import compute_statistics
from protocol.engine.prompt import PromptEncoder, load_prompt_encoder
from protocol.engine.weights import default_cache_folder
from protocol.manifest import ModelManifest, check_request
from protocol.profile import CalibrationProfile
from protocol.types import AuditStatistics
from protocol.units import Digest
from protocol.vector_manifest import VectorManifest
from protocol.vector_profile import VectorProfile
from protocol.vectors import VectorInputs

if TYPE_CHECKING:
    from protocol.engine.model import ServedModel
    from protocol.engine.vector_model import VectorModel

BACKEND = "torch/f32/cpu"
F32 = "f32"
ODD_CHUNK = 7
"""Tokens a pass of the second chunked prefill: other matrix shapes, other kernels."""


class TorchReplayer:
    """One prefill pass an audit, in one thread. Models stay in memory once they are loaded."""

    def __init__(self, cache: Path | None = None) -> None:
        self._cache = cache or default_cache_folder({})
        self._catalogue = ReleaseCatalogue()
        self._models: dict[bytes, ServedModel] = {}
        self._rounded: dict[bytes, ServedModel] = {}
        self._encoders: dict[bytes, PromptEncoder] = {}
        self._vector_models: dict[bytes, VectorModel] = {}

    def load_all(self) -> list[Digest]:
        """Load every model that this release knows; returns their digests."""
        for digest in self._catalogue.models:
            self._encoder(digest)
            self._model(digest)
        return list(self._catalogue.models)

    def manifest(self, model: bytes) -> ModelManifest:
        return self._catalogue.manifest(model)

    def profile(self, profile: bytes, model: bytes) -> CalibrationProfile:
        return self._catalogue.profile(profile, model)

    def encode(self, model: bytes, messages: Sequence[tuple[str, str]]) -> tuple[int, ...]:
        return self._encoder(model).encode(messages)

    def decode(self, model: bytes, token_ids: Sequence[int]) -> str:
        return self._encoder(model).decode(token_ids)

    def measure(self, model: bytes, asked: Asked, claim: Claim) -> Measured | ClaimFault:
        from protocol.engine.replay import replay, rules_for

        served = self._model(model)
        check_request(served.manifest, asked.prompt_token_ids, asked.max_output_tokens)
        rules = rules_for(served.manifest, asked.max_output_tokens, asked.sampler, asked.may_end_early)
        fault = find_fault(claim, rules)
        if fault is not None:
            return fault
        found = replay(served, asked, claim)
        return Measured(compute_statistics(claim, found), found)

    def measure_self_noise(self, model: bytes, dtype: str, asked: Asked, claim: Claim) -> tuple[AuditStatistics, ...]:
        from protocol.engine.replay import CHUNK, measure_self_noise

        served = self._model(model)
        if dtype == F32:
            return tuple(measure_self_noise(served, served, asked, claim, chunk) for chunk in (CHUNK, ODD_CHUNK))
        rounded = self._bf16(model)
        return (measure_self_noise(served, rounded, asked, claim),
                measure_self_noise(served, rounded, asked, claim, CHUNK))

    def vector_manifest(self, model: bytes) -> VectorManifest | None:
        return self._catalogue.vector_manifest(model)

    def vector_profile(self, profile: bytes, model: bytes) -> VectorProfile:
        return self._catalogue.vector_profile(profile, model)

    def replay_vector(self, model: bytes, inputs: VectorInputs) -> tuple[bytes, int]:
        done = self._vector_model(model).run(inputs, batch=1)
        return done.vector, done.input_tokens

    def perturb_vector(self, model: bytes, inputs: VectorInputs, seed: int) -> list[bytes]:
        return self._vector_model(model).perturb(inputs, seed)

    def versions(self) -> dict[str, str]:
        names = ("torch", "tokenizers", "malla")
        return {"backend": BACKEND, **{name: version(name) for name in names}}

    def _encoder(self, model: bytes) -> PromptEncoder:
        if model not in self._encoders:
            self._encoders[model] = load_prompt_encoder(self.manifest(model), self._cache)
        return self._encoders[model]

    def _bf16(self, model: bytes) -> ServedModel:
        if model not in self._rounded:
            import torch

            from protocol.engine.model import in_dtype

            self._rounded[model] = in_dtype(self._model(model), torch.bfloat16)
        return self._rounded[model]

    def _vector_model(self, model: bytes) -> VectorModel:
        from protocol.engine.model import use_threads
        from protocol.engine.vector_model import load_vector_model

        if model not in self._vector_models:
            use_threads(1)
            self._vector_models[model] = load_vector_model(self._catalogue.vector_models[Digest(model)])
        return self._vector_models[model]

    def _model(self, model: bytes) -> ServedModel:
        if model not in self._models:
            from protocol.engine.model import load_model, use_threads

            use_threads(1)
            self._models[model] = load_model(self.manifest(model), self._cache)
        return self._models[model]
