"""The databases of a world's oracles: SQLite in memory, made by copying an empty one.

An engine that a test gives back is used again, emptied: it keeps the statements that it has compiled, and to make the
tables and to compile the same statements anew was most of what a short test took.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from functools import cache
from sqlite3 import Connection
from typing import cast

from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import StaticPool

from oracle.edges.store import METADATA

_given_back: list[Engine] = []


def take_engine() -> Engine:
    """An engine with every table and no row."""
    engine = _given_back.pop() if _given_back else _new_engine()
    engine.dispose()  # the database goes with its only connection
    with closing(engine.raw_connection()) as connection:
        _empty().backup(cast(Connection, connection.driver_connection))
    return engine


def give_back(engines: Iterable[Engine]) -> None:
    """By a test that is over: nothing uses these engines any more."""
    _given_back.extend(engines)


@cache
def _empty() -> Connection:
    engine = _new_engine()
    METADATA.create_all(engine)
    return cast(Connection, engine.raw_connection().driver_connection)


def _new_engine() -> Engine:
    return create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
