"""Where a recipe runs: on the market through a gateway, or directly on the same models in this process.

Both have the same three verbs. `Market` is the official `openai` client with another URL and nothing else.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol

from protocol.errors import BadInput, ConfigInvalid, MallaError, Unavailable

CHAT_MODEL = "SmolLM2-135M-Instruct"
SENTENCE_MODEL = "all-MiniLM-L6-v2"
GATEWAY = "http://127.0.0.1:8080/v1"
"""Where `malla request serve` listens unless it is told otherwise."""
STREAMS = 8
"""Calls of a recipe that are in flight at once."""

Messages = Sequence[tuple[str, str]]
Rows = list[list[float]]


class Backend(Protocol):
    """What a recipe needs of a market, or of a machine of one's own."""

    def chat(self, talks: Sequence[Messages], max_tokens: int) -> list[str]:
        """The greedy answer to each talk."""
        ...

    def embed(self, texts: Sequence[str]) -> Rows: ...

    def predict(self, model: str, rows: Sequence[Sequence[float]]) -> Rows: ...


class Market:
    """The market behind a gateway. Errors of every method: Unavailable where no gateway answers, BadInput with the
    gateway's own words where it refuses."""

    def __init__(self, url: str, key: str) -> None:
        try:
            from openai import OpenAI
        except ImportError as error:
            raise ConfigInvalid("The package openai is not installed.", "Run: pip install openai") from error
        self._url, self._client = url, OpenAI(base_url=url, api_key=key)

    def chat(self, talks: Sequence[Messages], max_tokens: int) -> list[str]:
        def answer(talk: Messages) -> str:
            messages: Any = [{"role": role, "content": content} for role, content in talk]
            with self._told():
                reply = self._client.chat.completions.create(model=CHAT_MODEL, messages=messages,
                                                             max_tokens=max_tokens, temperature=0)
            return reply.choices[0].message.content or ""

        with ThreadPoolExecutor(STREAMS) as pool:
            return list(pool.map(answer, talks))

    def embed(self, texts: Sequence[str]) -> Rows:
        with self._told():
            reply = self._client.embeddings.create(model=SENTENCE_MODEL, input=list(texts), encoding_format="float")
        return [list(one.embedding) for one in reply.data]

    def predict(self, model: str, rows: Sequence[Sequence[float]]) -> Rows:
        found: Rows = []
        for start in range(0, len(rows), 64):
            some = [list(row) for row in rows[start : start + 64]]
            with self._told():
                reply: Any = self._client.post("/predictions", cast_to=object, body={"model": model, "input": some})
            found += reply["data"]
        return found

    @contextmanager
    def _told(self) -> Iterator[None]:
        """The client's errors as sentences."""
        from openai import APIConnectionError, APIStatusError

        try:
            yield
        except APIConnectionError as error:
            raise Unavailable(f"No gateway answers at {self._url}.",
                              "Start one (malla request serve), name yours with --url or OPENAI_BASE_URL, or run the "
                              "recipe on this machine with --local.") from error
        except APIStatusError as error:
            said = error.body.get("message") if isinstance(error.body, dict) else None
            raise BadInput(f"The gateway refuses ({error.status_code}): {said or error.message}") from error


class Local:
    """The same models in this process: nothing is paid and nobody verifies."""

    def __init__(self) -> None:
        self._models: dict[str, Any] = {}
        self._chat: Any = None

    def chat(self, talks: Sequence[Messages], max_tokens: int) -> list[str]:
        from protocol.engine.generate import generate_batch

        model, encoder = self._chat_model()
        prompts = [list(encoder.encode(talk)) for talk in talks]
        # Neighbours of like length pad least.
        order = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
        answers: dict[int, str] = {}
        for start in range(0, len(order), STREAMS):
            places = order[start : start + STREAMS]
            runs = generate_batch(model, [prompts[place] for place in places], max_tokens)
            for place, run in zip(places, runs, strict=True):
                answers[place] = encoder.decode(run.output_token_ids)
        return [answers[place] for place in range(len(prompts))]

    def embed(self, texts: Sequence[str]) -> Rows:
        from protocol.vectors import VectorInputs

        return self._vectors(SENTENCE_MODEL, VectorInputs(texts=tuple(texts)))

    def predict(self, model: str, rows: Sequence[Sequence[float]]) -> Rows:
        from protocol.vectors import VectorInputs

        return self._vectors(model, VectorInputs(rows=tuple(tuple(row) for row in rows)))

    def _vectors(self, name: str, inputs: Any) -> Rows:
        from protocol.engine.vector_catalogue import find_vector_model
        from protocol.engine.vector_model import load_vector_model
        from protocol.vectors import calls_of

        if name not in self._models:
            self._models[name] = load_vector_model(find_vector_model(name))
        model = self._models[name]
        return [row for call in calls_of(inputs, model.manifest) for row in model.rows(call).tolist()]

    def _chat_model(self) -> tuple[Any, Any]:
        from protocol.engine.catalogue import find_model
        from protocol.engine.model import load_model
        from protocol.engine.prompt import load_prompt_encoder
        from protocol.engine.weights import default_cache_folder

        if self._chat is None:
            manifest, cache = find_model(CHAT_MODEL), default_cache_folder(os.environ)
            self._chat = load_model(manifest, cache), load_prompt_encoder(manifest, cache)
        return self._chat


def add_backend(parser: argparse.ArgumentParser, limit: int, what: str) -> None:
    """The options that every recipe takes."""
    parser.add_argument("--local", action="store_true", help="run the model in this process instead of on the market")
    parser.add_argument("--url", default=os.environ.get("OPENAI_BASE_URL") or GATEWAY,
                        help=f"a gateway of yours (OPENAI_BASE_URL, or {GATEWAY})")
    parser.add_argument("--key", default=os.environ.get("OPENAI_API_KEY") or "malla",
                        help="its API key, where it wants one (OPENAI_API_KEY)")
    parser.add_argument("--limit", type=int, default=limit, metavar="N", help=f"how many {what} ({limit})")


def tell(recipe: Callable[..., int]) -> int:
    """Run a recipe with the words of the command line; what went wrong is a sentence. Returns the exit status."""
    try:
        return recipe(*sys.argv[1:])
    except MallaError as error:
        print(f"{error.message} {error.fix}".strip(), file=sys.stderr)
        return 1


def choose_backend(options: argparse.Namespace) -> Backend:
    return Local() if options.local else Market(options.url, options.key)
