"""The stream of a reply on its way to the requester: keep-alives, a late route, a worker or a broker that is gone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from protocol.envelope import open_part, seal_part
from protocol.errors import Unavailable
from provider.api import reply_stream
from provider.api.reply_stream import LOST_SECONDS, START_SECONDS, ReplyStream
from provider.edges.fake_replies import FakeReplies
from provider.edges.stream_reader import RedisInlet
from provider.flow.replies import end_part
from provider.ports.replies import Entry, Event
from provider.records.sessions import CallRefused, CallRow, CallStage
from tests.provider.session_world import INPUT, NOW, Payer, opened, run

ALIVE = [Entry(Event.ALIVE)]


class Scene:
    """A call, its reply, and a clock that the reader moves: each empty look takes a second."""

    def __init__(self) -> None:
        self.payer = Payer()
        self.sessions, self.replies, self.now = opened(self.payer), FakeReplies(), 0.0
        self.row: CallRow = self.sessions.admit(self.payer.ask(), "chat", INPUT, NOW)
        self.stream = ReplyStream(self.sessions, self, self.row, lambda: self.now)

    async def read(self, call_id: bytes) -> AsyncIterator[list[Entry]]:
        async for entries in self.replies.read(call_id):
            self.now += 0.0 if entries else 1.0
            yield entries

    def leave(self, call_id: bytes) -> None:
        self.replies.leave(call_id)

    def say(self, *entries: Entry) -> None:
        self.replies.send(self.row.call_id, entries)

    def part(self, number: int, event: Event = Event.PART) -> Entry:
        return Entry(event, seal_part(self.row.key, number, {"kind": "tokens", "number": number}))

    def body(self) -> tuple[list[dict[str, object]], int]:
        """The parts that the requester opens in order, and how many keep-alives were between them."""
        async def collect() -> str:
            await self.stream.begin()
            return "".join([text async for text in self.stream.events()])

        blocks = asyncio.run(collect()).split("\n\n")[:-1]
        data = [block.removeprefix("data: ") for block in blocks if block.startswith("data: ")]
        return [open_part(self.row.key, i, one) for i, one in enumerate(data)], blocks.count(": keep-alive")


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_reply__failed_before_its_first_part__is_refused_with_its_status(scene: Scene) -> None:
    said = {"status": 400, "code": "unknown_sampler", "message": "No.", "fix": ""}
    scene.say(*ALIVE, Entry(Event.FAILED, json.dumps(said)))
    with pytest.raises(CallRefused) as caught:
        scene.body()
    assert (caught.value.status, caught.value.code, scene.stream.ended) == (400, "unknown_sampler", True)


def test_reply__broker_gone_before_the_first_part__503_and_nothing_owed(scene: Scene) -> None:
    scene.replies.gone = True
    with pytest.raises(CallRefused) as caught:
        scene.body()
    assert (caught.value.status, scene.sessions.calls[scene.row.call_id].stage) == (503, CallStage.FAILED)


@pytest.mark.parametrize(("heard", "seconds"), [((), START_SECONDS), (ALIVE, LOST_SECONDS)])
def test_reply__worker_silent__error_part_after_its_patience(scene: Scene, heard: list[Entry], seconds: float) -> None:
    if heard:
        scene.say(*heard)
    (error,), keep_alives = scene.body()
    assert (error["kind"], error["code"]) == ("error", "worker_lost")
    assert seconds < scene.now <= seconds + 2 and keep_alives >= 2
    assert scene.sessions.calls[scene.row.call_id].stage is CallStage.FAILED


def test_reply__lost_after_the_call_had_ended__gives_its_end(scene: Scene) -> None:
    scene.say(scene.part(0))
    ended = run(scene.sessions, scene.row)
    parts, _ = scene.body()
    assert parts[-1] == end_part(ended)


def test_reply__route_comes_late__nothing_is_lost(scene: Scene) -> None:
    scene.say(*(scene.part(number) for number in range(3)), *ALIVE, scene.part(3, Event.END))
    parts, keep_alives = scene.body()
    assert ([part["number"] for part in parts], keep_alives) == ([0, 1, 2, 3], 0)


def test_reply__left__tells_worker_and_database_unless_it_ended(scene: Scene) -> None:
    scene.stream.leave()
    assert scene.row.call_id in scene.replies.left and scene.sessions.calls[scene.row.call_id].cancel_asked
    other = Scene()
    other.say(other.part(0, Event.END))
    other.body()
    other.stream.leave()
    assert not other.replies.left and not other.sessions.calls[other.row.call_id].cancel_asked


def test_inlet__entries_before_their_route__are_kept_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """No socket is opened: the reader is given what it would have read."""
    monkeypatch.setattr("provider.edges.stream_reader.MOST_EARLY", 3)
    entries = [Entry(Event.PART, "a"), Entry(Event.END, "b")]

    async def read() -> tuple[list[Entry], int]:
        inlet = RedisInlet("redis://127.0.0.1:1/0")
        inlet._pump = asyncio.create_task(asyncio.sleep(60))
        for entry in entries:
            inlet._hand_over(b"mine", entry)
        for number in range(9):
            inlet._hand_over(b"other", replace(entries[0], data=str(number)))
        found = [one async for batch in inlet.read(b"mine") for one in batch]
        for number in range(9):
            inlet._hand_over(bytes([number]), entries[0])
        kept = len(inlet._early)
        await inlet.close()
        return found, kept

    assert asyncio.run(read()) == (entries, 3)


def test_inlet__broker_gone__told_to_whoever_waits() -> None:
    async def read() -> None:
        inlet = RedisInlet("redis://127.0.0.1:1/0")
        inlet._pump = asyncio.create_task(asyncio.sleep(60))
        reading = asyncio.create_task(anext(inlet.read(b"mine")))
        await asyncio.sleep(0)
        inlet._calls[b"mine"].put_nowait(None)
        try:
            await reading
        finally:
            await inlet.close()

    with pytest.raises(Unavailable):
        asyncio.run(read())


def test_streamed_reply__read_by_nobody__frees_its_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who takes a call and reads nothing of its reply holds no stream of the provider."""
    monkeypatch.setattr(reply_stream, "READ_SECONDS", 0.01)
    over: list[bool] = []

    async def parts() -> AsyncIterator[str]:
        yield "data: one\n\n"

    async def hang(*_: object) -> Any:
        await asyncio.Event().wait()

    reply = reply_stream.StreamedReply(parts(), lambda: over.append(True))
    for version in ("2.3", "2.4"):
        scope = {"type": "http", "asgi": {"spec_version": version}}
        asyncio.run(asyncio.wait_for(reply(scope, hang, hang), 5))
    assert over == [True, True]
