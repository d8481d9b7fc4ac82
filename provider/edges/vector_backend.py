"""What serves a vector model: a backend for the worker, and a counter that needs no torch.

A call's inputs are the messages of its prompt (`protocol.vectors`). Jobs are for token models only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from protocol.engine.wordpiece import TextEncoder, count_input_tokens, load_text_encoder
from protocol.errors import BadInput, Reason, Refused
from protocol.sampling import PLAIN
from protocol.types import Prompt, Sampler
from protocol.vector_manifest import VectorManifest
from protocol.vectors import VectorInputs, inputs_of_prompt
from provider.ports.work import Deliver
from provider.records.work import Completion

if TYPE_CHECKING:
    from protocol.engine.vector_model import VectorModel


def inputs_of(messages: Sequence[tuple[str, str]], manifest: VectorManifest) -> VectorInputs:
    """Errors: those of `inputs_of_prompt`."""
    return inputs_of_prompt(Prompt(tuple(messages), bytes(32)), manifest)


class VectorCounter:
    """`provider.ports.work.Counter` of a vector model."""

    def __init__(self, manifest: VectorManifest, encoder: TextEncoder | None) -> None:
        self._manifest, self._encoder = manifest, encoder

    def count(self, messages: Sequence[tuple[str, str]], max_output_tokens: int) -> int:
        if max_output_tokens != 1:
            raise BadInput(f"A vector has no tokens, the call allows {max_output_tokens}.", "Ask with a limit of 1.")
        return count_input_tokens(inputs_of(messages, self._manifest), self._manifest, self._encoder)


class VectorBackend:
    """`provider.ports.work.Backend` of a vector model: one pass, no stream."""

    def __init__(self, model: VectorModel) -> None:
        self._model = model

    def close(self) -> None:
        """There is nothing to end."""

    def run(self, messages: Sequence[tuple[str, str]], max_output_tokens: int, on_token: Callable[[int], None],
            cancelled: Callable[[], bool], sampler: Sampler = PLAIN, fingerprint_seed: bytes | None = None,
            deliver: Deliver | None = None) -> Completion:
        """Raises Refused for a job, and what `VectorModel.run` refuses."""
        if deliver is None:
            raise Refused(Reason.UNKNOWN_MODEL, f"{self._model.manifest.name} answers the calls of sessions, not jobs.",
                          "Open a session: malla request serve.")
        done = self._model.run(inputs_of(messages, self._model.manifest))
        return Completion(done.input_tokens, (), b"", "", "stop", vector=done.vector)


def load_vector_counter(manifest: VectorManifest) -> VectorCounter:
    """Errors: ConfigInvalid when the tokenizer's file is missing or another one."""
    return VectorCounter(manifest, load_text_encoder(manifest))


def load_vector_backend(manifest: VectorManifest) -> VectorBackend:
    """Imports torch: for the worker alone. Errors: ConfigInvalid."""
    from protocol.engine.model import use_threads
    from protocol.engine.vector_model import load_vector_model

    use_threads(1)
    return VectorBackend(load_vector_model(manifest))
