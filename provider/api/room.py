"""Whether one more call can be taken: streams of this process, and what the journal says of calls and of the worker."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from protocol.errors import MallaError
from provider.flow.admission import Admission, busy, require_room

LOOK_EVERY, TRUSTED = 0.5, 10.0
"""Seconds after which the database is asked again whether calls can be taken: beside the calls, and while a call waits.
A worker counts as gone after 45 s of silence (`provider.flow.status`)."""


class Room:
    """Streams of this process: counted here, before anything is awaited, so that none of two at once slips past. What
    the database says of calls and of the worker is asked at most twice a second, beside the calls."""

    def __init__(self, streams: int) -> None:
        self._streams, self._taken, self._looked, self._asking = streams, 0, -TRUSTED, False

    def look(self, admission: Admission) -> None:
        """Asks only where the last answer is old, or was a refusal. Raises CallRefused 429 or 503."""
        if time.monotonic() - self._looked >= TRUSTED:
            self._ask(admission)

    def look_again(self, admission: Admission) -> None:
        """For the calls that come next; nobody waits for it."""
        if not self._asking and time.monotonic() - self._looked >= LOOK_EVERY:
            self._asking = True
            with contextlib.suppress(MallaError, SQLAlchemyError):  # the next call asks itself, and hears it
                self._ask(admission)
            self._asking = False

    def _ask(self, admission: Admission) -> None:
        now = time.monotonic()
        try:
            require_room(admission)
        except BaseException:  # whatever it was, the next call asks
            self._looked = -TRUSTED
            raise
        self._looked = now

    def take(self) -> Callable[[], None]:
        """Gives what leaves the stream again, once. Raises CallRefused 429."""
        if self._taken >= self._streams:
            raise busy(self._streams)
        self._taken += 1
        left = False

        def leave() -> None:
            nonlocal left
            if not left:
                left, self._taken = True, self._taken - 1

        return leave
