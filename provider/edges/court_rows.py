"""Cases about work of ours: their table, what final blocks do to it, and what the node reads of it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Connection, Engine, Integer, String, Table, select, update
from sqlalchemy.dialects.postgresql import insert

from protocol.chain.events import CaseDefaulted, CaseOpened, CaseRuled, Event
from protocol.types import CaseKind
from provider.edges.tables import METADATA
from provider.records.court import Contested

CASES = Table(
    "cases",
    METADATA,
    Column("case_id", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(8), nullable=False),
    Column("batch_id", BigInteger, nullable=False),
    Column("index", Integer, nullable=False),
    Column("set_version", Integer, nullable=False),
    Column("deadline", BigInteger, nullable=False),
    Column("closed", Boolean, nullable=False, default=False, server_default="false"),
)


def apply_court_event(connection: Connection, owner: str, event: Event) -> None:
    """`owner` in lower case: cases about others are passed over."""
    if isinstance(event, CaseOpened) and event.provider.lower() == owner:
        row = {"case_id": event.case_id, "kind": event.kind.name, "batch_id": event.batch_id, "index": event.index,
               "set_version": event.set_version, "deadline": event.deadline}
        connection.execute(insert(CASES).values(row).on_conflict_do_nothing())
    elif isinstance(event, CaseRuled | CaseDefaulted):
        connection.execute(update(CASES).where(CASES.c.case_id == event.case_id).values(closed=True))


class CourtRows:
    """Mixed into the journal."""

    engine: Engine

    def contested(self, now: float) -> list[Contested]:
        """Cases that can still be ruled."""
        query = select(CASES).where(CASES.c.closed.is_(False), CASES.c.deadline > int(now)).order_by(CASES.c.case_id)
        with self.engine.connect() as connection:
            return [Contested(r.case_id, CaseKind[r.kind], r.batch_id, r._mapping["index"], r.set_version, r.deadline)
                    for r in connection.execute(query)]
