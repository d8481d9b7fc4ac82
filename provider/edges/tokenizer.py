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
from provider.config import Settings
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


def load_counter(settings: Settings) -> TokenCounter:
    """Errors: ConfigInvalid when the model's file is missing or another one."""
    return TokenCounter(load_prompt_encoder(find_model(settings.model), model_cache(settings)))


def served_model(name: str) -> Served:
    """The digests that our offers and jobs name. Errors: Refused(UNKNOWN_MODEL | UNKNOWN_PROFILE)."""
    manifest = find_model(name)
    return Served(document_digest(manifest), document_digest(find_profile(manifest)), manifest.name)
