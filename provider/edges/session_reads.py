"""Rows of sessions and calls as the flows see them, and the statements that read them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, func, select, text

from protocol.calls import CallLine, Totals, begin
from protocol.types import Session, SessionState
from protocol.units import Digest, Wei
from protocol.vouchers import Standing
from provider.edges.session_tables import CALLS, SESSION_KEYS, SESSIONS
from provider.records.sessions import CallRow, CallStage, CallUnit, EndedCall, OpenCall, SessionTotals

IN_FLIGHT = (CallStage.WAITING, CallStage.RUNNING)


def _standing_of() -> Select[Any]:
    """What a voucher is held against, with the key's row; what never changes of a session is not read again."""
    its_key = and_(SESSION_KEYS.c.requester == SESSIONS.c.requester, SESSION_KEYS.c.key == SESSIONS.c.key)
    wanted = [column for column in SESSIONS.c if column.name not in ("session", "offer_digest", "requester", "key")]
    return (select(*wanted, SESSION_KEYS.c.ends_at.label("key_ends_at"), SESSION_KEYS.c.revoked)
            .join_from(SESSIONS, SESSION_KEYS, its_key, isouter=True)
            .where(SESSIONS.c.session_id == bindparam("wanted")))


SELECT_STANDING = _standing_of()
_SPECS_BEYOND = text(
    "SELECT spec_digest FROM calls WHERE session_id = :wanted AND (number > :calls OR number IS NULL AND stage IN "
    f"('{CallStage.WAITING}', '{CallStage.RUNNING}'))")
LOCK_STANDING = SELECT_STANDING.with_for_update(of=SESSIONS)
"""Built once: they run for every voucher."""


CALL_COLUMNS = tuple(CALLS.c[name] for name in (
    "call_id", "session_id", "nonce", "kind", "stage", "spec", "prompt", "key", "input_tokens", "max_output_tokens",
    "granted", "produced", "cancel_asked", "admitted_at", "reason", "number"))
"""What `read_call` reads: of a call in flight the rest is empty, of one that ended it is long."""
ENDED_COLUMNS = tuple(CALLS.c[name] for name in (
    "call_id", "session_id", "number", "key", "kind", "leaf", "input_tokens", "output_tokens", "salt",
    "fingerprint_root", "finish", "duration", "first_token", "total_amount", "total_units", "total_head", "vector",
    "transcript"))
"""What `read_ended` reads."""


def read_standing(row: Row[Any], session: Session) -> Standing:
    # A revoked key is refused at once: what it signs now may not get to the chain in time.
    key_ends_at = 0 if row.revoked or row.key_ends_at is None else row.key_ends_at
    owed = Totals(Wei(int(row.owed_amount)), row.owed_units, row.owed_calls, Digest(row.owed_head))
    accepted = Totals(Wei(int(row.accepted_amount)), row.accepted_units, row.accepted_calls, Digest(row.accepted_head))
    return Standing(session, SessionState[row.state], Wei(int(row.cap)), row.ends_at, key_ends_at, owed, accepted,
                    Wei(int(row.held)), split_digests(row.in_flight), row.linked)


def split_digests(data: bytes) -> tuple[Digest, ...]:
    """Digests that stand one behind the other."""
    return tuple(Digest(data[at : at + 32]) for at in range(0, len(data), 32))


def specs_beyond(connection: Connection, session_id: bytes, calls: int) -> list[Digest]:
    """Spec digests of the calls in flight, and of those that ended after so many."""
    found = connection.execute(_SPECS_BEYOND, {"wanted": session_id, "calls": calls})
    return [Digest(digest) for (digest,) in found]


def totals_after(standing: Standing, session_id: bytes, connection: Connection, calls: int) -> Totals | None:
    """Exact totals after so many calls; None if there are not so many."""
    if calls == standing.owed.calls:
        return standing.owed
    if not 0 <= calls < standing.owed.calls:
        return None
    if calls == 0:
        return begin(session_id)
    query = select(CALLS.c.total_amount, CALLS.c.total_units, CALLS.c.total_head).where(
        CALLS.c.session_id == session_id, CALLS.c.number == calls)
    row = connection.execute(query).one()
    return Totals(Wei(int(row.total_amount)), row.total_units, calls, Digest(row.total_head))


def totals_shown(session_id: bytes, standing: Standing, open_calls: tuple[OpenCall, ...] = ()) -> SessionTotals:
    return SessionTotals(Digest(session_id), standing.state, standing.cap, standing.ends_at, standing.owed,
                         standing.accepted, standing.held, open_calls)


def read_open_calls(connection: Connection, session_id: bytes) -> tuple[OpenCall, ...]:
    query = (select(CALLS.c.nonce, CALLS.c.produced, CALLS.c.granted)
             .where(CALLS.c.session_id == session_id, CALLS.c.stage.in_(IN_FLIGHT)).order_by(CALLS.c.admitted_at))
    return tuple(OpenCall(int(row.nonce), row.produced, row.granted) for row in connection.execute(query))


def read_call(row: Row[Any]) -> CallRow:
    return CallRow(
        Digest(row.call_id), Digest(row.session_id), int(row.nonce), row.kind, CallStage(row.stage), row.spec,
        row.prompt, row.key, row.input_tokens, row.max_output_tokens, row.granted, row.produced, row.cancel_asked,
        row.admitted_at, row.reason, row.number,
    )


def read_ended(row: Row[Any]) -> EndedCall:
    return EndedCall(
        Digest(row.call_id), Digest(row.session_id), row.number, row.key, row.kind,
        CallLine(Digest(row.leaf), row.input_tokens, row.output_tokens), row.salt, Digest(row.fingerprint_root),
        row.finish, row.duration, row.first_token,
        Totals(Wei(int(row.total_amount)), row.total_units, row.number, Digest(row.total_head)), row.vector,
        row.transcript or b"",
    )


def read_unit(row: Row[Any]) -> CallUnit:
    return CallUnit(row.spec, row.transcript, row.fingerprints, row.output_tokens)


def read_speed(connection: Connection) -> float | None:
    """Output tokens a second of one stream, over the last sixteen ended calls."""
    recent = (select(CALLS.c.output_tokens, CALLS.c.duration).where(CALLS.c.stage == CallStage.ENDED)
              .order_by(CALLS.c.finished_at.desc()).limit(16).subquery())
    tokens, seconds = connection.execute(select(func.sum(recent.c.output_tokens), func.sum(recent.c.duration))).one()
    return float(tokens) / float(seconds) if tokens and seconds else None
