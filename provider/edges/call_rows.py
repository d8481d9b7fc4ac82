"""Calls in the store of sessions: taken by the worker, granted their tokens, ended or failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, and_, bindparam, func, or_, select, text, true, update

from protocol.calls import CallLine, add_call
from protocol.units import Wei
from protocol.vouchers import grant, held_for, is_claimable
from provider.edges.said_rows import SILENT
from provider.edges.session_lock import SessionLock
from provider.edges.session_reads import (
    CALL_COLUMNS,
    ENDED_COLUMNS,
    IN_FLIGHT,
    read_call,
    read_ended,
    read_speed,
)
from provider.edges.session_tables import CALLS
from provider.records.sessions import LEASE_SECONDS, CallRow, CallStage, CallWork, EndedCall
from provider.records.work import Lease

CLAIM = text(
    f"UPDATE calls SET stage = '{CallStage.RUNNING}', lease_holder = :holder, lease_until = :until "
    f"WHERE call_id = :call AND stage = '{CallStage.WAITING}' "
    "AND (SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL "
    f"RETURNING {', '.join(column.name for column in CALL_COLUMNS)}")
"""One statement that is its own transaction, and waits for no disk: if the database's machine loses it, the call is one
that waits and whose lease ends, and its worker finds that it does not hold it. Names of columns only."""

_FINISHED = ("stage", "number", "total_amount", "total_units", "total_head", "leaf", "salt", "fingerprint_root",
             "input_tokens", "output_tokens", "produced", "finish", "transcript", "fingerprints", "vector", "telemetry",
             "finished_at", "duration", "first_token", "lease_holder")
FINISH = text(f"UPDATE calls SET {', '.join(f'{name} = :{name}' for name in _FINISHED)} WHERE call_id = :call "
              f"RETURNING {', '.join(column.name for column in ENDED_COLUMNS)}").bindparams(
    bindparam("telemetry", type_=CALLS.c.telemetry.type))


class CallRows(SessionLock):
    """Mixed into `SqlSessions`."""

    def calls_in_flight(self) -> int:
        with self._engine.connect() as connection:
            return int(connection.scalar(select(func.count()).where(CALLS.c.stage.in_(IN_FLIGHT))) or 0)

    def call(self, call_id: bytes) -> CallRow | None:
        with self._engine.connect() as connection:
            row = connection.execute(select(CALLS).where(CALLS.c.call_id == call_id)).one_or_none()
        return read_call(row) if row else None

    def claim_call(self, call_id: bytes, lease: Lease, now: float) -> CallRow | None:
        values = {"call": call_id, "holder": lease.holder, "until": lease.until}
        with self._at_once.connect() as connection:
            row = connection.execute(CLAIM, values).one_or_none()
        if row is None:
            return None
        call = read_call(row)
        self._remember(call.call_id, call.session_id)
        return call

    def allowed(self, call_id: bytes, holder: str, produced: int, now: float) -> int:
        with self._call(call_id, holder) as found:
            if found is None:
                return -1
            held, call = found
            if call.cancel_asked or not is_claimable(held.standing, now):
                return -1
            granted = grant(held.standing, call.granted, produced, call.max_output_tokens, held.offer)
            held.connection.execute(update(CALLS).where(CALLS.c.call_id == call_id).values(
                granted=granted, produced=produced, lease_until=now + LEASE_SECONDS))
            if granted != call.granted:
                more = (held_for(call.input_tokens, granted, held.offer)
                        - held_for(call.input_tokens, call.granted, held.offer))
                held.write(replace(held.standing, held=Wei(held.standing.held + more)))
            return granted

    def finish_call(self, call_id: bytes, holder: str, work: CallWork, now: float) -> EndedCall | None:
        with self._call(call_id, holder) as found:
            if found is None:
                return None
            held, call = found
            if work.output_tokens > call.granted or work.input_tokens > call.input_tokens:
                raise ValueError(f"A call with {work.input_tokens} + {work.output_tokens} tokens is more than the "
                                 f"{call.input_tokens} + {call.granted} that were granted.")
            totals = add_call(held.standing.owed, CallLine(work.leaf, work.input_tokens, work.output_tokens),
                              held.offer)
            ended = held.connection.execute(FINISH, {
                "call": call_id, "stage": CallStage.ENDED, "number": totals.calls, "total_amount": int(totals.amount),
                "total_units": totals.units, "total_head": totals.head, "leaf": work.leaf, "salt": work.salt,
                "fingerprint_root": work.fingerprint_root, "input_tokens": work.input_tokens,
                "output_tokens": work.output_tokens, "produced": work.output_tokens, "finish": work.finish,
                "transcript": work.transcript, "fingerprints": work.fingerprints, "vector": work.vector,
                "telemetry": work.telemetry, "finished_at": work.finished_at, "duration": work.duration,
                "first_token": work.time_to_first_token, "lease_holder": None}).one()
            left = held.standing.held - held_for(call.input_tokens, call.granted, held.offer)
            held.write(replace(held.standing, owed=totals, held=Wei(left)), more=-1, now=now)
        return read_ended(ended)

    def fail_call(self, call_id: bytes, reason: str) -> bool:
        return self._fail(call_id, reason, true())

    def _fail(self, call_id: bytes, reason: str, only: ColumnElement[bool]) -> bool:
        """Fail a call in flight if it still is as it was when it was picked: looked at again under its row's lock."""
        with self._call(call_id, None) as found:
            if found is None:
                return False
            held, call = found
            change = update(CALLS).where(CALLS.c.call_id == call_id, CALLS.c.stage.in_(IN_FLIGHT), only)
            if held.connection.execute(change.values(stage=CallStage.FAILED, reason=reason[:500], lease_holder=None,
                                                     **SILENT)).rowcount == 0:
                return False
            left = held.standing.held - held_for(call.input_tokens, call.granted, held.offer)
            held.write(replace(held.standing, held=Wei(left)), more=-1)
        return True

    def cancel_call(self, call_id: bytes) -> bool:
        change = (update(CALLS).where(CALLS.c.call_id == call_id, CALLS.c.stage.in_(IN_FLIGHT))
                  .values(cancel_asked=True))
        with self._engine.begin() as connection:
            return connection.execute(change).rowcount == 1

    def fail_lost(self, now: float, holders: Sequence[str] = ()) -> int:
        lost = or_(CALLS.c.lease_until < now,
                   and_(CALLS.c.stage == CallStage.RUNNING, CALLS.c.lease_holder.in_(holders)))
        with self._engine.connect() as connection:
            found = list(connection.scalars(select(CALLS.c.call_id).where(CALLS.c.stage.in_(IN_FLIGHT), lost)))
        return sum(self._fail(identity, "lost: its process ended or left it alone", lost) for identity in found)

    def call_holders(self) -> list[str]:
        query = select(CALLS.c.lease_holder).where(CALLS.c.stage == CallStage.RUNNING).distinct()
        with self._engine.connect() as connection:
            return [holder for holder in connection.scalars(query) if holder]

    def ended_call(self, session_id: bytes, number: int) -> EndedCall | None:
        query = select(CALLS).where(CALLS.c.session_id == session_id, CALLS.c.number == number,
                                    CALLS.c.forgotten.is_(False))
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return read_ended(row) if row else None

    def call_speed(self) -> float | None:
        with self._engine.connect() as connection:
            return read_speed(connection)
