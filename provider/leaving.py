"""Calls that their requester left before the first token: they owe nothing, and so must not be had without end.

A call that ends with output takes one of them back, time takes all of them back, and beyond a few the requester waits,
twice as long with each. Whoever pays for every second call can leave the others: that is the most.
"""

from __future__ import annotations

import math

from provider.records.work import Left

FREE = 3
"""So many are nothing: people change their minds."""
LONGEST = 600
"""Seconds that a requester waits at most, and after which one more of its calls is forgotten."""


def faded(left: Left, now: float) -> int:
    """What time has left of them."""
    return max(0, left.calls - int(max(0.0, now - left.at) // LONGEST))


def one_more(left: Left, now: float) -> Left:
    return Left(faded(left, now) + 1, now)


def one_less(left: Left, now: float) -> Left:
    return Left(max(0, faded(left, now) - 1), now)


def wait_of(left: Left, now: float) -> int:
    """Seconds until the next call is taken, rounded up; 0 for one that may come."""
    over = left.calls - FREE
    if over <= 0:
        return 0
    return max(0, math.ceil(left.at + min(LONGEST, 2 ** min(over, 30)) - now))
