"""`provider.ports.sessions.Leavers` in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Engine, select, update
from sqlalchemy.dialects.postgresql import insert

from provider.edges.session_tables import LEAVERS
from provider.leaving import one_less, one_more
from provider.records.work import Left


class SqlLeavers:
    """Safe to share between threads and processes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def note_left(self, requester: str, now: float) -> None:
        with self._engine.begin() as connection:
            connection.execute(insert(LEAVERS).values(requester=requester.lower(), calls=0, at=now)
                               .on_conflict_do_nothing())
        self._change(requester, one_more, now)

    def note_ended(self, requester: str, now: float) -> None:
        self._change(requester, one_less, now)

    def left(self, more_than: int) -> dict[str, Left]:
        query = select(LEAVERS).where(LEAVERS.c.calls > more_than)
        with self._engine.connect() as connection:
            return {row.requester: Left(row.calls, row.at) for row in connection.execute(query)}

    def _change(self, requester: str, rule: Callable[[Left, float], Left], now: float) -> None:
        its = LEAVERS.c.requester == requester.lower()
        with self._engine.begin() as connection:
            row = connection.execute(select(LEAVERS).where(its).with_for_update()).one_or_none()
            if row is not None:
                made = rule(Left(row.calls, row.at), now)
                connection.execute(update(LEAVERS).where(its).values(calls=made.calls, at=made.at))
