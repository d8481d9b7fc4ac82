"""One session at a time: what changes it holds its row, so that totals never run apart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, select, text

from protocol.messages import Domain
from protocol.types import Offer, Session, SignedOffer
from protocol.units import Digest
from protocol.vouchers import STATUS, Standing, VoucherRefused
from protocol.wire import from_json
from provider.edges.session_reads import (
    CALL_COLUMNS,
    IN_FLIGHT,
    LOCK_STANDING,
    read_call,
    read_standing,
    totals_shown,
)
from provider.edges.session_tables import CALLS, SESSIONS
from provider.edges.tables import OFFERS
from provider.records.sessions import CallRefused, CallRow, CallStage, SessionFacts, unknown_session

_WRITTEN = ("owed_amount", "owed_units", "owed_calls", "owed_head", "accepted_amount", "accepted_units",
            "accepted_calls", "accepted_head", "in_flight", "held", "signature", "running", "touched_at")
_ADMITTED = ("call_id", "session_id", "nonce", "kind", "stage", "spec", "spec_digest", "prompt", "key", "input_tokens",
             "max_output_tokens", "granted", "admitted_at", "lease_until")
_WRITE = f"UPDATE sessions SET {', '.join(f'{name} = :{name}' for name in _WRITTEN)} WHERE session_id = :wanted"
WRITE = text(_WRITE)
WRITE_AND_ADMIT = text(
    f"WITH held_session AS ({_WRITE}) INSERT INTO calls ({', '.join(_ADMITTED)}) "
    f"VALUES ({', '.join(f':{name}' for name in _ADMITTED)}) ON CONFLICT DO NOTHING RETURNING call_id")
"""As texts, because they run for every voucher and every call: what builds a statement each time costs more than the
statement. Names of columns only; values are bound."""

_CALL = f"SELECT {', '.join(column.name for column in CALL_COLUMNS)} FROM calls WHERE call_id = :call AND stage"
CALL_IN_FLIGHT = text(f"{_CALL} IN ({', '.join(f'{stage.value!r}' for stage in IN_FLIGHT)})")
CALL_OF_HOLDER = text(f"{_CALL} = '{CallStage.RUNNING}' AND lease_holder = :holder")

MOST_KNOWN = 4096
"""Sessions, and calls, whose unchanging facts a process keeps in memory."""


@dataclass(frozen=True)
class Held:
    """A session whose row this transaction holds."""

    connection: Connection
    facts: SessionFacts
    row: Row[Any]
    standing: Standing

    @property
    def session_id(self) -> Digest:
        return self.facts.session_id

    @property
    def offer(self) -> Offer:
        return self.facts.offer

    def write(self, standing: Standing, more: int = 0, now: float | None = None, voucher: bytes | None = None) -> None:
        """Keep where the session stands; `more` calls are in flight, `now` something ended or came, `voucher` is a new
        one's signature."""
        self.connection.execute(WRITE, self.values(standing, more, now, voucher))

    def values(self, standing: Standing, more: int = 0, now: float | None = None,
               voucher: bytes | None = None) -> dict[str, Any]:
        owed, accepted, row = standing.owed, standing.accepted, self.row
        return {
            "wanted": self.session_id, "owed_amount": int(owed.amount), "owed_units": owed.units,
            "owed_calls": owed.calls, "owed_head": owed.head, "accepted_amount": int(accepted.amount),
            "accepted_units": accepted.units, "accepted_calls": accepted.calls, "accepted_head": accepted.head,
            "in_flight": b"".join(standing.in_flight), "held": int(standing.held),
            "signature": row.signature if voucher is None else voucher,
            "running": row.running + more, "touched_at": row.touched_at if now is None else now,
        }


class SessionLock:
    """The part of the store that finds a session and holds it."""

    def __init__(self, engine: Engine, domain: Domain) -> None:
        self._engine, self._domain = engine, domain
        self._at_once = engine.execution_options(isolation_level="AUTOCOMMIT")
        """The same connections, for what is one statement: its transaction costs no round trips of its own."""
        self._known: dict[bytes, SessionFacts] = {}
        self._sessions: dict[bytes, bytes] = {}

    def facts(self, session_id: bytes) -> SessionFacts | None:
        if session_id in self._known:
            return self._known[session_id]
        query = (select(SESSIONS.c.session, OFFERS.c.offer)
                 .join_from(SESSIONS, OFFERS, OFFERS.c.digest == SESSIONS.c.offer_digest)
                 .where(SESSIONS.c.session_id == session_id))
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        facts = SessionFacts(Digest(session_id), from_json(Session, row.session, "session"),
                             from_json(SignedOffer, row.offer, "offer").offer)
        self._known[facts.session_id] = facts
        return facts

    @contextmanager
    def _session(self, session_id: bytes) -> Iterator[Held]:
        """The session, held until the end of the block, which is one transaction. Raises CallRefused: also for what the
        rule of vouchers refuses inside of it."""
        facts = self.facts(session_id)
        if facts is None:
            raise unknown_session(session_id)
        with self._engine.begin() as connection:
            held = _hold(connection, facts)
            try:
                yield held
            except VoucherRefused as error:
                totals = totals_shown(held.session_id, held.standing)
                raise CallRefused(STATUS[error.word], error.word, error.message, error.fix, totals) from error

    @contextmanager
    def _call(self, call_id: bytes, holder: str | None) -> Iterator[tuple[Held, CallRow] | None]:
        """A call in flight with its session, held likewise; None if it is over, or not this holder's to run."""
        facts = self._facts_of_call(call_id)  # before the transaction: it may need a connection of its own
        if facts is None:
            yield None
            return
        with self._engine.begin() as connection:
            held = _hold(connection, facts)
            query = CALL_IN_FLIGHT if holder is None else CALL_OF_HOLDER
            row = connection.execute(query, {"call": call_id, "holder": holder}).one_or_none()
            yield None if row is None else (held, read_call(row))

    def _facts_of_call(self, call_id: bytes) -> SessionFacts | None:
        session_id = self._sessions.get(call_id)
        if session_id is None:
            with self._engine.connect() as connection:
                session_id = connection.scalar(select(CALLS.c.session_id).where(CALLS.c.call_id == call_id))
            if session_id is None:
                return None
            self._remember(call_id, session_id)
        return self.facts(session_id)

    def _remember(self, call_id: bytes, session_id: bytes) -> None:
        if len(self._sessions) >= MOST_KNOWN:
            self._sessions.clear()
        self._sessions[call_id] = session_id


def _hold(connection: Connection, facts: SessionFacts) -> Held:
    row = connection.execute(LOCK_STANDING, {"wanted": facts.session_id}).one()
    return Held(connection, facts, row, read_standing(row, facts.session))
