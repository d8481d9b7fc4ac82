"""A call's reply as server-sent events: the parts that the worker sealed, in order, with signs of life between them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from protocol.envelope import seal_part
from protocol.errors import Unavailable
from provider.flow.replies import end_part, error_part
from provider.ports.replies import Entry, Event, Inlet
from provider.ports.sessions import Sessions
from provider.records.sessions import CallRefused, CallRow

FIRST_SECONDS = 5.0
"""For so long the status waits for the first token: what fails before is told by it."""
START_SECONDS, LOST_SECONDS = 30.0, 15.0
"""Silence of a worker that has not begun yet, and of one that has, after which the call is lost."""
KEEP_ALIVE_SECONDS = 5.0
KEEP_ALIVE = ": keep-alive\n\n"
READ_SECONDS = 20.0
"""For so long a requester may leave what was sent unread: who reads nothing must not hold a stream for ever."""


class ReplyStream:
    """One reply. `begin` decides the status, then `events` gives the body."""

    def __init__(self, sessions: Sessions, inlet: Inlet, row: CallRow,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._sessions, self._inlet, self._row, self._clock = sessions, inlet, row, clock
        self._batches = inlet.read(row.call_id)
        self._first: list[Entry] = []
        self._number, self._heard = 0, False
        self._since = clock()
        self.ended = False

    async def begin(self) -> None:
        """Waits a little for the first part. Raises CallRefused when the call failed before it."""
        until = self._clock() + FIRST_SECONDS
        while not self._first and self._clock() < until:
            try:
                async with asyncio.timeout(until - self._clock() + 1):
                    batch = await anext(self._batches)
            except (Unavailable, TimeoutError) as error:
                await run_in_threadpool(self._sessions.fail_call, self._row.call_id, "no reply came")
                raise CallRefused(503, "unavailable", "The provider's broker does not answer.",
                                  "Try again: nothing is owed.", retry_after=1) from error
            self._note(batch)
            if batch and batch[-1].event is Event.FAILED:
                self.ended = True
                said = json.loads(batch[-1].data)
                raise CallRefused(said["status"], said["code"], said["message"], said["fix"])
            self._first = [entry for entry in batch if entry.event is not Event.ALIVE]

    async def events(self) -> AsyncIterator[str]:
        spoke = self._clock()
        text = self._text(self._first)
        while not self.ended:
            if not text and self._clock() - spoke >= KEEP_ALIVE_SECONDS:
                text = KEEP_ALIVE
            if text:
                spoke = self._clock()
                yield text
            try:
                batch = await anext(self._batches)
            except Unavailable as error:
                text = await self._lose(error)
                continue
            self._note(batch)
            text = self._text(batch)
            silent = self._clock() - self._since
            if not batch and silent > (LOST_SECONDS if self._heard else START_SECONDS):
                text = await self._lose(CallRefused(
                    503, "worker_lost", f"The provider's worker said nothing for {silent:.0f} s: it stopped or died.",
                    "Ask another provider: nothing is owed for this call."))
        yield text

    def _note(self, batch: list[Entry]) -> None:
        if batch:
            self._since, self._heard = self._clock(), True

    def _text(self, entries: list[Entry]) -> str:
        lines = []
        for entry in entries:
            self.ended = self.ended or entry.event in (Event.END, Event.FAILED)
            if entry.event is Event.FAILED:
                said = json.loads(entry.data)
                lines.append(self._seal(error_part(CallRefused(said["status"], said["code"], said["message"],
                                                               said["fix"]))))
            elif entry.event is not Event.ALIVE:
                lines.append(entry.data)
                self._number += 1
        return "".join(f"data: {line}\n\n" for line in lines)

    async def _lose(self, error: Exception) -> str:
        """The last event of a call whose worker or broker is gone: its end if it had ended after all, else why not."""
        self.ended = True
        if await run_in_threadpool(self._sessions.fail_call, self._row.call_id, str(error)):
            return f"data: {self._seal(error_part(error))}\n\n"
        row = await run_in_threadpool(self._sessions.call, self._row.call_id)
        ended = None if row is None or row.number is None else await run_in_threadpool(
            self._sessions.ended_call, row.session_id, row.number)
        return f"data: {self._seal(error_part(error) if ended is None else end_part(ended))}\n\n"

    def _seal(self, part: dict[str, object]) -> str:
        self._number += 1
        return seal_part(self._row.key, self._number - 1, part)

    def leave(self) -> None:
        """The worker stops, unless everything was passed on. Blocks."""
        if not self.ended:
            self._inlet.leave(self._row.call_id)
            self._sessions.cancel_call(self._row.call_id)


class StreamedReply(StreamingResponse):
    """Calls `over` once, however the stream ends: with its last part, or with a requester that went away."""

    def __init__(self, content: AsyncIterator[str], over: Callable[[], None]) -> None:
        super().__init__(content, media_type="text/event-stream",
                         headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        self._over = over

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_late = False

        async def send_in_time(message: Message) -> None:
            nonlocal is_late
            try:
                async with asyncio.timeout(READ_SECONDS):
                    await send(message)
            except TimeoutError:
                is_late = True
                raise

        try:
            await super().__call__(scope, receive, send_in_time)
        except (OSError, ClientDisconnect):
            if not is_late:
                raise
        finally:
            self._over()
