"""What the gateway refuses: with the field's name, in OpenAI's form, before anything is asked or spent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from protocol.limits import MAX_JSON_BODY
from tests.requester.gateway_world import CHAT, FakeDesk, post

USER = {"role": "user", "content": "Hello?"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}

UNSUPPORTED: list[tuple[dict[str, Any], str]] = [
    ({"n": 2}, "n"),
    ({"frequency_penalty": 0.5}, "frequency_penalty"),
    ({"presence_penalty": -1}, "presence_penalty"),
    ({"logit_bias": {"50": 1}}, "logit_bias"),
    ({"tools": [TOOL]}, "tools"),
    ({"tool_choice": "auto"}, "tool_choice"),
    ({"functions": [TOOL]}, "functions"),
    ({"parallel_tool_calls": True}, "parallel_tool_calls"),
    ({"audio": {"voice": "a"}}, "audio"),
    ({"modalities": ["text", "audio"]}, "modalities"),
    ({"prediction": {"type": "content", "content": "x"}}, "prediction"),
    ({"reasoning_effort": "low"}, "reasoning_effort"),
    ({"service_tier": "flex"}, "service_tier"),
    ({"store": True}, "store"),
    ({"metadata": {"a": "b"}}, "metadata"),
    ({"web_search_options": {}}, "web_search_options"),
    ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format"),
    ({"logprobs": True, "messages": [{"role": "user", "content": "json"}],
      "response_format": {"type": "json_object"}}, "logprobs"),
    ({"messages": [{"role": "tool", "content": "4", "tool_call_id": "x"}]}, "messages[0].tool_call_id"),
    ({"messages": [{"role": "tool", "content": "4"}]}, "messages[0].role"),
    ({"messages": [USER, {"role": "user", "content": [{"type": "text", "text": "?"}, IMAGE]}]},
     "messages[1].content[1].type"),
    ({"messages": [{**USER, "name": "Ann"}]}, "messages[0].name"),
]  # fmt: skip

INVALID: list[tuple[dict[str, Any], str]] = [
    ({"model": 5}, "model"),
    ({"model": ""}, "model"),
    ({"messages": []}, "messages"),
    ({"messages": "Hello?"}, "messages"),
    ({"messages": [USER] * 257}, "messages"),
    ({"messages": [{"role": "user", "content": "  "}]}, "messages"),
    ({"messages": ["Hello?"]}, "messages[0]"),
    ({"messages": [{"role": "wizard", "content": "Hello?"}]}, "messages[0].role"),
    ({"messages": [{"role": ["user"], "content": "Hello?"}]}, "messages[0].role"),
    ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": 7}]}]}, "messages[0].content[0]"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": True}, "max_tokens"),
    ({"max_tokens": "12"}, "max_tokens"),
    ({"max_tokens": 1.5}, "max_tokens"),
    ({"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens"),
    ({"temperature": 2.1}, "temperature"),
    ({"temperature": "0"}, "temperature"),
    ({"top_p": 0}, "top_p"),
    ({"seed": -1}, "seed"),
    ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
    ({"stop": ""}, "stop"),
    ({"stop": [1]}, "stop"),
    ({"stream": "yes"}, "stream"),
    ({"stream_options": {"include_usage": True}}, "stream_options"),
    ({"top_logprobs": 2}, "top_logprobs"),
    ({"logprobs": True, "top_logprobs": 6}, "top_logprobs"),
    ({"logprobs": 3}, "logprobs"),
    ({"response_format": "json"}, "response_format"),
    ({"response_format": {"type": "json_object"}}, "messages"),
    ({"provider": {"only": ["provider-1"]}}, "provider.only"),
    ({"provider": {"sort": "stake"}}, "provider.sort"),
    ({"provider": {"max_price": "-1"}}, "provider.max_price"),
    ({"provider": {"max_price": {"prompt": []}}}, "provider.max_price.prompt"),
    ({"provider": {"region": ['"]']}}, "provider.region"),
    ({"provider": {"audit": "none"}}, "provider.audit"), ({"provider": {"audit": "canary-only"}}, "provider.audit"),
]  # fmt: skip

UNKNOWN: list[tuple[dict[str, Any], str]] = [
    ({"temprature": 0}, "temprature"),
    ({"models": ["a", "b"]}, "models"),
    ({"stream": True, "stream_options": {"usage": True}}, "stream_options.usage"),
    ({"provider": {"data_policy": "none"}}, "provider.data_policy"),
    ({"messages": [{**USER, "cache_control": {}}]}, "messages[0].cache_control"),
]

BODIES: list[tuple[bytes, int, str]] = [
    (b"", 400, "not JSON"),
    (b"{", 400, "not JSON"),
    (b"[1]", 400, "must be a JSON object"),
    (b"\xff\xfe{}", 400, "not UTF-8"),
    (b'{"temperature": NaN}', 400, "NaN is no number"),
    (b'{"temperature": -Infinity}', 400, "Infinity is no number"),
    (b'{"temperature": 1e999}', 400, "too large"),
    (b'{"seed": ' + b"9" * 5_000 + b"}", 400, "too long"),
    (b'{"model": "a", "model": "b"}', 400, "the same key occurs twice"),
    (b'{"model": "\\ud800"}', 400, "surrogate"),
    (b'{"a":' * 40 + b"1" + b"}" * 40, 400, "nested deeper than 32"),
    (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "nested deeper than 32"),
    (b'{"model": "' + b"x" * 10_000_000 + b'"}', 413, str(MAX_JSON_BODY)),
]


@pytest.mark.parametrize(("change", "param"), UNSUPPORTED)
def test_chat__parameter_that_nobody_serves__is_refused_by_its_name(change: dict[str, Any], param: str) -> None:
    assert _refused(change) == ("unsupported_parameter", param)


@pytest.mark.parametrize(("change", "param"), INVALID)
def test_chat__parameter_out_of_range__is_refused_by_its_name(change: dict[str, Any], param: str) -> None:
    assert _refused(change) == ("invalid_value", param)


@pytest.mark.parametrize(("change", "param"), UNKNOWN)
def test_chat__parameter_that_is_none__is_refused_by_its_name(change: dict[str, Any], param: str) -> None:
    assert _refused(change) == ("unknown_parameter", param)


@pytest.mark.parametrize(("content", "status", "says"), BODIES)
def test_chat__body_that_is_no_request__is_refused(content: bytes, status: int, says: str) -> None:
    desk = FakeDesk("Hi")
    reply = post(desk, content=content)
    error = reply.json()["error"]
    assert (reply.status_code, error["type"]) == (status, "invalid_request_error") and says in error["message"]
    assert set(error) == {"message", "type", "param", "code"} and desk.wanted == []


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/completions", {"prompt": ["a", "b"]}, "prompt"),
        ("/v1/completions", {"prompt": [1, 2]}, "prompt"),
        ("/v1/completions", {"prompt": ""}, "prompt"),
        ("/v1/completions", {"prompt": "a", "echo": True}, "echo"),
        ("/v1/completions", {"prompt": "a", "suffix": "b"}, "suffix"),
        ("/v1/completions", {"prompt": "a", "best_of": 2}, "best_of"),
        ("/v1/completions", {"prompt": "a", "logprobs": 6}, "logprobs"),
        ("/v1/embeddings", {"input": []}, "input"),
        ("/v1/embeddings", {"input": ["a"] * 257}, "input"),
        ("/v1/embeddings", {"input": [[1, 2]]}, "input[0]"),
        ("/v1/embeddings", {"input": ["a", " "]}, "input[1]"),
        ("/v1/embeddings", {"input": "a" * 70_000}, "input[0]"),
        ("/v1/embeddings", {"input": "a", "dimensions": 8}, "dimensions"),
        ("/v1/embeddings", {"input": "a", "encoding_format": "int8"}, "encoding_format"),
        ("/v1/embeddings", {"input": "a", "temperature": 1}, "temperature"),
    ],
)
def test_others__parameter_that_does_not_fit__is_refused_by_its_name(path: str, body: dict[str, Any],
                                                                    param: str) -> None:
    desk = FakeDesk("Hi")
    reply = post(desk, path, content=json.dumps({"model": "tiny-1m", **body}).encode())
    assert (reply.status_code, reply.json()["error"]["param"], desk.wanted) == (400, param, [])


def test_chat__another_content_type__is_refused_as_a_page_could_send_it() -> None:
    desk = FakeDesk("Hi")
    reply = post(desk, headers={"content-type": "text/plain"}, content=json.dumps(CHAT).encode())
    assert (reply.status_code, desk.wanted) == (415, [])


def test_chat__unknown_model__is_model_not_found() -> None:
    desk = FakeDesk("Hi")
    reply = post(desk, model="gpt-4o")
    assert (reply.status_code, reply.json()["error"]["code"], desk.wanted) == (404, "model_not_found", [])


def test_others__path_that_is_none__is_answered_in_the_same_form() -> None:
    reply = post(FakeDesk("Hi"), "/v1/images/generations")
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "unknown_url")
    assert reply.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("neutral", [
    {"n": 1, "frequency_penalty": 0, "presence_penalty": 0.0, "logit_bias": {}, "tools": [], "modalities": ["text"],
     "response_format": {"type": "text"}, "store": False, "service_tier": "auto", "metadata": None, "user": "u1"},
    {"messages": [{"role": "developer", "content": "Brief."}, {"role": "user", "content": [
        {"type": "text", "text": "Hel"}, {"type": "text", "text": "lo?"}]},
        {"role": "assistant", "content": "A", "refusal": None, "tool_calls": None, "annotations": []}, USER]},
])  # fmt: skip
def test_chat__parameters_that_change_nothing__are_taken(neutral: dict[str, Any]) -> None:
    desk = FakeDesk("Hi")
    assert post(desk, **neutral).status_code == 200
    assert desk.wanted[0].messages[-1] == ("user", "Hello?")
    assert desk.wanted[0].messages[0][0] in ("user", "system")


def _refused(change: dict[str, Any]) -> tuple[str, str]:
    """Code and parameter of the refusal, which is the same for a stream and costs nothing."""
    desk = FakeDesk("Hi")
    reply = post(desk, **change)
    error = reply.json()["error"]
    assert (reply.status_code, error["type"]) == (400, "invalid_request_error")
    assert error["message"] and desk.wanted == []
    return error["code"], error["param"]
