"""Who left calls before their first token waits before the next (`provider.leaving`)."""

from __future__ import annotations

from collections.abc import Callable

from provider.leaving import FREE, wait_of
from provider.ports.sessions import Leavers
from provider.records.sessions import CallRefused
from provider.records.work import Left

LOOK_EVERY = 0.5


class Patience:
    """Asks the store at most twice a second, whoever calls: nearly always nobody is in it. For many threads."""

    def __init__(self, leavers: Leavers, clock: Callable[[], float]) -> None:
        self._leavers, self._clock = leavers, clock
        self._known: dict[str, Left] = {}
        self._looked = -LOOK_EVERY

    def require(self, requester: str) -> None:
        """Raises CallRefused 429 while the requester has to wait."""
        now = self._clock()
        if abs(now - self._looked) >= LOOK_EVERY:
            self._looked, self._known = now, self._leavers.left(FREE)
        left = self._known.get(requester.lower())
        wait = wait_of(left, now) if left is not None else 0
        if left is not None and wait:
            raise CallRefused(429, "left_unpaid", f"{left.calls} calls of this requester were left before their first "
                              f"token, which cost work and pay nothing; the next is taken in {wait} s.",
                              "Let calls begin before you end them, or ask another provider.", retry_after=wait)
