"""How the parts of the store get a connection: their own transaction, or the one that they are bound to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Table
from sqlalchemy.dialects import postgresql, sqlite


class Session:
    """Unbound, each method is a transaction; bound to a connection, all methods belong to the caller's."""

    def __init__(self, engine: Engine, connection: Connection | None = None) -> None:
        self._engine, self._connection = engine, connection

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        if self._connection is not None:
            yield self._connection
        else:
            with self._engine.begin() as connection:
                yield connection

    def _insert(self, table: Table) -> Any:
        """An INSERT that knows ON CONFLICT, which both of our dialects spell alike."""
        return (sqlite.insert if self._engine.dialect.name == "sqlite" else postgresql.insert)(table)
