"""What is remembered of a provider: failures that fade, bans that end by themselves, reliability and speed.

Every number decays by half within its half-life, so nothing has to be cleared. A ban ends when its number has fallen
to one half: an outage after 30 seconds, two at once after a minute; a fault (a leaf that is wrong, tokens that nobody
asked for) after a day. Being busy is no failure, and what a user did wrong is none either.
"""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from enum import Enum

from protocol.units import Address
from requester.ports.sessions import SessionStore
from requester.records.sessions import Marks

OUTAGE_HALF, RECORD_HALF, FAULT_HALF = 30.0, 3_600.0, 86_400.0
BANNED = 0.5
SMOOTHING = 0.3
"""Weight of the newest measured speed."""


class Failure(Enum):
    """How a call ended that brought nothing. NONE counts nothing: the provider was busy, or the user erred."""

    NONE = 0
    OUTAGE = 1
    FAULT = 2


def faded(marks: Marks, now: float) -> Marks:
    """The marks as they are at `now`, unix seconds."""
    passed = max(0.0, now - marks.at)

    def after(value: float, half_life: float) -> float:
        return value * math.pow(0.5, passed / half_life)

    return replace(marks, at=max(now, marks.at), outages=after(marks.outages, OUTAGE_HALF),
                   failures=after(marks.failures, RECORD_HALF), successes=after(marks.successes, RECORD_HALF),
                   faults=after(marks.faults, FAULT_HALF))


def banned_for(marks: Marks, now: float) -> float:
    """Seconds for which the provider is not asked; 0 if it may be."""
    then = faded(marks, now)
    waits = [half * math.log2(value / BANNED) for value, half in
             ((then.outages, OUTAGE_HALF), (then.faults, FAULT_HALF)) if value > BANNED]
    return max(waits, default=0.0)


def reliability(marks: Marks, now: float) -> float:
    """Share of calls that went well, lately and of this wallet: 1 for a provider that was never asked, never 0."""
    then = faded(marks, now)
    return (then.successes + 1) / (then.successes + then.failures + 1)


class Bans:
    """The marks of all providers, written as they change. Safe to share between threads."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._marks = dict(store.marks())

    def of(self, provider: Address) -> Marks:
        with self._lock:
            return self._marks.get(provider, Marks(provider, 0.0))

    def note_success(self, provider: Address, now: float, speed: float) -> None:
        """`speed` is tokens a second as measured here, 0 where the call was too short to tell."""
        with self._lock:
            then = faded(self._marks.get(provider, Marks(provider, now)), now)
            known = then.speed or speed
            smoothed = known + SMOOTHING * (speed - known) if speed else known
            self._keep(replace(then, successes=then.successes + 1, speed=smoothed))

    def note_failure(self, provider: Address, failure: Failure, now: float) -> None:
        if failure is Failure.NONE:
            return
        with self._lock:
            then = faded(self._marks.get(provider, Marks(provider, now)), now)
            faults = then.faults + (1 if failure is Failure.FAULT else 0)
            self._keep(replace(then, outages=then.outages + 1, failures=then.failures + 1, faults=faults))

    def _keep(self, marks: Marks) -> None:
        self._marks[marks.provider] = marks
        self._store.write_marks(marks)
