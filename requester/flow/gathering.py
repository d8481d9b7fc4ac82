"""What comes of a reply, part by part: each is looked at once, however long the answer becomes."""

from __future__ import annotations

from typing import Any

from protocol.types import JobSpec
from requester.flow.endings import Received, new_tokens


class Gathering:
    """Used by one thread at a time."""

    def __init__(self, spec: JobSpec, stops: tuple[int, ...]) -> None:
        self._spec, self._stops = spec, stops
        self._ids: list[int] = []
        self._logprobs, self._top = bytearray(), bytearray()

    @property
    def count(self) -> int:
        return len(self._ids)

    def add(self, part: dict[str, Any]) -> Received:
        """The tokens of one more part. Raises ProviderFault for what may not come."""
        is_over = bool(self._ids) and self._ids[-1] in self._stops
        new = new_tokens(len(self._ids), is_over, part, self._spec, self._stops)
        self._ids += new.ids
        self._logprobs += new.logprobs
        self._top += new.top
        return new

    def whole(self) -> Received:
        """All of it, copied."""
        return Received(tuple(self._ids), bytes(self._logprobs), bytes(self._top))
