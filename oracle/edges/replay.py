"""The reference model behind `oracle.ports.Replayer`. Torch is imported when the model is loaded, not before."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from oracle.edges.catalogue import ReleaseCatalogue
from protocol.claim import Claim, ClaimFault
from protocol.engine.prompt import PromptEncoder, load_prompt_encoder
from protocol.engine.weights import default_cache_folder
from protocol.manifest import ModelManifest
from protocol.profile import CalibrationProfile
from protocol.types import AuditStatistics
from protocol.units import Digest

if TYPE_CHECKING:
    from protocol.engine.model import ServedModel

BACKEND = "torch/f32/cpu"


class TorchReplayer:
    """One prefill pass an audit, in one thread. Models stay in memory once they are loaded."""

    def __init__(self, cache: Path | None = None) -> None:
        self._cache = cache or default_cache_folder({})
        self._catalogue = ReleaseCatalogue()
        self._models: dict[bytes, ServedModel] = {}
        self._encoders: dict[bytes, PromptEncoder] = {}

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

    def measure(self, model: bytes, prompt_ids: Sequence[int], claim: Claim,
                max_output_tokens: int) -> AuditStatistics | ClaimFault:
        from protocol.engine.replay import audit_claim

        return audit_claim(self._model(model), prompt_ids, claim, max_output_tokens)

    def versions(self) -> dict[str, str]:
        names = ("torch", "tokenizers", "malla")
        return {"backend": BACKEND, **{name: version(name) for name in names}}

    def _encoder(self, model: bytes) -> PromptEncoder:
        if model not in self._encoders:
            self._encoders[model] = load_prompt_encoder(self.manifest(model), self._cache)
        return self._encoders[model]

    def _model(self, model: bytes) -> ServedModel:
        if model not in self._models:
            from protocol.engine.model import load_model, use_threads

            use_threads(1)
            self._models[model] = load_model(self.manifest(model), self._cache)
        return self._models[model]
