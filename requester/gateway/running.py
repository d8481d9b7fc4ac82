"""A call that runs in a thread while the event loop waits for what comes of it, and can end it early."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from protocol.errors import MallaError
from requester.flow.call_records import Attempt, Began, CallEvent, Tokens, Waiting
from requester.gateway.refusals import Refusal, refusal_of

LOG = logging.getLogger("malla.gateway")

Start = Callable[[Callable[[], bool]], Iterator[CallEvent]]
"""Begins a call; the function that it gets says whether the call shall end early."""


class Running:
    """One call. `cancel` ends it soon: its last events still come, so what it cost is known. `abandon` does the same
    and lets nobody wait: what was delivered has to be received all the same, or its leaf could not be recomputed, and
    the session could not go on."""

    def __init__(self, start: Start, loop: asyncio.AbstractEventLoop) -> None:
        self._start, self._loop = start, loop
        self._events: deque[CallEvent | Refusal | None] = deque()
        self._came = asyncio.Event()
        self._stop = threading.Event()
        self._abandoned = threading.Event()

    def cancel(self) -> None:
        self._stop.set()

    def abandon(self) -> None:
        self._stop.set()
        self._abandoned.set()
        self._put(None)

    async def next(self, patience: float) -> CallEvent | None:
        """The next event; `Waiting` when nothing came for `patience` seconds, None after the last.

        Errors: Refusal.
        """
        while not self._events:
            self._came.clear()
            try:
                await asyncio.wait_for(self._came.wait(), patience)
            except TimeoutError:
                return Waiting()
        event = self._events.popleft()
        if isinstance(event, Refusal):
            raise event
        return event

    def tokens_at_hand(self) -> Iterator[Tokens]:
        """Tokens that came already: what a slow reader gets in one piece."""
        while self._events and isinstance(event := self._events[0], Tokens):
            self._events.popleft()
            yield event

    def run(self) -> None:
        """In a thread of its own, to the end."""
        try:
            events = self._start(self._stop.is_set)
            try:
                began = False
                for event in events:
                    began = (began or isinstance(event, Began)) and not isinstance(event, Attempt)
                    if not self._abandoned.is_set():
                        self._put(event)
                    elif not began:  # nobody has taken the call, so nothing came of it
                        break
            finally:
                close = getattr(events, "close", None)
                if close is not None:
                    close()
            self._put(None)
        except MallaError as error:
            self._put(refusal_of(error))
        except Exception:  # a fault of ours: whoever waits must get an answer, without what the fault says
            LOG.exception("a call ended by a fault of the gateway")
            self._put(Refusal(500, "The gateway failed; its log says why.", code="internal_error"))

    def _put(self, event: CallEvent | Refusal | None) -> None:
        self._events.append(event)
        try:
            self._loop.call_soon_threadsafe(self._came.set)
        except RuntimeError:  # the loop is closed: the gateway ends, and nobody waits
            self._stop.set()
            self._abandoned.set()


class Floor:
    """All calls that run now, at most `limit`; one that was abandoned runs until it is settled."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._running: dict[Running, threading.Thread] = {}

    @property
    def count(self) -> int:
        return len(self._running)

    @contextmanager
    def call(self, start: Start) -> Iterator[Running]:
        """A call that is abandoned, and so ended early, when its block is left before its end. Errors: Refusal 429."""
        if len(self._running) >= self.limit:
            raise Refusal(429, f"{self.limit} calls run in this gateway already. Try again soon.", code="busy")
        running = Running(start, asyncio.get_running_loop())
        thread = threading.Thread(target=self._run, args=(running,), daemon=True, name="malla-call")
        self._running[running] = thread
        thread.start()
        try:
            yield running
        finally:
            running.abandon()

    def end_all(self, patience: float) -> None:
        """Ends every call, and waits until they are settled, at most `patience` seconds in all. Blocks."""
        end, left = time.monotonic() + patience, dict(self._running)
        for running in left:
            running.abandon()
        for thread in left.values():
            thread.join(max(0.0, end - time.monotonic()))

    def _run(self, running: Running) -> None:
        try:
            running.run()
        finally:
            del self._running[running]
