"""`ports.Models` over the engine's catalogue and tokenizers; imports no torch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from protocol.documents import document_digest
from protocol.encoding import to_hex
from protocol.engine.catalogue import find_model, list_models, list_profiles
from protocol.engine.prompt import PromptEncoder, load_prompt_encoder
from protocol.engine.vector_catalogue import find_vector_model, list_vector_profiles
from protocol.engine.wordpiece import TextEncoder, count_input_tokens, load_text_encoder
from protocol.errors import Reason, Refused
from protocol.manifest import ModelManifest
from protocol.sampling import GREEDY, Drawing
from protocol.types import Prompt
from protocol.units import Digest
from protocol.vector_manifest import VectorManifest
from protocol.vectors import inputs_of_prompt
from requester.ports.jobs import ModelChoice

NOTHING_DRAWN = Drawing((GREEDY,), 0)
"""Of a vector model, whose calls name the plain sampler."""


class LocalModels:
    """The models that this release knows. A tokenizer is loaded once, when it is first needed."""

    def __init__(self, cache: Path, progress: Callable[[str, float], None] | None = None) -> None:
        self._cache, self._progress = cache, progress
        self._lock = threading.Lock()
        self._encoders: dict[Digest, PromptEncoder] = {}
        self._text_encoders: dict[str, TextEncoder | None] = {}
        self._found: dict[str | bytes, tuple[ModelChoice, VectorManifest | None]] = {}

    def find(self, name: str | None) -> ModelChoice:
        """By name in any case, or 0x digest; None is the only one there is. Raises Refused(UNKNOWN_MODEL)."""
        if name is not None:
            return self._find(bytes.fromhex(name[2:]) if _is_digest(name) else name)[0]
        models = list_models()
        if len(models) != 1:
            raise Refused(Reason.UNKNOWN_MODEL, "No model is named, and there is more than one.",
                          f"Choose one with --model: {', '.join(m.name for m in models)}.")
        return _choice(models[0])

    def find_digest(self, digest: Digest) -> ModelChoice:
        return self._find(bytes(digest))[0]

    def _find(self, asked: str | bytes) -> tuple[ModelChoice, VectorManifest | None]:
        """Kept once it was found: every call asks some times, and to read the release's documents takes 8 ms."""
        key = asked.lower() if isinstance(asked, str) else asked
        if key not in self._found:
            vector = _find_vector(asked)
            choice = _choice(find_model(asked)) if vector is None else _vector_choice(vector)
            self._found[key] = choice, vector
        return self._found[key]

    def name_of(self, digest: Digest) -> str:
        """The model's name, or its digest when it is not known here."""
        try:
            return self.find_digest(digest).name
        except Refused:
            return to_hex(digest)

    def count_tokens(self, model: ModelChoice, messages: Sequence[tuple[str, str]]) -> int:
        if (vector := self._find(bytes(model.digest))[1]) is not None:
            inputs = inputs_of_prompt(Prompt(tuple(messages), bytes(32)), vector)
            return count_input_tokens(inputs, vector, self._text_encoder(vector))
        return len(self._encoder(model).encode(messages))

    def decode(self, model: ModelChoice, token_ids: Sequence[int]) -> str:
        if not token_ids:  # of a vector model, say
            return ""
        return self._encoder(model).decode(token_ids)

    def token_bytes(self, model: ModelChoice) -> Callable[[int], bytes]:
        """What one token spells (`PromptEncoder.token_bytes`); for a text that is shown while it comes."""
        return self._encoder(model).token_bytes

    def _text_encoder(self, manifest: VectorManifest) -> TextEncoder | None:
        with self._lock:
            if manifest.name not in self._text_encoders:
                self._text_encoders[manifest.name] = load_text_encoder(manifest)
            return self._text_encoders[manifest.name]

    def _encoder(self, model: ModelChoice) -> PromptEncoder:
        with self._lock:
            if model.digest not in self._encoders:
                manifest = find_model(bytes(model.digest))
                self._encoders[model.digest] = load_prompt_encoder(manifest, self._cache, progress=self._progress)
            return self._encoders[model.digest]


def _choice(manifest: ModelManifest) -> ModelChoice:
    profiles = [p for p in list_profiles() if p.tensors_sha256 == manifest.tensors.sha256]
    return ModelChoice(manifest.name, document_digest(manifest), manifest.context_tokens, manifest.stop_token_ids,
                       {document_digest(profile): profile.drawing for profile in profiles})


def _vector_choice(manifest: VectorManifest) -> ModelChoice:
    profiles = [p for p in list_vector_profiles() if p.tensors_sha256 == manifest.tensors.sha256]
    # Each input is a text or a row of its own; together with the one output token that a spec allows they are a call.
    context = manifest.max_rows * (manifest.context_tokens or manifest.input_width) + 1
    return ModelChoice(manifest.name, document_digest(manifest), context, (),
                       {document_digest(profile): NOTHING_DRAWN for profile in profiles}, manifest.max_rows)


def _find_vector(name_or_digest: str | bytes) -> VectorManifest | None:
    try:
        return find_vector_model(name_or_digest)
    except Refused:
        return None


def _is_digest(name: str) -> bool:
    return len(name) == 66 and name.startswith("0x") and set(name[2:].lower()) <= set("0123456789abcdef")
