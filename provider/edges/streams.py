"""Replies on their way through the broker: one stream of Redis or Valkey for all calls, in frames.

The worker's threads hand over what their calls have; one sender puts whatever is there into one frame, so a step of the
engine costs the broker one or two commands, however many calls it served. What travels is sealed, so the broker reads
nothing. Frames are kept for half a minute: a route may come late, and memory is bounded by what is made in that time.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import redis
from redis.exceptions import RedisError

from protocol.errors import Unavailable
from provider.config import SOCKET_SECONDS
from provider.ports.replies import Entry

REPLIES, LEFT = "malla:replies", "malla:left"
"""Frames of entries, and the calls whose requester went away."""
KEEP_SECONDS = 30
MOST_IN_FRAME = 256
MOST_LEFT = 1_000
BLOCK_MS = 1_000
FIX = "Check MALLA_BROKER_URL and that it runs; then ask again: nothing is owed."


class RedisOutlet:
    """`ports.replies.Outlet`, for all threads of the worker. Two threads of its own begin with the first use."""

    def __init__(self, url: str) -> None:
        self._redis = connect(url)
        self._waiting: deque[tuple[bytes, Entry]] = deque()
        self._changed = threading.Condition()
        self._sending, self._closed = 0, False
        self._threads: list[threading.Thread] = []
        self._left: deque[bytes] = deque(maxlen=MOST_LEFT)
        self._lost: set[bytes] = set()

    def send(self, call_id: bytes, entries: Sequence[Entry]) -> bool:
        with self._changed:
            if call_id in self._lost:
                self._lost.discard(call_id)
                raise Unavailable("The broker does not take the reply of a call.", FIX)
            self._begin()
            self._waiting.extend((call_id, entry) for entry in entries)
            self._changed.notify_all()
        return call_id not in self._left

    def flush(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and not self._sending, SOCKET_SECONDS)

    def close(self) -> None:
        """Ends its threads before the connections that they read from: within a second or so."""
        self.flush()
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(SOCKET_SECONDS)
        self._redis.close()

    def _begin(self) -> None:
        if not self._threads:
            for name, run in (("replies", self._send_all), ("left", self._listen)):
                self._threads.append(threading.Thread(target=run, name=name, daemon=True))
                self._threads[-1].start()

    def _send_all(self) -> None:
        while True:
            with self._changed:
                self._sending = 0
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting or self._closed)
                frame = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_IN_FRAME))]
                self._sending = len(frame)
            if not frame:
                return
            rows = [[call_id.hex(), entry.event.value, entry.data] for call_id, entry in frame]
            try:
                oldest = int((time.time() - KEEP_SECONDS) * 1000)
                self._redis.xadd(REPLIES, {"d": json.dumps(rows)}, minid=oldest)
            except RedisError:
                with self._changed:
                    self._lost |= {call_id for call_id, _ in frame}

    def _listen(self) -> None:
        last: bytes | str = "$"
        while not self._closed:
            try:
                found: Any = self._redis.xread({LEFT: last}, block=BLOCK_MS)
                for _, rows in found:
                    last = rows[-1][0]
                    self._left.extend(bytes.fromhex(fields[b"c"].decode()) for _, fields in rows)
            except (RedisError, ValueError):  # ValueError: the connection was closed meanwhile
                time.sleep(BLOCK_MS / 1000)


def connect(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=SOCKET_SECONDS, socket_connect_timeout=SOCKET_SECONDS)
