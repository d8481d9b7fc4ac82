"""The torch backend: the only module of the provider that leads to torch, imported by the worker alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from protocol.encoding import pack_float32
from protocol.engine.catalogue import find_model
from protocol.engine.generate import generate
from protocol.engine.model import ServedModel, load_model, use_threads
from protocol.engine.prompt import PromptEncoder, load_prompt_encoder
from protocol.sampling import PLAIN
from protocol.types import Sampler
from provider.config import Settings
from provider.edges.tokenizer import model_cache
from provider.records import Completion


class TorchBackend:
    """`provider.ports.Backend` over a model in memory and its tokenizer."""

    def __init__(self, model: ServedModel, encoder: PromptEncoder) -> None:
        self._model, self._encoder = model, encoder

    def run(self, messages: Sequence[tuple[str, str]], max_output_tokens: int, on_token: Callable[[int], None],
            cancelled: Callable[[], bool], sampler: Sampler = PLAIN,
            fingerprint_seed: bytes | None = None) -> Completion:
        """Raises GenerationCancelled, NumbersBroken, or what `check_request` refuses."""
        prompt = self._encoder.encode(messages)
        done = generate(self._model, prompt, max_output_tokens, lambda count, _token: on_token(count), cancelled,
                        sampler, fingerprint_seed)
        return Completion(len(prompt), done.output_token_ids, pack_float32(done.chosen_logprobs),
                          self._encoder.decode(done.output_token_ids), done.finish_reason.value, done.top_logprobs,
                          done.fingerprints)


def load_torch_backend(settings: Settings) -> TorchBackend:
    """The model that the settings name, checked against its manifest, on one torch thread. Errors: ConfigInvalid."""
    use_threads(1)
    manifest, cache = find_model(settings.model), model_cache(settings)
    return TorchBackend(load_model(manifest, cache), load_prompt_encoder(manifest, cache))
