"""A model server that a test scripts: chunks as llama.cpp, vLLM and others write them, and a backend over them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import httpx

from protocol.engine.catalogue import find_model
from protocol.manifest import ModelManifest
from provider.edges.openai_http import ModelServer
from provider.edges.openai_server import OpenAiServerBackend
from provider.records.work import Completion

ASK = [("user", "hello")]
PROMPT, STOP = (11, 12, 13), 2
WORDS = {4: "he", 5: "llo", 6: " you", STOP: ""}
NO_TOP = ("mean_logprob_distance",)
WITH_TOP = (*NO_TOP, "mean_top_logprob_distance")


class FakeEncoder:
    """A tokenizer of four words under SmolLM2's manifest."""

    def __init__(self) -> None:
        self.manifest: ModelManifest = find_model("SmolLM2-135M-Instruct")

    def encode(self, messages: Sequence[tuple[str, str]]) -> tuple[int, ...]:
        return PROMPT

    def encode_text(self, text: str) -> tuple[int, ...]:
        return {"hello": (4, 5), "he": (4,), "hell": (7,), "hello you": (4, 5, 6)}[text]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(WORDS.get(one, "?") for one in ids)


def llama(token: int, logprob: float = -0.5, **more: object) -> dict[str, Any]:
    """A chunk as llama.cpp writes it."""
    top = [{"id": token, "logprob": logprob}, *({"id": 100 + i, "logprob": -1.0 - i} for i in range(4))]
    entry = {"id": token, "token": WORDS.get(token, "?"), "logprob": logprob, "top_logprobs": top, **more}
    return {"choices": [{"index": 0, "text": WORDS.get(token, "?"), "logprobs": {"content": [entry]},
                         "finish_reason": None}]}


def vllm(*tokens: int) -> dict[str, Any]:
    """A chunk as vLLM writes it."""
    names = [f"token_id:{token}" for token in tokens]
    top = [{name: -0.5, **{f"token_id:{100 + i}": -1.0 - i for i in range(5)}} for name in names]
    return {"choices": [{"index": 0, "text": "", "token_ids": list(tokens), "finish_reason": None,
                         "logprobs": {"tokens": names, "token_logprobs": [-0.5] * len(tokens), "top_logprobs": top}}]}


def texts(*words: str) -> dict[str, Any]:
    """A chunk of a server that names no ids."""
    return {"choices": [{"text": "".join(words), "finish_reason": None,
                         "logprobs": {"tokens": list(words), "token_logprobs": [-0.5] * len(words)}}]}


def end(finish: str, prompt_tokens: int = len(PROMPT)) -> dict[str, Any]:
    return {"choices": [{"text": "", "logprobs": None, "finish_reason": finish}],
            "usage": {"prompt_tokens": prompt_tokens}}


def stream(*values: object) -> bytes:
    return b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values) + b"data: [DONE]\n\n"


def reply(body: bytes, status: int = 200) -> httpx.Response:
    return httpx.Response(status, stream=httpx.ByteStream(body))


Answer = Callable[[httpx.Request], httpx.Response]


def backend(answer: bytes | Answer, status: int = 200, required: Sequence[str] = WITH_TOP,
            patience: float = 0.0) -> OpenAiServerBackend:
    respond = answer if callable(answer) else lambda request: reply(answer, status)
    server = ModelServer("http://server/v1", "s3cret", httpx.MockTransport(respond))
    return OpenAiServerBackend(server, FakeEncoder(), "m", required, patience)  # type: ignore[arg-type]


def run(what: OpenAiServerBackend, limit: int = 3, **more: Any) -> Completion:
    return what.run(ASK, limit, more.pop("on_token", lambda count: None), more.pop("cancelled", lambda: False), **more)
