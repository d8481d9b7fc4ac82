"""POST /v1/chat/completions, /v1/completions and /v1/embeddings."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool

from protocol.encoding import unpack_float32
from protocol.units import in_tokens
from requester.flow.api_keys import PREFIX
from requester.flow.call_records import CallWanted, Ended, Vector
from requester.gateway.answering import KEEP_ALIVE_AFTER, collect, first_token, gone, stream, watched
from requester.gateway.asks import Ask
from requester.gateway.bodies import read_object
from requester.gateway.formats import DONE, Chat, Completion, Voice, event_of, malla_of, usage_of
from requester.gateway.json_mode import TRIES, first_object, has_closed
from requester.gateway.ordering import group_texts, order_embedding, order_for
from requester.gateway.parts import Parts
from requester.gateway.read_chat import read_chat
from requester.gateway.read_completion import read_completion, read_embedding
from requester.gateway.refusals import Refusal, bad_field
from requester.gateway.running import Floor
from requester.gateway.writing import Piece, Writer
from requester.ports.jobs import ModelChoice
from requester.records.keys import ApiKey

EVENT_STREAM = "text/event-stream"


def add_calls(app: FastAPI, parts: Parts, floor: Floor) -> None:
    desk = CallRoutes(parts, floor)
    app.post("/v1/chat/completions")(desk.chat)
    app.post("/v1/completions")(desk.complete)
    app.post("/v1/embeddings")(desk.embed)


class CallRoutes:
    """Each checks everything before the call begins: what is refused costs nothing."""

    def __init__(self, parts: Parts, floor: Floor) -> None:
        self._parts, self._floor = parts, floor

    async def chat(self, request: Request) -> Response:
        key = admit(self._parts, request)
        return await self._answer(request, read_chat(await read_object(request)), key)

    async def complete(self, request: Request) -> Response:
        key = admit(self._parts, request)
        return await self._answer(request, read_completion(await read_object(request)), key)

    async def embed(self, request: Request) -> Response:
        key = admit(self._parts, request)
        ask, parts = read_embedding(await read_object(request)), self._parts
        model = await run_in_threadpool(parts.voices.find, ask.model)
        if model.max_inputs == 0:
            raise bad_field("model", f"{model.name} answers with tokens: it has no embeddings.", "wrong_model")
        vectors: list[bytes] = []
        ends = []
        for texts in await run_in_threadpool(group_texts, ask.texts, model, parts.served):
            wanted = await run_in_threadpool(order_embedding, ask, texts, model, key, parts.options, parts.served)
            values, ended = await self.vector(request, wanted)
            vectors += _split(values, len(texts))
            ends.append(ended)
        data = [{"object": "embedding", "index": at, "embedding": _vector_as(one, ask.as_base64)}
                for at, one in enumerate(vectors)]
        usage = usage_of(ends)
        usage = {"prompt_tokens": usage["prompt_tokens"], "total_tokens": usage["total_tokens"], "cost": usage["cost"]}
        return JSONResponse({"object": "list", "data": data, "model": model.name, "usage": usage,
                             "malla": malla_of(ends)})

    async def vector(self, request: Request, wanted: CallWanted) -> tuple[bytes, Ended]:
        """One call of a vector model: its float32 numbers, and how it ended. Errors: Refusal, MallaError."""
        values, ended = None, None
        with self._floor.call(partial(self._parts.run, wanted)) as running:
            async with watched(request, running):
                while (event := await running.next(KEEP_ALIVE_AFTER)) is not None:
                    values = event.values if isinstance(event, Vector) else values
                    ended = event if isinstance(event, Ended) else ended
        if ended is None:
            raise gone()
        if values is None:
            raise Refusal(502, "The provider ended the call without a vector.", code="provider_failed")
        return values, ended

    async def _answer(self, request: Request, ask: Ask, key: ApiKey | None) -> Response:
        model, wanted, writer = await run_in_threadpool(self._order, ask, key)
        if ask.json_object:
            return await self._answer_json(request, ask, key)
        voice = self._voice(ask, model, writer)
        if ask.stream:
            return await self._stream(request, wanted, writer, voice, ask.include_usage)
        with self._floor.call(partial(self._parts.run, wanted)) as running:
            async with watched(request, running):
                text, scored = await collect(running, writer)
        ends = _ends(writer)
        return JSONResponse(voice.whole(text, None if ask.top_logprobs is None else scored, writer.reason, ends))

    async def _stream(self, request: Request, wanted: CallWanted, writer: Writer, voice: Voice,
                      include_usage: bool) -> Response:
        stack = ExitStack()
        running = stack.enter_context(self._floor.call(partial(self._parts.run, wanted)))
        try:
            async with watched(request, running):
                first = await first_token(running, writer)
        except BaseException:  # also a cancelled task must give the call up
            stack.close()
            raise

        async def body() -> AsyncIterator[bytes]:
            with stack:
                async with watched(request, running):
                    async for part in stream(running, writer, voice, first, include_usage):
                        yield part

        return StreamingResponse(body(), media_type=EVENT_STREAM, headers={"Cache-Control": "no-cache"})

    async def _answer_json(self, request: Request, ask: Ask, key: ApiKey | None) -> Response:
        """Up to three calls, until one gives an object; at temperature 0 the second would give what the first gave."""
        ends: list[Ended] = []
        for attempt in range(TRIES if ask.sampling.temperature > 0 else 1):
            model, wanted, writer = await run_in_threadpool(self._order, ask, key, attempt)
            with self._floor.call(partial(self._parts.run, wanted)) as running:
                async with watched(request, running):
                    text, _ = await collect(running, writer, has_closed)
            ends += _ends(writer)
            found = first_object(text)
            if found is not None:
                return self._object(ask, self._voice(ask, model, writer), found, ends)
        cost = in_tokens(sum(end.cost for end in ends))
        raise Refusal(502, f"{model.name} gave no JSON object in {len(ends)} tries, which cost {cost} MALLA. Ask "
                      "with an example, with more max_tokens, or leave response_format out.", code="json_not_produced")

    def _object(self, ask: Ask, voice: Voice, text: str, ends: Sequence[Ended]) -> Response:
        if not ask.stream:
            return JSONResponse(voice.whole(text, None, "stop", ends))
        spent = {"usage": usage_of(ends), "malla": malla_of(ends)}
        chunks: list[dict[str, Any]] = [*voice.first(), voice.next(Piece(text), False)]
        chunks += [voice.last("stop"), {**voice.usage(), **spent}] if ask.include_usage else [
            {**voice.last("stop"), **spent}]
        return StreamingResponse(_sent([*map(event_of, chunks), DONE]), media_type=EVENT_STREAM)

    def _order(self, ask: Ask, key: ApiKey | None, attempt: int = 0) -> tuple[ModelChoice, CallWanted, Writer]:
        """All that reads files before a call begins, in one way to a thread and back. Errors: Refusal, MallaError."""
        model = self._parts.voices.find(ask.model)
        if model.max_inputs:
            raise bad_field("model", f"{model.name} answers with numbers: use /v1/embeddings or /v1/predictions.",
                            "wrong_model")
        wanted = order_for(ask, model, key, self._parts.options, self._parts.served, attempt)
        spell = self._parts.voices.token_bytes(model)
        return model, wanted, Writer(spell, frozenset(model.stop_token_ids), ask.stops, ask.top_logprobs)

    def _voice(self, ask: Ask, model: ModelChoice, writer: Writer) -> Voice:
        kind, prefix = (Chat, "chatcmpl-") if ask.is_chat else (Completion, "cmpl-")
        return kind(prefix + secrets.token_hex(12), int(self._parts.now()), model.name, writer.token_bytes)


def admit(parts: Parts, request: Request) -> ApiKey | None:
    """The API key that pays; None for the wallet itself, which is for this machine only. Errors: Refusal, KeyRefused.

    Where keys are not asked for, what does not look like one of ours is let pass: OpenAI's clients always send some.
    """
    kind, _, bearer = request.headers.get("authorization", "").partition(" ")
    bearer = bearer.strip() if kind.lower() == "bearer" else ""
    if bearer.startswith(PREFIX):
        return parts.keys.admit(bearer, parts.now())
    if parts.options.needs_key:
        raise Refusal(401, "This gateway takes only its own API keys: Authorization: Bearer malla-…",
                      code="invalid_api_key")
    return None


def _ends(writer: Writer) -> list[Ended]:
    if writer.ended is None:
        raise gone()
    return [writer.ended]


def _split(values: bytes, count: int) -> list[bytes]:
    """One vector an input. Errors: Refusal 502 for an answer that has not one for each."""
    size = len(values) // count
    if not values or size * count != len(values) or size % 4:
        raise Refusal(502, f"The provider sent {len(values)} bytes for {count} vectors.", code="provider_failed")
    return [values[at : at + size] for at in range(0, len(values), size)]


def _vector_as(values: bytes, as_base64: bool) -> Any:
    return base64.b64encode(values).decode() if as_base64 else unpack_float32(values, "The vector")


def _sent(parts: Sequence[bytes]) -> Iterator[bytes]:
    yield from parts

