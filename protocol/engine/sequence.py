"""One sequence of a running batch, between the engine that computes it and the caller that takes its tokens."""

from __future__ import annotations

import threading
from collections.abc import Callable
from collections.abc import Sequence as Ids
from dataclasses import dataclass

import torch

from protocol.engine.generate import Execution, GenerationCancelled, Written
from protocol.errors import MallaError
from protocol.types import Sampler

AHEAD = 16
"""Tokens that the engine computes before somebody takes them."""


class EngineClosed(MallaError):
    """The engine ended before the sequence did."""

    code = "engine_closed"


@dataclass(frozen=True)
class Tokens:
    """Tokens in order, with the logprob and the five likeliest of each."""

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    top: tuple[tuple[tuple[int, float], ...], ...]


class Sequence:
    """One prompt in the engine, as its caller holds it. `take` and `cancel` are for one thread."""

    def __init__(self, prompt: Ids[int], most: int, sampler: Sampler, seed: bytes | None, stops: set[int],
                 wake: Callable[[], None]) -> None:
        self.prompt, self.most, self.sampler = tuple(prompt), most, sampler
        self.written = Written(most, seed)
        self.over = False
        """No token will come any more."""
        self.left = False
        """Its caller wants no more."""
        self.error: BaseException | None = None
        self.ready = self.taken = 0
        """Tokens that may be taken, and those that were."""
        self._stops, self._wake, self._changed = stops, wake, threading.Condition()

    @property
    def capacity(self) -> int:
        return len(self.prompt) + self.most

    @property
    def length(self) -> int:
        """Tokens whose keys and values are in its slot: all but the last one written."""
        return len(self.prompt) + len(self.written.tokens) - 1

    @property
    def may_step(self) -> bool:
        return len(self.written.tokens) - self.taken < AHEAD

    def take(self, timeout: float) -> Tokens:
        """What came since the last time; waits for it, and is empty when nothing came or the sequence is over.

        Errors: `NumbersBroken`, `EngineClosed`, and whatever broke the pass.
        """
        with self._changed:
            self._changed.wait_for(lambda: self.ready > self.taken or self.over, timeout)
            until = self.ready
            if self.error is not None and until == self.taken:
                raise self.error
        first, self.taken = self.taken, until
        if until - first >= AHEAD:  # it was paused
            self._wake()
        written = self.written
        return Tokens(tuple(written.tokens[first:until]), tuple(written.logprobs[first:until]),
                      tuple(written.top[first:until]))

    def cancel(self) -> None:
        """No further token is computed."""
        self.left = True
        self._wake()

    @property
    def is_taken(self) -> bool:
        """Over, and everything of it is taken."""
        return self.over and self.error is None and self.taken == self.ready

    @torch.inference_mode()
    def execution(self, kept: int | None = None) -> Execution:
        """The first `kept` tokens as an answer. Errors: `GenerationCancelled` when that is none."""
        if not self.written.tokens or kept == 0:
            raise GenerationCancelled(f"Generation was cancelled before the first of {self.most} tokens.")
        return self.written.execution(self._stops, kept)

    def tell(self, over: bool, error: BaseException | None = None) -> None:
        """The engine's: a token came, or it is over."""
        with self._changed:
            self.ready, self.over, self.error = len(self.written.tokens), over, error or self.error
            self._changed.notify_all()
