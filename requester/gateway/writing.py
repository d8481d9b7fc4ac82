"""From the events of a call to pieces of an answer: text, logprobs, why it ended, what it used."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from protocol.encoding import unpack_float32
from requester.flow.call_records import CallEvent, Ended, Tokens
from requester.gateway.refusals import Refusal
from requester.gateway.texts import Shown, TextStream

TOP = 5
"""Alternatives that a provider sends for each token, if any."""


@dataclass(frozen=True)
class Scored:
    """A token with its logprob and its likeliest alternatives as (id, logprob)."""

    token: int
    logprob: float
    top: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Piece:
    """What can be shown now. `scored` are the tokens that begin in `text`, if logprobs were asked for."""

    text: str
    scored: tuple[Scored, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.text or self.scored)


@dataclass
class Writer:
    """One answer while it comes. `end_tokens` are the model's, which are counted and not shown; `top` how many
    alternatives are wanted for each token, None for no logprobs at all."""

    token_bytes: Callable[[int], bytes]
    end_tokens: frozenset[int]
    stops: tuple[str, ...] = ()
    top: int | None = None
    ended: Ended | None = None
    _scored: list[Scored] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._text = TextStream(self.token_bytes, self.stops)

    @property
    def stopped(self) -> bool:
        """Whether a stop sequence was found, so that nothing more is wanted."""
        return self._text.stopped

    def take(self, event: CallEvent) -> Piece:
        if isinstance(event, Ended):
            self.ended = event
        elif isinstance(event, Tokens):
            return self._take_tokens(event)
        return Piece("")

    def finish(self) -> Piece:
        """What was held back until it was clear that no more comes."""
        return self._piece(self._text.finish())

    @property
    def reason(self) -> str:
        """OpenAI's `finish_reason`. Errors: Refusal, when the call ended without a reason that a client could use."""
        if self.stopped:
            return "stop"
        if self.ended is None or self.ended.finish not in ("stop", "length"):
            raise Refusal(502, "The call ended before its answer was complete. What came is paid, the rest is not.",
                          code="cancelled")
        return self.ended.finish

    def _take_tokens(self, event: Tokens) -> Piece:
        shown = [at for at, one in enumerate(event.ids) if one not in self.end_tokens]
        if self.top is not None:
            self._scored += _scores(event, shown, self.top)
        return self._piece(self._text.push([event.ids[at] for at in shown]))

    def _piece(self, shown: Shown) -> Piece:
        scored, self._scored = self._scored[: shown.tokens], self._scored[shown.tokens :]
        return Piece(shown.text, tuple(scored))


def _scores(event: Tokens, places: Sequence[int], top: int) -> list[Scored]:
    chosen = unpack_float32(event.logprobs)
    others = list(struct.iter_unpack("<If", event.top))
    return [Scored(event.ids[at], chosen[at], tuple(others[TOP * at : TOP * at + top])) for at in places]
