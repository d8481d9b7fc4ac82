"""Counting the input of each served model without torch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from protocol.engine.catalogue import find_model
from protocol.engine.prompt import PromptEncoder, load_prompt_encoder
from protocol.engine.weights import default_cache_folder
from protocol.manifest import check_request
from provider.config import Settings
from provider.edges.models import find_vector_manifest, model_digest
from provider.edges.vector_backend import load_vector_counter
from provider.ports.work import Counter, Counters


class TokenCounter:
    """`provider.ports.work.Counter`."""

    def __init__(self, encoder: PromptEncoder) -> None:
        self._encoder = encoder

    def count(self, messages: Sequence[tuple[str, str]], max_output_tokens: int) -> int:
        prompt = self._encoder.encode(messages)
        check_request(self._encoder.manifest, prompt, max_output_tokens)
        return len(prompt)


def model_cache(settings: Settings) -> Path:
    return settings.model_cache or default_cache_folder(os.environ)


def load_counter(name: str, cache: Path) -> Counter:
    """Errors: ConfigInvalid when the model's file is missing or another one; Refused(UNKNOWN_MODEL)."""
    if (vector := find_vector_manifest(name)) is not None:
        return load_vector_counter(vector)
    return TokenCounter(load_prompt_encoder(find_model(name), cache))


def load_counters(settings: Settings) -> Counters:
    """Of every model that the settings name. Errors: those of `load_counter`."""
    return {model_digest(name): load_counter(name, model_cache(settings)) for name in settings.models}
