"""The way of a reply from the worker that computes it to the route that streams it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Event(StrEnum):
    PART = "part"
    """A sealed part of the reply."""
    END = "end"
    """The last one; nothing follows."""
    FAILED = "failed"
    """The call gave nothing: why, in the open and without anything of its content. Nothing follows."""
    ALIVE = "alive"
    """The worker is at it, and there is nothing to say."""


@dataclass(frozen=True)
class Entry:
    """One step of a reply. `data` is a sealed part's text; of FAILED the JSON of `protocol.errors`, with `status`."""

    event: Event
    data: str = ""


class Outlet(Protocol):
    """The worker's end."""

    def send(self, call_id: bytes, entries: Sequence[Entry]) -> bool:
        """Append to the call's reply, without waiting; whether its requester still wants it, as far as is known. Raises
        Unavailable when the broker did not take what was sent before."""
        ...

    def flush(self) -> None:
        """Wait, a few seconds at most, until the broker has everything."""
        ...


class Inlet(Protocol):
    """The route's end. A reply is kept from its first entry on, also for a route that comes half a minute later."""

    def read(self, call_id: bytes) -> AsyncIterator[list[Entry]]:
        """What is there and then what comes, until END or FAILED; nothing for about a second gives an empty list.
        Raises Unavailable when the broker is gone."""
        ...

    def leave(self, call_id: bytes) -> None:
        """The requester went away: the worker's next `send` says so."""
        ...


class CallBroker(Protocol):
    def enqueue_call(self, call_id: bytes) -> None:
        """Raises Unavailable."""
        ...
