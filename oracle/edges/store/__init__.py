"""The oracle's database: PostgreSQL through SQLAlchemy, one module a noun, put together here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import ArgumentError

from oracle.edges.store.agreement import AgreementStore
from oracle.edges.store.audits import AuditStore
from oracle.edges.store.blobs import BlobStore
from oracle.edges.store.calls import CallStore
from oracle.edges.store.canaries import CanaryStore
from oracle.edges.store.challenges import ChallengeStore
from oracle.edges.store.confirmations import ConfirmationStore
from oracle.edges.store.court import CourtStore
from oracle.edges.store.listings import ListingStore
from oracle.edges.store.market import MarketStore
from oracle.edges.store.projection import ProjectionStore
from oracle.edges.store.scores import ScoreStore
from oracle.edges.store.session_projection import SessionProjectionStore
from oracle.edges.store.tables import METADATA
from protocol.errors import ConfigInvalid


class SqlStore(BlobStore, MarketStore, AuditStore, AgreementStore, ChallengeStore, ScoreStore, ConfirmationStore,
               CallStore, ListingStore, CanaryStore, CourtStore):
    """Implements `oracle.ports.Store`. Unbound, each method is a transaction of its own."""

    @contextmanager
    def transaction(self) -> Iterator[SqlStore]:
        """A store whose methods all belong to one transaction."""
        with self._begin() as connection:
            yield SqlStore(self._engine, connection)


class SqlProjection(ProjectionStore, SessionProjectionStore, CanaryStore, MarketStore, CourtStore):
    """Implements `oracle.ports.Projection` on the follower's connection."""


def open_engine(url: str) -> Engine:
    """A small pool: a node has several processes, and the cluster one limit for all of them. Raises ConfigInvalid."""
    try:
        return create_engine(url, pool_size=2, max_overflow=2, pool_pre_ping=True, pool_timeout=10)
    except (ArgumentError, ValueError):
        # The error's own text holds the URL, and the URL a password.
        raise ConfigInvalid(
            "MALLA_DATABASE_URL cannot be read.", "Write it as postgresql+psycopg://user:password@host:port/database."
        ) from None


def projection_on(engine: Engine, connection: Connection) -> SqlProjection:
    return SqlProjection(engine, connection)


__all__ = ["METADATA", "SqlProjection", "SqlStore", "open_engine", "projection_on"]
