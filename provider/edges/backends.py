"""The torch backends: the only module of the provider that leads to torch, imported by the worker alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from protocol.claim import pack_top
from protocol.encoding import pack_float32
from protocol.engine.batching import Engine
from protocol.engine.catalogue import find_model
from protocol.engine.generate import GenerationCancelled
from protocol.engine.model import ServedModel, load_model, use_threads
from protocol.engine.prompt import PromptEncoder, load_prompt_encoder
from protocol.sampling import PLAIN
from protocol.types import Sampler
from protocol.units import Digest
from provider.config import DEFAULT_STREAMS, Settings, threads_of
from provider.edges.models import find_vector_manifest, model_digest
from provider.edges.tokenizer import model_cache
from provider.edges.vector_backend import load_vector_backend
from provider.ports.work import Backend, Backends, Deliver
from provider.records.work import Completion, Produced

POLL = 0.1
"""Seconds between two looks at `cancelled` while no token comes."""


class TorchBackend:
    """`provider.ports.work.Backend` over one engine that batches all runs, and the model's tokenizer."""

    def __init__(self, model: ServedModel, encoder: PromptEncoder, slots: int = threads_of(DEFAULT_STREAMS)) -> None:
        self._encoder = encoder
        self._engine = Engine(model, slots).start()

    def close(self) -> None:
        self._engine.close()

    def run(self, messages: Sequence[tuple[str, str]], max_output_tokens: int, on_token: Callable[[int], None],
            cancelled: Callable[[], bool], sampler: Sampler = PLAIN, fingerprint_seed: bytes | None = None,
            deliver: Deliver | None = None) -> Completion:
        """Raises GenerationCancelled, NumbersBroken, EngineClosed, or what `check_request` refuses."""
        prompt = self._encoder.encode(messages)
        sequence = self._engine.submit(prompt, max_output_tokens, sampler, fingerprint_seed)
        kept, ended = 0, False
        try:
            while not (ended or sequence.is_taken):
                new = sequence.take(POLL)
                if new.ids:
                    out = len(new.ids) if deliver is None else deliver(
                        Produced(new.ids, pack_float32(new.logprobs), pack_top(list(new.top))))
                    kept, ended = kept + out, out < len(new.ids)
                    on_token(kept)
                ended = ended or (not sequence.is_taken and cancelled())
        finally:
            sequence.cancel()
        if ended and deliver is None:
            raise GenerationCancelled(f"Generation was cancelled after {kept} of {max_output_tokens} tokens.")
        done = sequence.execution(kept)
        return Completion(len(prompt), done.output_token_ids, pack_float32(done.chosen_logprobs),
                          self._encoder.decode(done.output_token_ids), done.finish_reason.value, done.top_logprobs,
                          done.fingerprints)


def load_text_backend(name: str, settings: Settings) -> TorchBackend:
    """A text model, checked against its manifest, on one thread of torch. Errors: ConfigInvalid, Refused."""
    use_threads(1)
    manifest, cache = find_model(name), model_cache(settings)
    return TorchBackend(load_model(manifest, cache), load_prompt_encoder(manifest, cache),
                        threads_of(settings.streams))


def load_torch_backends(settings: Settings) -> Backends:
    """Every model that the settings name, each in memory once. Errors: those of `load_text_backend`."""
    found: dict[Digest, Backend] = {}
    for name in settings.models:
        vector = find_vector_manifest(name)
        found[model_digest(name)] = load_text_backend(name, settings) if vector is None else load_vector_backend(vector)
    return found
