"""The body of POST /v1/chat/completions, checked field by field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from protocol.limits import MAX_MESSAGES
from requester.gateway.asks import Ask
from requester.gateway.bodies import require_fields
from requester.gateway.fields import flag_of, object_of, refuse_others, stops_of, text_of, whole_of
from requester.gateway.read_options import OPTIONS, routing_of, sampling_of, streaming_of
from requester.gateway.refusals import Refusal, bad_field, unsupported

NEUTRAL: dict[str, tuple[Any, ...]] = {
    "n": (1,), "frequency_penalty": (0, 0.0), "presence_penalty": (0, 0.0), "logit_bias": ({},), "audio": (),
    "modalities": (["text"],), "tools": ([],), "tool_choice": ("none",), "functions": ([],), "function_call": ("none",),
    "parallel_tool_calls": (), "prediction": (), "reasoning_effort": (), "service_tier": ("auto", "default"),
    "store": (False,), "metadata": ({},), "verbosity": (), "web_search_options": (), "moderation": (),
    "prompt_cache_key": (), "prompt_cache_options": (), "prompt_cache_retention": (),
}  # fmt: skip
WHY = {
    "n": "a call has one answer; send the request again with another seed",
    "frequency_penalty": "the sampling that an audit replays has no penalties",
    "presence_penalty": "the sampling that an audit replays has no penalties",
    "logit_bias": "the sampling that an audit replays has no biases",
    "tools": "the chat template of no model here carries tools",
    "functions": "the chat template of no model here carries tools",
    "tool_choice": "the chat template of no model here carries tools",
    "metadata": "nothing is stored about a request",
    "store": "nothing is stored about a request",
}
KNOWN = frozenset({
    "messages", "model", "max_tokens", "max_completion_tokens", "logprobs", "top_logprobs", "response_format", "stop",
    *NEUTRAL, *OPTIONS,
})  # fmt: skip
ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
"""OpenAI's later name for a system message is "developer"."""
EMPTY_IN_MESSAGE = ("name", "refusal", "audio", "annotations", "tool_calls", "function_call", "tool_call_id")
"""Fields of a message that say nothing when they are null or empty, and are not served otherwise."""


def read_chat(body: dict[str, Any]) -> Ask:
    """Errors: Refusal 400 naming the field."""
    require_fields(body, KNOWN)
    model = text_of(body, "model")
    messages = _messages(body.get("messages"))
    refuse_others(body, NEUTRAL, WHY)
    stream, include_usage = streaming_of(body)
    top = _top_logprobs(body)
    json_object = _is_json_object(body, messages)
    if json_object and top is not None:
        raise unsupported("logprobs", "'logprobs' are not served together with response_format json_object.")
    return Ask(model, messages, None, _limit(body), sampling_of(body), stops_of(body), stream, include_usage, top,
               json_object, routing_of(body))


def _messages(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, list) or not value:
        raise bad_field("messages", "'messages' must be a list of at least one message.")
    if len(value) > MAX_MESSAGES:
        raise bad_field("messages", f"'messages' has {len(value)} messages, the limit is {MAX_MESSAGES}.")
    messages = tuple(_message(one, f"messages[{i}]") for i, one in enumerate(value))
    if not any(content.strip() for _, content in messages):
        raise bad_field("messages", "Every message is empty: write a question.")
    return messages


def _message(value: Any, where: str) -> tuple[str, str]:
    if not isinstance(value, dict):
        raise bad_field(where, f"{where} must be an object with role and content.")
    for name, item in value.items():
        if name in ("role", "content"):
            continue
        if name not in EMPTY_IN_MESSAGE:
            raise bad_field(f"{where}.{name[:40]}", f"Unknown parameter: '{where}.{name[:40]}'.", "unknown_parameter")
        if item not in (None, [], {}, ""):
            raise unsupported(f"{where}.{name}", f"'{where}.{name}' is not served: the chat templates of the models "
                              "here carry role and content only.")
    role = value.get("role")
    if role in ("tool", "function"):
        raise unsupported(f"{where}.role", "Tools are not served: the chat template of no model here carries them.")
    if not isinstance(role, str) or role not in ROLES:
        raise bad_field(f"{where}.role", f"'{where}.role' is {str(role)[:40]!r}; known are {', '.join(ROLES)}.")
    return ROLES[role], _content(value.get("content"), f"{where}.content")


def _content(value: Any, where: str) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not value:
        raise bad_field(where, f"'{where}' must be a text or a list of text parts.")
    parts = []
    for i, part in enumerate(value):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind != "text":
            raise unsupported(f"{where}[{i}].type", f"'{where}[{i}]' is of the type {str(kind)[:40]!r}: the models "
                              "here read text only.")
        if part.keys() != {"type", "text"} or not isinstance(part["text"], str):
            raise bad_field(f"{where}[{i}]", f"'{where}[{i}]' must have a type and a text, and nothing else.")
        parts.append(part["text"])
    return "".join(parts)


def _limit(body: Mapping[str, Any]) -> int | None:
    old, new = (whole_of(body, name, 1, 2**31 - 1) for name in ("max_tokens", "max_completion_tokens"))
    if old is not None and new is not None and old != new:
        raise bad_field("max_tokens", f"'max_tokens' is {old}, 'max_completion_tokens' {new}: send one of them.")
    return old if new is None else new


def _top_logprobs(body: Mapping[str, Any]) -> int | None:
    wanted, top = flag_of(body, "logprobs"), whole_of(body, "top_logprobs", 0, 5)
    if top is not None and not wanted:
        raise bad_field("top_logprobs", "'top_logprobs' needs logprobs: true.")
    return (top or 0) if wanted else None


def _is_json_object(body: Mapping[str, Any], messages: tuple[tuple[str, str], ...]) -> bool:
    wanted = object_of(body, "response_format", ("type", "json_schema", "schema"))
    kind = wanted.get("type", "text")
    if kind not in ("text", "json_object") or len(wanted) > 1:
        raise unsupported("response_format", "Only the response formats 'text' and 'json_object' are served.")
    if kind == "json_object" and not any("json" in content.lower() for _, content in messages):
        raise Refusal(400, "'messages' must contain the word 'json' to use response_format of the type json_object.",
                      param="messages", code="invalid_value")
    return bool(kind == "json_object")
