"""The way of a reply in memory, for tests: both ends in one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from protocol.errors import Unavailable
from provider.ports.replies import Entry, Event


@dataclass
class FakeReplies:
    """`provider.ports.replies.Outlet`, `.Inlet` and `.CallBroker`. `work` is what the worker does when a call is
    enqueued; `on_send` is called before each entry is appended."""

    work: Callable[[bytes], object] = lambda call_id: None
    on_send: Callable[[bytes], object] = lambda call_id: None
    streams: dict[bytes, list[Entry]] = field(default_factory=dict)
    left: set[bytes] = field(default_factory=set)
    gone: bool = False
    wait: float = 0.001
    """Seconds for which a reader waits before it gives an empty list."""

    def enqueue_call(self, call_id: bytes) -> None:
        if self.gone:
            raise Unavailable("The broker does not answer.")
        self.work(call_id)

    def send(self, call_id: bytes, entries: Sequence[Entry]) -> bool:
        self.on_send(call_id)
        if self.gone:
            raise Unavailable("The broker does not take the reply of a call.")
        self.streams.setdefault(call_id, []).extend(entries)
        return call_id not in self.left

    def flush(self) -> None:
        """Everything is there at once."""

    async def read(self, call_id: bytes) -> AsyncIterator[list[Entry]]:
        read = 0
        while True:
            if self.gone:
                raise Unavailable("The broker does not give the reply of a call.")
            found = self.streams.get(call_id, [])[read:]
            read += len(found)
            if not found:
                await asyncio.sleep(self.wait)
            yield found
            if found and found[-1].event in (Event.END, Event.FAILED):
                return

    def leave(self, call_id: bytes) -> None:
        self.left.add(call_id)
