"""`provider.ports.sessions.Leavers` in memory, for tests."""

from __future__ import annotations

from dataclasses import dataclass, field

from provider.leaving import one_less, one_more
from provider.records.work import Left


@dataclass
class FakeLeavers:
    rows: dict[str, Left] = field(default_factory=dict)

    def note_left(self, requester: str, now: float) -> None:
        self.rows[requester.lower()] = one_more(self.rows.get(requester.lower(), Left()), now)

    def note_ended(self, requester: str, now: float) -> None:
        if requester.lower() in self.rows:
            self.rows[requester.lower()] = one_less(self.rows[requester.lower()], now)

    def left(self, more_than: int) -> dict[str, Left]:
        return {requester: left for requester, left in self.rows.items() if left.calls > more_than}
