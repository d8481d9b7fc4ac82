"""The journal in PostgreSQL: batches, the outbox, offers, signs of life; jobs come from `journal_jobs`."""

from __future__ import annotations

from collections.abc import Sequence
from select import POLLIN, poll
from typing import Any

from sqlalchemy import Engine, Row, create_engine, event, func, make_url, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError

from protocol.errors import ConfigInvalid
from protocol.types import BatchState, Entry, Outcome, SignedOffer
from protocol.units import Address
from protocol.wire import from_json, to_json
from provider.edges.court_rows import CourtRows
from provider.edges.journal_jobs import JobRows
from provider.edges.reports import ReportRows
from provider.edges.tables import BATCHES, BEATS, BURNS, DELIVERIES, JOBS, OFFERS, RECEIPTS, REVEALS
from provider.records.work import Delivery, DeliveryKind, JournalBatch, StoredReceipt


def open_engine(database_url: str, connections: int = 2) -> Engine:
    """A small pool: many processes of many nodes share one cluster. Raises ConfigInvalid."""
    try:
        if make_url(database_url).get_backend_name() == "postgresql":
            engine = create_engine(database_url, pool_size=connections, max_overflow=connections,
                                   connect_args={"connect_timeout": 5})
            event.listen(engine, "checkout", lambda taken, _record, _pool: _require_alive(engine, taken))
            return engine
    except (ArgumentError, ValueError, ImportError):
        pass  # the error's own text holds the URL, and the URL a password
    raise ConfigInvalid("The database's URL cannot be read.",
                        "Write it as postgresql+psycopg://user:password@host:port/database.")


def _require_alive(engine: Engine, connection: Any) -> None:
    """Before each use: a server that ended a connection said so on it, so only one that has something to read is asked
    whether it still works. To ask each time is a round trip that every call would wait for. Raises DisconnectionError,
    and the pool opens another one."""
    try:
        watch = poll()
        watch.register(connection.fileno(), POLLIN)
        if watch.poll(0):
            engine.dialect.do_ping(connection)
    except (DBAPIError, engine.dialect.loaded_dbapi.Error) as error:
        raise DisconnectionError("The server ended this connection.") from error


class PostgresJournal(JobRows, ReportRows, CourtRows):
    """`provider.ports.work.Journal`. Safe to share between threads and processes."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def batches(self, *states: BatchState) -> list[JournalBatch]:
        query = select(BATCHES).where(BATCHES.c.state.in_([s.name for s in states])).order_by(BATCHES.c.batch_id)
        with self.engine.connect() as connection:
            return [_batch(row) for row in connection.execute(query)]

    def batch(self, batch_id: int) -> JournalBatch | None:
        with self.engine.connect() as connection:
            row = connection.execute(select(BATCHES).where(BATCHES.c.batch_id == batch_id)).one_or_none()
        return _batch(row) if row else None

    def burned(self, last: int) -> int:
        """Wei of our matured fees that were burned up to and including block `last`."""
        with self.engine.connect() as connection:
            return int(connection.scalar(select(func.coalesce(func.sum(BURNS.c.burned), 0))
                                         .where(BURNS.c.block <= last)) or 0)

    def queue_deliveries(self, deliveries: Sequence[Delivery], delivered_job: bytes | None = None) -> None:
        """Rows that are there already stay as they are; the job's mark is set in the same transaction."""
        rows = [{"kind": d.kind, "subject": d.subject, "oracle": d.oracle, "body": d.body, "batch_id": d.batch_id}
                for d in deliveries]
        with self.engine.begin() as connection:
            if rows:
                connection.execute(insert(DELIVERIES).on_conflict_do_nothing(), rows)
            if delivered_job is not None:
                connection.execute(update(JOBS).where(JOBS.c.job_id == delivered_job).values(delivery_queued=True))

    def due_deliveries(self, now: float, limit: int = 64) -> list[Delivery]:
        """Oldest first; nothing of a batch that is over."""
        ongoing = (BatchState.PENDING.name, BatchState.FROZEN.name)  # a frozen one may be pending again
        over = select(BATCHES.c.batch_id).where(BATCHES.c.state.not_in(ongoing))
        wanted = or_(DELIVERIES.c.batch_id.is_(None), DELIVERIES.c.kind == DeliveryKind.BLOB,
                     DELIVERIES.c.batch_id.not_in(over))
        query = (select(DELIVERIES).where(DELIVERIES.c.done_at.is_(None), DELIVERIES.c.next_at <= now, wanted)
                 .order_by(DELIVERIES.c.next_at, DELIVERIES.c.id).limit(limit))
        with self.engine.connect() as connection:
            return [_delivery(row) for row in connection.execute(query)]

    def delivered(self, delivery: Delivery, now: float, receipt: bytes | None = None) -> None:
        with self.engine.begin() as connection:
            connection.execute(_at(delivery).values(done_at=now, error=""))
            if receipt is not None and delivery.kind is DeliveryKind.BLOB:
                row = {"blob": bytes.fromhex(delivery.subject), "oracle": delivery.oracle, "signature": receipt}
                connection.execute(insert(RECEIPTS).on_conflict_do_nothing(), row)

    def defer(self, delivery: Delivery, until: float, error: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(_at(delivery).values(next_at=until, attempts=DELIVERIES.c.attempts + 1,
                                                    error=error[:500]))

    def defer_oracle(self, oracle: str, until: float, error: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(
                update(DELIVERIES).where(DELIVERIES.c.oracle == oracle, DELIVERIES.c.done_at.is_(None),
                                         DELIVERIES.c.next_at < until)
                .values(next_at=until, attempts=DELIVERIES.c.attempts + 1, error=error[:500]))

    def has_delivery(self, kind: DeliveryKind, subject: str) -> bool:
        query = select(DELIVERIES.c.id).where(DELIVERIES.c.kind == kind, DELIVERIES.c.subject == subject).limit(1)
        with self.engine.connect() as connection:
            return connection.execute(query).first() is not None

    def subjects(self, kind: DeliveryKind, batch_id: int) -> list[str]:
        """Of everything of one kind that was queued for a batch, oldest first."""
        query = (select(DELIVERIES.c.subject).where(DELIVERIES.c.kind == kind, DELIVERIES.c.batch_id == batch_id)
                 .group_by(DELIVERIES.c.subject).order_by(func.min(DELIVERIES.c.id)))
        with self.engine.connect() as connection:
            return list(connection.scalars(query))

    def repeat_delivery(self, kind: DeliveryKind, subject: str, oracle: str, before: float) -> bool:
        """Make a row due again that was taken before that time."""
        change = update(DELIVERIES).where(
            DELIVERIES.c.kind == kind, DELIVERIES.c.subject == subject, DELIVERIES.c.oracle == oracle,
            DELIVERIES.c.done_at < before).values(done_at=None, next_at=0.0, attempts=0)
        with self.engine.begin() as connection:
            return connection.execute(change).rowcount == 1

    def receipts(self, blob: bytes) -> list[StoredReceipt]:
        with self.engine.connect() as connection:
            rows = connection.execute(select(RECEIPTS).where(RECEIPTS.c.blob == blob))
            return [StoredReceipt(Address(row.oracle), row.signature) for row in rows]

    def reveal(self, oracle: str, epoch: int) -> bytes | None:
        query = select(REVEALS.c.reveal).where(REVEALS.c.oracle == oracle, REVEALS.c.epoch == epoch)
        with self.engine.connect() as connection:
            return connection.scalar(query)

    def keep_reveal(self, oracle: str, epoch: int, reveal: bytes) -> None:
        with self.engine.begin() as connection:
            connection.execute(insert(REVEALS).on_conflict_do_nothing(),
                               {"oracle": oracle, "epoch": epoch, "reveal": reveal})

    def offers(self, active_only: bool = False) -> list[SignedOffer]:
        query = select(OFFERS.c.offer).where(OFFERS.c.active.is_(True)) if active_only else select(OFFERS.c.offer)
        with self.engine.connect() as connection:
            return [from_json(SignedOffer, value, "offer") for (value,) in connection.execute(query)]

    def keep_offer(self, digest: bytes, offer: SignedOffer, active: bool) -> None:
        row = {"digest": digest, "offer": to_json(offer), "active": active}
        with self.engine.begin() as connection:
            connection.execute(insert(OFFERS).values(row).on_conflict_do_update(
                index_elements=["digest"], set_={"active": active}))

    def offer(self, digest: bytes) -> SignedOffer | None:
        with self.engine.connect() as connection:
            value = connection.scalar(select(OFFERS.c.offer).where(OFFERS.c.digest == digest))
        return from_json(SignedOffer, value, "offer") if value else None

    def beat(self, role: str, now: float, detail: dict[str, Any]) -> None:
        row = {"role": role, "at": now, "detail": detail}
        with self.engine.begin() as connection:
            connection.execute(insert(BEATS).values(row).on_conflict_do_update(
                index_elements=["role"], set_={"at": now, "detail": detail}))

    def beats(self) -> dict[str, tuple[float, dict[str, Any]]]:
        with self.engine.connect() as connection:
            return {row.role: (row.at, row.detail) for row in connection.execute(select(BEATS))}


def _at(delivery: Delivery) -> Any:
    return update(DELIVERIES).where(DELIVERIES.c.kind == delivery.kind, DELIVERIES.c.subject == delivery.subject,
                                    DELIVERIES.c.oracle == delivery.oracle)


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(DeliveryKind(row.kind), row.subject, Address(row.oracle), row.body, row.batch_id, row.attempts)


def _batch(row: Row[Any]) -> JournalBatch:
    entries = tuple(from_json(Entry, entry, "entry") for entry in row.entries)
    return JournalBatch(row.batch_id, entries, row.set_version, row.committed_block, row.committed_at,
                        BatchState[row.state], row.terms_version, Outcome[row.outcome], row.opened_at)
