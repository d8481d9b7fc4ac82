"""The route's end of the replies: one reader for the whole process, which hands each call its entries."""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import AsyncIterator

import redis.asyncio
from redis.exceptions import RedisError

from protocol.errors import Unavailable
from provider.config import SOCKET_SECONDS
from provider.edges.streams import BLOCK_MS, FIX, KEEP_SECONDS, LEFT, MOST_LEFT, REPLIES, connect
from provider.ports.replies import Entry, Event

FRAMES = 64
MOST_EARLY = 1_024
"""Calls whose entries came before their route, or never had one here: kept until they would be gone anyway."""


class RedisInlet:
    """`provider.ports.replies.Inlet`. It blocks on one connection and on no thread, however many calls stream."""

    def __init__(self, url: str) -> None:
        self._now = connect(url)
        self._later = redis.asyncio.Redis.from_url(url, socket_timeout=SOCKET_SECONDS,
                                                   socket_connect_timeout=SOCKET_SECONDS)
        self._calls: dict[bytes, asyncio.Queue[Entry | None]] = {}
        self._early: OrderedDict[bytes, tuple[float, list[Entry]]] = OrderedDict()
        self._pump: asyncio.Task[None] | None = None
        self._last: bytes | str = "0"

    async def read(self, call_id: bytes) -> AsyncIterator[list[Entry]]:
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._read_all(), name="replies")
        queue = self._calls[call_id] = asyncio.Queue()
        for entry in self._early.pop(call_id, (0.0, []))[1]:
            queue.put_nowait(entry)
        try:
            while True:
                entries = await _some(queue)
                yield entries
                if entries and entries[-1].event in (Event.END, Event.FAILED):
                    return
        finally:
            self._calls.pop(call_id, None)

    def leave(self, call_id: bytes) -> None:
        """Never raises: a broker that is gone stops the worker by itself."""
        try:
            self._now.xadd(LEFT, {"c": call_id.hex()}, maxlen=MOST_LEFT)
        except RedisError:
            return

    async def close(self) -> None:
        if self._pump is not None:
            self._pump.cancel()
        self._now.close()
        await self._later.aclose()

    async def _read_all(self) -> None:
        while True:
            try:
                found = await self._later.xread({REPLIES: self._last}, block=BLOCK_MS, count=FRAMES)
            except RedisError:
                # Every call that waits is told; the next ones find out by themselves whether the broker is back.
                for queue in self._calls.values():
                    queue.put_nowait(None)
                await asyncio.sleep(BLOCK_MS / 1000)
                continue
            for identity, fields in found[0][1] if found else []:
                self._last = identity
                for call, event, data in json.loads(fields[b"d"]):
                    self._hand_over(bytes.fromhex(call), Entry(Event(event), data))

    def _hand_over(self, call_id: bytes, entry: Entry) -> None:
        if call_id in self._calls:
            self._calls[call_id].put_nowait(entry)
            return
        now = time.monotonic()
        self._early.setdefault(call_id, (now, []))[1].append(entry)
        while len(self._early) > MOST_EARLY or next(iter(self._early.values()))[0] < now - KEEP_SECONDS:
            self._early.popitem(last=False)


async def _some(queue: asyncio.Queue[Entry | None]) -> list[Entry]:
    """All that is there; waits about a second for the first. Raises Unavailable when the broker is gone."""
    if queue.empty():
        try:
            async with asyncio.timeout(BLOCK_MS / 1000):  # no task of its own, as wait_for makes
                first = await queue.get()
        except TimeoutError:
            return []
    else:
        first = queue.get_nowait()
    entries = [first, *(queue.get_nowait() for _ in range(queue.qsize()))]
    if None in entries:
        raise Unavailable("The broker does not give the reply of a call.", FIX)
    return [entry for entry in entries if entry is not None]
