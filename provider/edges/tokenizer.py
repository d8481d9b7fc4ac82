"""Counting prompt tokens without torch, and what this provider serves."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from protocol.documents import document_digest
from protocol.engine.catalogue import find_model, find_profile
from protocol.engine.prompt import PromptEncoder, load_prompt_encoder
from protocol.engine.weights import default_cache_folder
from protocol.manifest import check_request
from protocol.profile import CalibrationProfile
from provider.config import TORCH_CLASS, Settings
from provider.edges.vector_backend import find_vector_manifest, load_vector_counter, served_vector
from provider.ports import Counter
from provider.records import Served


class TokenCounter:
    """`provider.ports.Counter`."""

    def __init__(self, encoder: PromptEncoder) -> None:
        self._encoder = encoder

    def count(self, messages: Sequence[tuple[str, str]], max_output_tokens: int) -> int:
        prompt = self._encoder.encode(messages)
        check_request(self._encoder.manifest, prompt, max_output_tokens)
        return len(prompt)


def model_cache(settings: Settings) -> Path:
    return settings.model_cache or default_cache_folder(os.environ)


def load_counter(settings: Settings) -> Counter:
    """Errors: ConfigInvalid when the model's file is missing or another one."""
    if (vector := find_vector_manifest(settings.model)) is not None:
        return load_vector_counter(vector)
    return TokenCounter(load_prompt_encoder(find_model(settings.model), model_cache(settings)))


def served_profile(name: str, backend_class: str = TORCH_CLASS) -> CalibrationProfile:
    """The profile of a model's class (backend-dtype-device). Errors: Refused(UNKNOWN_MODEL | UNKNOWN_PROFILE)."""
    return find_profile(find_model(name), *backend_class.split("-", 2))


def served_model(name: str, backend_class: str = TORCH_CLASS) -> Served:
    """What our offers and jobs name. Errors: Refused(UNKNOWN_MODEL | UNKNOWN_PROFILE)."""
    if (vector := find_vector_manifest(name)) is not None:
        return served_vector(vector)
    manifest, profile = find_model(name), served_profile(name, backend_class)
    drawing = profile.drawing
    return Served(document_digest(manifest), document_digest(profile), manifest.name, tuple(drawing.kinds),
                  drawing.min_tokens)
