"""A stock model server as the backend: vLLM, llama.cpp or any other that speaks OpenAI's /v1/completions.

Prompts go as token ids, which we render and count ourselves; the server streams ids and logprobs. Such a server knows
nothing of token-keyed noise and gives no hidden states: it serves greedy jobs, of a class whose profile asks for no
fingerprint. What it answers is checked like a stranger's claim before anything of it is signed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from time import monotonic
from typing import Any

from protocol.chain.keystore import read_password
from protocol.claim import Claim, FinishReason, pack_top
from protocol.claim_faults import ClaimRules, find_fault
from protocol.encoding import pack_float32, unpack_float32
from protocol.engine.catalogue import find_model
from protocol.engine.prompt import PromptEncoder, load_prompt_encoder
from protocol.errors import ConfigInvalid, Malformed, Reason, Refused, Unavailable
from protocol.manifest import check_request
from protocol.sampling import GREEDY, PLAIN
from protocol.types import Sampler
from provider.config import Settings
from provider.edges.models import served_profile
from provider.edges.openai_answer import ServerAnswer, ids_of, logprobs_of
from provider.edges.openai_chunks import ServerToken
from provider.edges.openai_http import ModelServer, RunCancelled
from provider.edges.tokenizer import model_cache
from provider.ports.work import Deliver
from provider.records.work import Completion

PATIENCE = 60.0
"""Seconds for which a job's run asks a server again that is down or busy, before its first token."""
TRY_AGAIN = 0.5
MAX_ROUNDS = 32
"""Requests for one answer: a server may end at a token at which our manifest does not."""
LATE_CHUNKS = 3
"""Chunks that are read behind an answer, for what the server says of the whole."""
TOP_LOGPROBS, FINGERPRINT = "mean_top_logprob_distance", "fingerprint_distance"
PARAMETERS: dict[str, Any] = {
    "n": 1, "temperature": 0, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0, "logprobs": 5,
    "stream": True, "stream_options": {"include_usage": True},
    # vLLM's: ids beside texts. Whoever does not know a field leaves it.
    "return_token_ids": True, "return_tokens_as_token_ids": True, "repetition_penalty": 1.0,
    # llama.cpp's, which a server may have been started with.
    "repeat_penalty": 1.0, "dry_multiplier": 0, "xtc_probability": 0, "mirostat": 0,
}


class OpenAiServerBackend:
    """`ports.work.Backend` over a server. `required` are the proofs of our profile, `model` is the server's name of
    it (empty where it has one); `patience` is in seconds."""

    def __init__(self, server: ModelServer, encoder: PromptEncoder, model: str = "", required: Sequence[str] = (),
                 patience: float = 0.0) -> None:
        if FINGERPRINT in required:
            raise ConfigInvalid("The profile asks for fingerprints, which a model server cannot give.",
                                "Name a class of a server in MALLA_BACKEND_CLASS, such as llamacpp-q4_1-cpu.")
        self._server, self._encoder, self._model = server, encoder, model
        self._manifest, self._required, self._patience = encoder.manifest, required, patience

    def check(self) -> None:
        """Whether the server is there and has the model. Errors: `ConfigInvalid`, `Unavailable`, `Malformed`."""
        names = self._server.models()
        if self._model and names and self._model not in names:
            raise ConfigInvalid(f"The model server does not serve {self._model!r} but {', '.join(names)[:200]}.",
                                "Set MALLA_BACKEND_MODEL to one of these names.")
        if not self._model and len(names) != 1:
            raise ConfigInvalid(f"The model server has {len(names)} models.", "Name one in MALLA_BACKEND_MODEL.")
        self._model = self._model or names[0]

    def close(self) -> None:
        self._server.close()

    def run(self, messages: Sequence[tuple[str, str]], max_output_tokens: int, on_token: Callable[[int], None],
            cancelled: Callable[[], bool], sampler: Sampler = PLAIN, fingerprint_seed: bytes | None = None,
            deliver: Deliver | None = None) -> Completion:
        """Raises Refused for any sampler but greedy, before the server is asked, and what `check_request` refuses;
        RunCancelled; Unavailable, ConfigInvalid, Malformed, TooLarge for what the server does. `fingerprint_seed` has
        no use: a server shows no hidden states."""
        refuse_sampler(sampler)
        prompt = self._encoder.encode(messages)
        check_request(self._manifest, prompt, max_output_tokens)
        written = self.complete(prompt, max_output_tokens, on_token, cancelled, deliver)
        if not written:
            raise RunCancelled("The run was cancelled before any of its tokens went out.")
        claim = self._claim(written, max_output_tokens, deliver is not None)
        return Completion(len(prompt), claim.output_token_ids, pack_float32(claim.chosen_logprobs or ()),
                          self._encoder.decode(claim.output_token_ids), claim.finish_reason, claim.top_logprobs)

    def complete(self, prompt: Sequence[int], limit: int, on_token: Callable[[int], None],
                 cancelled: Callable[[], bool], deliver: Deliver | None = None) -> list[ServerToken]:
        """The tokens that follow a prompt of ids, the stop token included. Errors: as `run` has them."""
        answer = ServerAnswer(limit, self._manifest.stop_token_ids, on_token, deliver)
        # Whoever waits for a call is served by another provider sooner than by a server that is down.
        until = monotonic() + (self._patience if deliver is None else 0.0)
        for _ in range(MAX_ROUNDS):
            before = len(answer.written)
            try:
                finish = self._round(answer, prompt, until, cancelled)
            except RunCancelled:
                if deliver is None or not answer.written:
                    raise
                return answer.written
            if answer.is_over:
                return answer.written
            if finish != FinishReason.STOP or len(answer.written) == before:
                break
        raise Unavailable(f"The model server ended after {len(answer.written)} of {limit} tokens without a stop token.",
                          "Give it room for prompt and answer (its context length), and look into its log.")

    def _round(self, answer: ServerAnswer, prompt: Sequence[int], until: float,
               cancelled: Callable[[], bool]) -> str | None:
        """One request, repeated until `until` while the server gives nothing. Returns why the server ended."""
        sent, rest, finish = [*prompt, *ids_of(answer.written)], answer.limit - len(answer.written), None
        body = {**PARAMETERS, "prompt": sent, "max_tokens": rest} | ({"model": self._model} if self._model else {})
        nameless: list[ServerToken] = []
        while True:
            late = 0
            try:
                with closing(self._server.complete(body, rest, cancelled)) as chunks:
                    for chunk in chunks:
                        if chunk.prompt_tokens not in (None, len(sent)):
                            raise Malformed(f"The model server counts {chunk.prompt_tokens} prompt tokens, sent were "
                                            f"{len(sent)}: it does not take token ids as they are.")
                        finish = chunk.finish or finish
                        if answer.is_over:
                            late += 1  # the count of prompt tokens comes last
                            if late == LATE_CHUNKS or chunk.prompt_tokens is not None:
                                return finish
                        elif nameless or any(token.token is None for token in chunk.tokens):
                            nameless += chunk.tokens  # texts become tokens when all of them are there
                        else:
                            answer.add(chunk.tokens)
                if nameless:
                    answer.add(self._named(nameless))
                return finish
            except Unavailable:
                if answer.written or monotonic() >= until:
                    raise
                nameless.clear()
                threading.Event().wait(TRY_AGAIN)

    def _named(self, written: list[ServerToken]) -> list[ServerToken]:
        """With ids for texts: they have to go back into exactly these tokens by our own tokenizer."""
        stops, texts = self._manifest.stop_token_ids, [token.text for token in written]
        ids = list(self._encoder.encode_text("".join(texts)))
        if len(ids) == len(written) - 1 and not texts[-1]:
            ids.append(stops[0])  # a stop token has no text
        same = len(ids) == len(written) and all(
            token in stops or self._encoder.decode([token]) == text for token, text in zip(ids, texts, strict=True))
        if not same:
            raise Malformed("The model server gives texts without token ids, and they do not go back into tokens.",
                            "Use a server that names token ids: llama.cpp, or vLLM with return_token_ids.")
        return [replace(one, token=token) for one, token in zip(written, ids, strict=True)]

    def _claim(self, written: Sequence[ServerToken], limit: int, may_end_early: bool) -> Claim:
        """What we would sign. An answer that breaks a rule or lacks a proof would be held against us: an error."""
        tokens, logprobs = ids_of(written), logprobs_of(written)
        stops, tops = self._manifest.stop_token_ids, [one.top for one in written]
        finish = FinishReason.LENGTH if len(tokens) == limit or not may_end_early else FinishReason.CANCELLED
        # As an auditor reads them: rounded to float32.
        claim = Claim(tuple(tokens), tuple(unpack_float32(pack_float32(logprobs))),
                      (FinishReason.STOP if tokens[-1] in stops else finish).value,
                      pack_top(tops) if all(tops) else b"")
        if TOP_LOGPROBS in self._required and not claim.top_logprobs:
            raise ConfigInvalid("The model server gives no five likeliest tokens with ids, which our profile requires.",
                                "Raise its limit of logprobs to 5 or more.")
        rules = ClaimRules(limit, self._manifest.shape.vocabulary, stops, may_end_early=may_end_early)
        fault = find_fault(claim, rules)
        if fault is not None:
            raise Malformed(f"The model server's answer cannot be one of {self._manifest.name}: {fault.reason}",
                            "Check that it serves this model, with its own tokenizer.")
        return claim


def refuse_sampler(sampler: Sampler) -> None:
    """Errors: `Refused(UNKNOWN_SAMPLER)` for whatever a stock server cannot draw as the protocol defines it."""
    if sampler.kind != GREEDY or sampler.min_tokens:
        what = f"the sampler '{sampler.kind}'" if sampler.kind != GREEDY else f"min_tokens {sampler.min_tokens}"
        raise Refused(Reason.UNKNOWN_SAMPLER, f"This provider's model server cannot serve {what}.",
                      "Ask with temperature 0 and without min_tokens, or ask another provider.")


def load_server_backend(name: str, settings: Settings) -> OpenAiServerBackend:
    """A model at the server of the settings, asked once. Errors: ConfigInvalid, Unavailable, Malformed, Refused."""
    manifest = find_model(name)
    key = read_password(settings.backend_key_file) if settings.backend_key_file else ""
    backend = OpenAiServerBackend(
        ModelServer(settings.backend_url, key), load_prompt_encoder(manifest, model_cache(settings)),
        settings.backend_model, served_profile(name, settings.backend_class).required, PATIENCE,
    )
    backend.check()
    return backend
