"""What the caller of a call has seen already, so that a second provider repeats nothing and contradicts nothing."""

from __future__ import annotations

from collections.abc import Iterator

from requester.flow.bans import Failure
from requester.flow.call_records import Tokens, Vector
from requester.flow.failing import AttemptFailed


class Shown:
    """What the caller has seen. Unstreamed, nothing is shown before the end of a call is signed."""

    def __init__(self, streams: bool) -> None:
        self._streams = streams
        self._ids: list[int] = []
        self._at = 0
        self._kept: list[Tokens | Vector] = []

    @property
    def any(self) -> bool:
        return bool(self._ids)

    def restart(self) -> None:
        self._at, self._kept = 0, []

    def take(self, event: Tokens | Vector) -> Iterator[Tokens | Vector]:
        """What of the event is new to the caller. Errors: AttemptFailed where it contradicts what was shown."""
        if not self._streams or isinstance(event, Vector):
            self._kept.append(event)
            return
        seen = self._ids[self._at:self._at + len(event.ids)]
        if tuple(seen) != event.ids[:len(seen)]:
            raise AttemptFailed("differs", "Another provider goes on differently from what was shown.", Failure.NONE)
        self._at += len(event.ids)
        new = len(event.ids) - len(seen)
        if new:
            self._ids += event.ids[len(seen):]
            top = len(event.top) // len(event.ids)
            yield Tokens(event.ids[-new:], event.logprobs[-4 * new:], event.top[len(event.top) - top * new:])

    def rest(self) -> Iterator[Tokens | Vector]:
        yield from self._kept
