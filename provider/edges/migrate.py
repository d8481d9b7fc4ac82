"""Bringing a database to this version's tables; every process does it at its start, one at a time."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from protocol.errors import Unavailable
from provider.edges.journal import PostgresJournal, open_engine

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
LOCK = 0x6D616C6C61


def open_journal(database_url: str, connections: int = 2) -> PostgresJournal:
    """The journal of a database that has this version's tables afterwards; `connections` are kept, as many more opened
    when they are all taken. Raises Unavailable."""
    engine = open_engine(database_url, connections)
    migrate(engine)
    return PostgresJournal(engine)


def migrate(engine: Engine) -> None:
    """Idempotent. Raises Unavailable when the database does not answer."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    try:
        with engine.begin() as connection:
            # One process migrates; the others wait here and then find nothing to do.
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except OperationalError as error:
        raise Unavailable("The database does not answer or refuses us.",
                          "Check MALLA_DATABASE_URL, the role and its password.") from error
