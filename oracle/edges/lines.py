"""Questions to peers side by side: whoever answers first is heard first, and whoever took long is asked last.

One thread a peer, its questions one after the other. A peer that takes too long costs a round some seconds once; then
it is asked only after all the others, again after a longer and longer while, and not at all if they were enough.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from protocol.errors import Unavailable
from protocol.units import Address

SLOW = 2.0
"""Seconds from which an answer, or the wait for one, counts as late."""
LONGEST_WAIT = 30.0
"""Seconds after which the slowest peer is asked again."""

Question = Callable[[], Any]


class Patience:
    """Which peers were late, and when each is asked again: 2 s later, then 4 s, 8 s, …; one answer in time ends it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._late: dict[Address, tuple[int, float]] = {}

    def note(self, peer: Address, took: float) -> None:
        """How many seconds the peer took for an answer, or has taken without one."""
        if took < SLOW:
            self._late.pop(peer, None)
            return
        times = self._late.get(peer, (0, 0.0))[0] + 1
        self._late[peer] = (times, self._clock() + min(LONGEST_WAIT, 2.0 ** min(times, 10)))

    def is_late(self, peer: Address) -> bool:
        return peer in self._late

    def wait(self, peer: Address) -> float:
        """Seconds until it is asked again; 0 for one that is in time."""
        return max(0.0, self._late[peer][1] - self._clock()) if peer in self._late else 0.0


@dataclass(frozen=True)
class Heard:
    """`said` holds what the question returned or raised; it took from `began` to `ended`, by the monotonic clock."""

    peer: Address
    place: int
    said: Future[Any]
    began: float
    ended: float


class Lines:
    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self._busy: set[Address] = set()

    def ask(self, asked: Mapping[Address, Sequence[Question]], seconds: float, wave: float) -> Iterator[Heard]:
        """Answers as they come, for `seconds` at most: first of the peers that were in time, then of those that were
        late and may be asked again; each of the two for `wave` seconds at most. After an Unavailable a peer is asked
        nothing more. Whoever stops to listen ends it: what is not asked by then never is."""
        until = time.monotonic() + seconds
        prompt = {peer: its for peer, its in asked.items() if not self.patience.is_late(peer)}
        late = {peer: its for peer, its in asked.items() if peer not in prompt}
        yield from self._side_by_side(prompt, min(until, time.monotonic() + wave))
        again = {peer: its for peer, its in late.items() if not self.patience.wait(peer)}
        yield from self._side_by_side(again, min(until, time.monotonic() + wave))

    def _side_by_side(self, asked: Mapping[Address, Sequence[Question]], until: float) -> Iterator[Heard]:
        if time.monotonic() >= until:
            return
        heard: SimpleQueue[Heard] = SimpleQueue()
        over = threading.Event()
        begun = time.monotonic()
        left: dict[Address, int] = {}
        for peer, questions in asked.items():
            if peer in self._busy:
                self.patience.note(peer, SLOW)  # it still answers an earlier question
                continue
            left[peer] = len(questions)
            arguments = (peer, questions, heard, over, self._busy)
            # A daemon: a peer that never ends its answer must not keep this process from ending.
            threading.Thread(target=_work_off, args=arguments, name="ask", daemon=True).start()
        since = dict.fromkeys(left, begun)
        try:
            while left:
                try:
                    one = heard.get(timeout=max(0.0, until - time.monotonic()))
                except Empty:
                    break
                self.patience.note(one.peer, one.ended - one.began)
                since[one.peer] = one.ended
                left[one.peer] -= 1
                if not left[one.peer] or isinstance(one.said.exception(), Unavailable):
                    del left[one.peer]
                yield one
        finally:
            over.set()
        for peer in left:
            if (waited := time.monotonic() - since[peer]) >= SLOW:
                self.patience.note(peer, waited)


def _work_off(peer: Address, questions: Sequence[Question], heard: SimpleQueue[Heard], over: threading.Event,
              busy: set[Address]) -> None:
    for place, question in enumerate(questions):
        if over.is_set():
            return
        said: Future[Any] = Future()
        began = time.monotonic()
        busy.add(peer)
        try:
            said.set_result(question())
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the caller, who listens
            said.set_exception(error)
        busy.discard(peer)
        heard.put(Heard(peer, place, said, began, time.monotonic()))
        if isinstance(said.exception(), Unavailable):
            return
