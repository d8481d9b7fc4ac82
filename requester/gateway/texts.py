"""From token ids to text while they arrive: whole characters only, and nothing that may become a stop sequence.

The tokenizer of every model here is a byte-level BPE, so a token is some bytes and a character may lie in several
tokens. What the provider sends are ids; the text is made here.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Shown:
    """What may be shown now: the text, and how many of the tokens so far have begun in it or before it."""

    text: str
    tokens: int


@dataclass
class TextStream:
    """`token_bytes` gives the bytes of a token, none for a special one. Once a stop sequence was found, `stopped` is
    true, and nothing more comes out."""

    token_bytes: Callable[[int], bytes]
    stops: tuple[str, ...] = ()
    stopped: bool = False
    _held: str = ""
    _shown: int = 0
    _made: int = 0
    _begins: list[int] = field(default_factory=list)
    """For each token the number of characters before it."""
    _told: int = 0

    def __post_init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, ids: Sequence[int]) -> Shown:
        for one in ids:
            if self.stopped:
                break
            self._begins.append(self._made)
            self._take(self._decoder.decode(self.token_bytes(one)))
        return self._show(0 if self.stopped else _possible_stop(self._held, self.stops))

    def finish(self) -> Shown:
        """The rest: what could have become a stop sequence did not, and half a character is U+FFFD."""
        if not self.stopped:
            self._take(self._decoder.decode(b"", True))
        return self._show(0)

    def _take(self, text: str) -> None:
        self._made += len(text)
        self._held += text
        found = min((at for at in (self._held.find(stop) for stop in self.stops) if at >= 0), default=-1)
        if found >= 0:
            self._held, self.stopped = self._held[:found], True

    def _show(self, kept_back: int) -> Shown:
        cut = len(self._held) - kept_back
        text, self._held = self._held[:cut], self._held[cut:]
        self._shown += len(text)
        # A token that begins where a stop sequence cuts belongs to what is not shown.
        last = self._shown if self.stopped or kept_back else self._shown + 1
        before = self._told
        while self._told < len(self._begins) and self._begins[self._told] < last:
            self._told += 1
        return Shown(text, self._told - before)


def _possible_stop(text: str, stops: Sequence[str]) -> int:
    """Characters at the end of the text with which a stop sequence may begin."""
    longest = max((len(stop) for stop in stops), default=1) - 1
    for size in range(min(longest, len(text)), 0, -1):
        tail = text[-size:]
        if any(stop.startswith(tail) for stop in stops):
            return size
    return 0
