"""The bodies of POST /v1/completions and POST /v1/embeddings, checked field by field."""

from __future__ import annotations

from typing import Any

from protocol.limits import MAX_PROMPT
from requester.gateway.asks import Ask, EmbedAsk
from requester.gateway.bodies import require_fields
from requester.gateway.fields import refuse_others, stops_of, text_of, whole_of
from requester.gateway.read_options import OPTIONS, routing_of, sampling_of, streaming_of
from requester.gateway.refusals import bad_field, unsupported

DEFAULT_TOKENS = 16
"""OpenAI's default of `max_tokens` for completions."""
MAX_TEXTS = 256
"""Texts of one request for embeddings."""
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "n": (1,), "best_of": (1,), "echo": (False,), "suffix": ("",), "logit_bias": ({},), "frequency_penalty": (0, 0.0),
    "presence_penalty": (0, 0.0),
}  # fmt: skip
WHY = {
    "n": "a call has one answer; send the request again with another seed",
    "best_of": "a call has one answer",
    "frequency_penalty": "the sampling that an audit replays has no penalties",
    "presence_penalty": "the sampling that an audit replays has no penalties",
    "logit_bias": "the sampling that an audit replays has no biases",
}
KNOWN = frozenset({"model", "prompt", "max_tokens", "logprobs", "stop", *NEUTRAL, *OPTIONS})
EMBEDDING_FIELDS = frozenset({"model", "input", "encoding_format", "dimensions", "user", "provider"})


def read_completion(body: dict[str, Any]) -> Ask:
    """Errors: Refusal 400 naming the field."""
    require_fields(body, KNOWN)
    model, prompt = text_of(body, "model"), body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str):
        prompt = prompt[0]
    if isinstance(prompt, list):
        raise unsupported("prompt", "'prompt' must be one text: several prompts and token ids are not served.")
    if not isinstance(prompt, str) or not prompt:
        raise bad_field("prompt", "'prompt' must be a text that is not empty.")
    refuse_others(body, NEUTRAL, WHY)
    stream, include_usage = streaming_of(body)
    limit = whole_of(body, "max_tokens", 1, 2**31 - 1)
    return Ask(model, (), prompt, DEFAULT_TOKENS if limit is None else limit, sampling_of(body), stops_of(body), stream,
               include_usage, whole_of(body, "logprobs", 0, 5), False, routing_of(body))


def read_embedding(body: dict[str, Any]) -> EmbedAsk:
    """Errors: Refusal 400 naming the field."""
    require_fields(body, EMBEDDING_FIELDS)
    model, wanted = text_of(body, "model"), body.get("input")
    texts = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(texts, list) or not texts:
        raise bad_field("input", "'input' must be a text or a list of texts.")
    if len(texts) > MAX_TEXTS:
        raise bad_field("input", f"'input' has {len(texts)} texts, the limit is {MAX_TEXTS}.")
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise unsupported(f"input[{i}]", "'input' must hold texts: token ids are not served.")
        if not text.strip():
            raise bad_field(f"input[{i}]", f"'input[{i}]' is empty.")
        if len(text.encode()) > MAX_PROMPT:
            raise bad_field(f"input[{i}]", f"'input[{i}]' has more than {MAX_PROMPT} bytes.")
    shape = body.get("encoding_format")
    if shape not in (None, "float", "base64"):
        raise bad_field("encoding_format", "'encoding_format' must be float or base64.")
    if body.get("dimensions") is not None:
        raise unsupported("dimensions", "'dimensions' is not served: a model's vectors have one length. Leave it out.")
    return EmbedAsk(model, tuple(texts), shape == "base64", routing_of(body))
