"""Errors of a call: by HTTP status before its first token, as a chunk after it; nobody is left waiting."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import openai
import pytest

from protocol.errors import (
    ChainRefused,
    ChainUnreachable,
    MallaError,
    ProviderFault,
    Reason,
    Refused,
    Unavailable,
)
from requester.errors import BalanceTooLow
from requester.flow.call_records import Attempt, CallEvent, CallFailed, Waiting
from requester.gateway import answering
from requester.gateway.answering import first_token, stream
from requester.gateway.app import build_gateway
from requester.gateway.formats import Chat
from requester.gateway.running import Floor, Running
from requester.gateway.writing import Writer
from tests.requester.gateway_world import (
    CHAT,
    OTHER,
    PROVIDER,
    FakeDesk,
    FakeVoices,
    client_of,
    collected,
    http_of,
    now,
    post,
)

FAILURES: list[tuple[MallaError, int, type[openai.APIStatusError], str | None]] = [
    (Refused(Reason.TOO_MANY_TOKENS, "Too long."), 400, openai.BadRequestError, None),
    (BalanceTooLow(PROVIDER, 5, 1, 1), 402, openai.APIStatusError, None),
    (ChainRefused("KeyCapTooLow", {}, "The key's cap is used up."), 402, openai.APIStatusError, None),
    (ChainRefused("ModelNotAllowed", {}, "Not this model."), 403, openai.PermissionDeniedError, None),
    (Refused(Reason.UNKNOWN_MODEL, "No such model."), 404, openai.NotFoundError, None),
    (CallFailed(408, "timeout", "Too slow."), 408, openai.APIStatusError, None),
    (ChainRefused("WrongSessionState", {}, "It is closing."), 409, openai.ConflictError, None),
    (CallFailed(422, "no_provider", "None of 3 offers fits the call."), 422, openai.UnprocessableEntityError, None),
    (CallFailed(429, "busy", "All are busy.", retry_after=6.2), 429, openai.RateLimitError, "7"),
    (CallFailed(502, "provider_failed", "It broke off."), 502, openai.InternalServerError, None),
    (Unavailable("No oracle answers."), 503, openai.InternalServerError, "5"),
    (ChainUnreachable("The node does not answer."), 503, openai.InternalServerError, "5"),
]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("failure", "status", "kind", "retry_after"), FAILURES)
def test_call__fails_before_its_first_token__answers_by_status(
    failure: MallaError, status: int, kind: type[openai.APIStatusError], retry_after: str | None, streamed: bool
) -> None:
    desk = FakeDesk("Hi")
    desk.fails = failure
    with pytest.raises(kind) as caught:
        now(client_of(desk).chat.completions.create(**CHAT, stream=streamed))
    assert caught.value.status_code == status and failure.message in str(caught.value)
    assert caught.value.response.headers.get("retry-after") == retry_after
    assert caught.value.request_id


def test_call__fails_everywhere__names_each_attempt() -> None:
    desk = FakeDesk("Hi")
    desk.fails = CallFailed(502, "provider_failed", "Both failed.",
                            attempts=(Attempt(OTHER, "broke_off", "It broke off."),))
    body = post(desk).json()
    assert body["malla"]["attempts"] == [{"provider": OTHER, "code": "broke_off", "message": "It broke off."}]


def test_call__fault_of_the_gateway_itself__tells_nothing_of_it() -> None:
    desk = FakeDesk("Hi")
    desk.fails = RuntimeError("the password is 1234")
    reply = post(desk)
    assert reply.status_code == 500 and "1234" not in reply.text


def test_stream__fails_after_a_token__ends_with_an_error_chunk() -> None:
    desk = FakeDesk("Hello")
    desk.fails, desk.fails_after = CallFailed(502, "provider_failed", "It broke off."), 3
    reply = post(desk, stream=True)
    events = [line.removeprefix("data: ") for line in reply.text.split("\n\n") if line]
    assert reply.status_code == 200 and events[-1] == "[DONE]"
    last = json.loads(events[-2])
    assert last["choices"][0] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "error"}
    assert last["error"] == {"message": "It broke off.", "type": "provider_error", "param": None,
                             "code": "provider_failed"}


def test_stream__token_that_the_model_does_not_have__ends_with_an_error_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    def spell(token: int) -> bytes:
        if token == ord("o"):
            raise ProviderFault("tokens", "111 is no token of Tiny-1M.")
        return bytes([token])

    monkeypatch.setattr(FakeVoices, "token_bytes", lambda *_: spell)
    events = [line.removeprefix("data: ") for line in post(FakeDesk("Hello"), stream=True).text.split("\n\n") if line]
    assert events[-1] == "[DONE]" and "111 is no token" in json.loads(events[-2])["error"]["message"]


def test_stream__fails_after_a_token__raises_in_the_official_client() -> None:
    desk = FakeDesk("Hello")
    desk.fails, desk.fails_after = CallFailed(502, "provider_failed", "It broke off."), 3

    async def read() -> None:
        await collected(await client_of(desk).chat.completions.create(**CHAT, stream=True))

    with pytest.raises(openai.APIError, match="It broke off"):
        now(read())


def test_whole__ended_by_the_provider_before_its_end__is_no_answer() -> None:
    desk = FakeDesk("Hello")
    desk.fails, desk.fails_after = CallFailed(502, "cancelled", "Cancelled."), 3
    assert post(desk).status_code == 502


def test_stream__silent_provider__keeps_the_connection_alive_with_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "KEEP_ALIVE_AFTER", 0.01)

    async def read() -> list[bytes]:
        running = Running(lambda stop: iter(()), asyncio.get_running_loop())
        voice = Chat("chatcmpl-1", 0, "Tiny-1M", lambda token: b"")
        parts = stream(running, Writer(voice.bytes_of, frozenset()), voice, Waiting(), False)
        return [await anext(parts) for _ in range(4)]

    assert now(read())[1:] == [b": malla processing\n\n"] * 3


def test_stream__no_token_for_long__begins_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async def read() -> object:
        running = Running(lambda stop: iter(()), asyncio.get_running_loop())
        return await first_token(running, Writer(lambda token: b"", frozenset()), 0.01)

    assert now(read()) == Waiting()


def test_gateway__more_calls_than_it_takes__refuses_with_a_time() -> None:
    desk = FakeDesk("Hello")
    desk.waits_at = 1

    async def both() -> httpx2.Response:
        async with http_of(desk, calls=1) as http:
            first = asyncio.create_task(http.post("/v1/chat/completions", json=CHAT))
            while not desk.wanted:
                await asyncio.sleep(0)
            second = await http.post("/v1/chat/completions", json=CHAT)
            first.cancel()
            return second

    reply = now(both())
    assert (reply.status_code, reply.headers["retry-after"], len(desk.wanted)) == (429, "1", 1)


@pytest.mark.parametrize("streamed", [False, True])
def test_call__client_goes_away__is_ended(streamed: bool) -> None:
    """Mid-stream, and while a whole answer is made: nobody pays for what nobody reads."""
    desk = FakeDesk("Hello")
    desk.waits_at = 2

    async def leave() -> None:
        body = json.dumps({**CHAT, "stream": streamed}).encode()
        waiting = [{"type": "http.request", "body": body, "more_body": False}]
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            if waiting:
                return waiting.pop()
            while not desk.wanted or (streamed and not any(m["type"] == "http.response.body" for m in sent)):
                await asyncio.sleep(0)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
        scope = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
                 "method": "POST", "path": "/v1/chat/completions", "raw_path": b"", "query_string": b"",
                 "headers": headers, "scheme": "http", "server": ("localhost", 80), "client": ("127.0.0.1", 1)}
        await build_gateway(desk.parts())(scope, receive, send)
        while not desk.ended:
            await asyncio.sleep(0)

    now(asyncio.wait_for(leave(), 20))
    assert desk.ended == ["cancelled"]  # and not closed: what was delivered is received, and so can be signed for


def test_call__abandoned_before_anybody_took_it__is_not_begun() -> None:
    began: list[str] = []

    def start(stop: Callable[[], bool]) -> Iterator[CallEvent]:
        while not stop():
            yield Waiting()
        yield Attempt(OTHER, "busy", "No room.")
        began.append("another provider")

    async def abandon() -> None:
        floor = Floor(1)
        with floor.call(start) as running:
            await running.next(5)
        await asyncio.to_thread(floor.end_all, 20.0)
        assert floor.count == 0

    now(abandon())
    assert began == []
