"""The official `openai` client, unmodified, against the gateway: chats, streams, completions, embeddings, models."""

from __future__ import annotations

import openai
import pytest

from protocol.encoding import to_hex
from requester.flow.call_records import Attempt
from tests.requester.gateway_world import (
    CHAT,
    EMBEDDER,
    LEAF,
    OTHER,
    PROVIDER,
    SESSION,
    FakeDesk,
    client_of,
    collected,
    now,
)

COST = "0.0036"
"""Six input tokens and three output tokens, MALLA."""


def test_chat__whole__has_the_documented_form() -> None:
    desk = FakeDesk("Hi")
    reply = now(client_of(desk).chat.completions.create(**CHAT))
    assert (reply.object, reply.model, reply.id[:9]) == ("chat.completion", "Tiny-1M", "chatcmpl-")
    choice = reply.choices[0]
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", "Hi", "stop")
    usage = reply.usage
    assert usage is not None and (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (6, 3, 9)
    assert usage.model_extra == {"cost": COST}
    malla = (reply.model_extra or {})["malla"]
    assert malla["session"] == to_hex(SESSION) and malla["receipt"] == to_hex(LEAF)
    assert (malla["provider"], malla["escrow_left"]) == (PROVIDER, "9")
    assert [attempt["code"] for attempt in malla["attempts"]] == ["ok"]


def test_chat__after_a_failed_provider__names_both() -> None:
    desk = FakeDesk("Hi")
    desk.before = [Attempt(OTHER, "busy", "No room.")]
    reply = now(client_of(desk).chat.completions.create(**CHAT))
    tried = (reply.model_extra or {})["malla"]["attempts"]
    assert tried[0] == {"provider": OTHER, "code": "busy", "message": "No room."}
    assert (tried[1]["provider"], tried[1]["code"]) == (PROVIDER, "ok")


def test_chat__streamed__gives_role_content_reason_and_usage_in_this_order() -> None:
    desk = FakeDesk("Hällo ✓")
    chunks = now(_stream(desk))
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"} and len({c.id for c in chunks}) == 1
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert (deltas[0].role, deltas[0].content) == ("assistant", "")
    assert "".join(delta.content or "" for delta in deltas) == "Hällo ✓"
    assert all(delta.role is None for delta in deltas[1:])
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].choices[0].finish_reason == "stop" and deltas[-1].model_dump(exclude_none=True) == {}
    assert chunks[-1].usage.completion_tokens == len("Hällo ✓".encode()) + 1


def test_chat__streamed_with_usage__sends_it_in_a_last_chunk_without_choices() -> None:
    chunks = now(_stream(FakeDesk("Hi"), stream_options={"include_usage": True}))
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].choices == [] and chunks[-1].usage.total_tokens == 9
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].model_extra["malla"]["provider"] == PROVIDER


@pytest.mark.parametrize(
    ("options", "stops_at"), [({}, 0), ({"max_tokens": 4}, 0), ({"stop": "lo"}, 5), ({"stop": ["x", "o w"]}, 7)])
def test_chat__streamed__equals_the_whole(options: dict[str, object], stops_at: int) -> None:
    """Text, reason and usage, also where a limit or a stop sequence ends it."""
    desks = FakeDesk("Hello world"), FakeDesk("Hello world")
    desks[0].waits_at = desks[1].waits_at = stops_at
    whole = now(client_of(desks[0]).chat.completions.create(**CHAT, **options))
    chunks = now(_stream(desks[1], **options))
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == whole.choices[0].message.content
    assert chunks[-1].choices[0].finish_reason == whole.choices[0].finish_reason
    assert chunks[-1].usage == whole.usage


def test_chat__stop_sequence__ends_the_call_and_is_not_shown() -> None:
    """Paid for what came until then: the rest of the answer is never asked for."""
    desk = FakeDesk("One. Two. Three. Four.")
    desk.waits_at = len("One. Two")
    reply = now(client_of(desk).chat.completions.create(**CHAT, stop=" Two"))
    assert (reply.choices[0].message.content, reply.choices[0].finish_reason) == ("One.", "stop")
    assert desk.ended == ["cancelled"] and reply.usage is not None
    assert reply.usage.completion_tokens == desk.waits_at


def test_chat__logprobs__belong_to_the_tokens_that_are_shown() -> None:
    reply = now(client_of(FakeDesk("Hi")).chat.completions.create(**CHAT, logprobs=True, top_logprobs=2))
    logprobs = reply.choices[0].logprobs
    assert logprobs is not None and logprobs.content is not None
    assert [(one.token, one.bytes, one.logprob) for one in logprobs.content] == [("H", [72], -0.5), ("i", [105], -0.5)]
    assert [[top.token for top in one.top_logprobs] for one in logprobs.content] == [["H", "A"], ["i", "A"]]


def test_chat__streamed_logprobs__equal_the_whole() -> None:
    chunks = now(_stream(FakeDesk("Hé!"), logprobs=True))
    whole = now(client_of(FakeDesk("Hé!")).chat.completions.create(**CHAT, logprobs=True))
    found = [one for c in chunks if c.choices[0].logprobs for one in c.choices[0].logprobs.content]
    assert whole.choices[0].logprobs is not None and found == whole.choices[0].logprobs.content
    assert [one.bytes for one in found] == [[72], [0xC3], [0xA9], [33]]


def test_completion__whole_and_streamed__are_the_same_text() -> None:
    desk = FakeDesk("of time")
    whole = now(client_of(desk).completions.create(model="Tiny-1M", prompt="Once", max_tokens=5, logprobs=1))
    choice = whole.choices[0]
    assert (whole.object, choice.text, choice.finish_reason) == ("text_completion", "of ti", "length")
    assert whole.choices[0].logprobs is not None and whole.choices[0].logprobs.tokens == list("of ti")
    assert (desk.wanted[0].kind, desk.wanted[0].messages) == ("completion", (("text", "Once"),))

    async def streamed() -> list[openai.types.Completion]:
        return await collected(await client_of(FakeDesk("of time")).completions.create(
            model="Tiny-1M", prompt="Once", max_tokens=5, stream=True))

    chunks = now(streamed())
    assert "".join(chunk.choices[0].text for chunk in chunks) == "of ti"
    assert chunks[-1].choices[0].finish_reason == "length" and chunks[-1].usage == whole.usage


@pytest.mark.parametrize("options", [{}, {"encoding_format": "float"}])
def test_embedding__several_texts__come_in_order(options: dict[str, str]) -> None:
    """Without a format the client asks for base64 and decodes it. The model takes two texts a call."""
    desk = FakeDesk()
    reply = now(client_of(desk).embeddings.create(model=EMBEDDER.name, input=["one", "three", "seven"], **options))
    assert [(one.index, list(one.embedding)) for one in reply.data] == [(at, [0.5, -0.25]) for at in range(3)]
    assert reply.usage.prompt_tokens == len("onethreeseven")
    assert [[text for _, text in wanted.messages] for wanted in desk.wanted] == [["one", "three"], ["seven"]]


def test_embedding__long_texts__have_calls_of_their_own() -> None:
    """The largest offer takes 512 tokens, and a token may be a single character."""
    desk = FakeDesk()
    now(client_of(desk).embeddings.create(model=EMBEDDER.name, input=["a" * 255, "b" * 254, "c"]))
    assert [len(wanted.messages) for wanted in desk.wanted] == [1, 2]


def test_models__of_another_kind__are_refused_before_anything_is_asked() -> None:
    desk = FakeDesk("Hi")
    with pytest.raises(openai.BadRequestError, match="it has no embeddings"):
        now(client_of(desk).embeddings.create(model="tiny-1m", input="one"))
    with pytest.raises(openai.BadRequestError, match="answers with numbers"):
        now(client_of(desk).chat.completions.create(**{**CHAT, "model": EMBEDDER.name}))
    assert desk.wanted == []


def test_models__listed_and_found__carry_context_and_prices() -> None:
    async def read() -> tuple[list[openai.types.Model], openai.types.Model]:
        client = client_of(FakeDesk())
        return [one async for one in client.models.list()], await client.models.retrieve("TINY-1m")

    listed, found = now(read())
    assert [one.id for one in listed] == ["Tiny-1M"] and found.id == "Tiny-1M"
    extra = found.model_extra or {}
    assert (extra["context_length"], extra["pricing"]) == (1000, {"prompt": "0.0001", "completion": "0.001"})
    assert extra["malla"]["per_million"] == {"prompt": "100", "completion": "1000"}
    assert [(one["address"], one["claims"]["vram_gb"]) for one in extra["providers"]] == [(PROVIDER, 24), (OTHER, 24)]


def test_models__unknown__is_the_clients_not_found() -> None:
    async def read() -> None:
        await client_of(FakeDesk()).models.retrieve("gpt-4o")

    with pytest.raises(openai.NotFoundError) as caught:
        now(read())
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


async def _stream(desk: FakeDesk, **options: object) -> list[openai.types.chat.ChatCompletionChunk]:
    return await collected(await client_of(desk).chat.completions.create(**CHAT, stream=True, **options))
