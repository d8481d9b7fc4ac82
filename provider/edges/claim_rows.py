"""Vouchers on their way to the chain, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Row, and_, func, insert, select, update

from protocol.calls import CallLine
from protocol.envelope import SignedTotals
from protocol.types import Session, SessionState
from protocol.units import Digest, Wei
from protocol.wire import from_json
from provider.edges.session_reads import read_unit
from provider.edges.session_tables import CALLS, CLAIMS, SESSION_KEYS, SESSIONS
from provider.session_rows import CallUnit, Claimable, ClaimStage, OverSession, VoucherClaim

ALIVE = (SessionState.OPEN.name, SessionState.CLOSING.name)


class SqlClaims:
    """`provider.session_ports.Claims`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def claimable(self) -> list[Claimable]:
        on_its_way = select(CLAIMS.c.session_id).where(CLAIMS.c.stage == ClaimStage.COMMITTING)
        its_key = and_(SESSION_KEYS.c.requester == SESSIONS.c.requester, SESSION_KEYS.c.key == SESSIONS.c.key)
        given_up = (select(func.count()).where(CLAIMS.c.session_id == SESSIONS.c.session_id,
                                               CLAIMS.c.stage == ClaimStage.DROPPED).scalar_subquery())
        query = (select(SESSIONS, SESSION_KEYS.c.ends_at.label("key_ends_at"), given_up.label("attempts"))
                 .join_from(SESSIONS, SESSION_KEYS, its_key, isouter=True)
                 .where(SESSIONS.c.state.in_(ALIVE), SESSIONS.c.accepted_amount > SESSIONS.c.committed_amount,
                        SESSIONS.c.session_id.not_in(on_its_way))
                 .order_by(SESSIONS.c.touched_at))
        with self._engine.connect() as connection:
            return [_claimable(row) for row in connection.execute(query)]

    def committing_vouchers(self) -> dict[str, list[VoucherClaim]]:
        by_key: dict[str, list[VoucherClaim]] = {}
        for claim in self._claims(CLAIMS.c.stage == ClaimStage.COMMITTING):
            by_key.setdefault(claim.commit_key, []).append(claim)
        return by_key

    def drop_claims(self, key: str, reason: str) -> None:
        change = (update(CLAIMS).where(CLAIMS.c.commit_key == key, CLAIMS.c.stage == ClaimStage.COMMITTING)
                  .values(stage=ClaimStage.DROPPED, reason=reason[:500]))
        with self._engine.begin() as connection:
            connection.execute(change)

    def unreported(self, limit: int = 32) -> list[VoucherClaim]:
        return self._claims(and_(CLAIMS.c.reported.is_(False), CLAIMS.c.stage == ClaimStage.COMMITTED), limit)

    def mark_reported(self, claim_id: int) -> None:
        with self._engine.begin() as connection:
            connection.execute(update(CLAIMS).where(CLAIMS.c.claim_id == claim_id).values(reported=True))

    def lines(self, session_id: bytes, first: int, last: int) -> list[CallLine]:
        query = (select(CALLS.c.leaf, CALLS.c.input_tokens, CALLS.c.output_tokens)
                 .where(CALLS.c.session_id == session_id, CALLS.c.number.between(first, last))
                 .order_by(CALLS.c.number))
        with self._engine.connect() as connection:
            return [CallLine(Digest(leaf), came, went) for leaf, came, went in connection.execute(query)]

    def unit_of(self, batch_id: int, index: int, call: int) -> CallUnit | None:
        query = (select(CALLS).join_from(CLAIMS, CALLS, CALLS.c.session_id == CLAIMS.c.session_id)
                 .where(CLAIMS.c.batch_id == batch_id, CLAIMS.c.batch_index == index,
                        CALLS.c.number == CLAIMS.c.first + call, CALLS.c.number <= CLAIMS.c.calls))
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return read_unit(row) if row is not None and row.transcript is not None else None

    def call_counts(self, batch_id: int) -> dict[int, int]:
        query = select(CLAIMS.c.batch_index, CLAIMS.c.calls - CLAIMS.c.first + 1).where(CLAIMS.c.batch_id == batch_id)
        with self._engine.connect() as connection:
            return {index: count for index, count in connection.execute(query)}

    def calls_of(self, batch_id: int) -> dict[int, list[CallLine]]:
        return {claim.index: self.lines(claim.voucher.session_id, claim.first, claim.voucher.calls)
                for claim in self._claims(CLAIMS.c.batch_id == batch_id) if claim.index is not None}

    def over_sessions(self, now: float) -> list[OverSession]:
        query = (select(SESSIONS.c.session_id, SESSIONS.c.session)
                 .where(SESSIONS.c.state == SessionState.OPEN.name, SESSIONS.c.ends_at <= now, SESSIONS.c.running == 0,
                        SESSIONS.c.accepted_amount <= SESSIONS.c.committed_amount, SESSIONS.c.close_sent.is_(False)))
        with self._engine.connect() as connection:
            return [OverSession(Digest(row.session_id), from_json(Session, row.session, "session"))
                    for row in connection.execute(query)]

    def mark_close_sent(self, session_id: bytes) -> None:
        with self._engine.begin() as connection:
            connection.execute(update(SESSIONS).where(SESSIONS.c.session_id == session_id).values(close_sent=True))

    def _claims(self, which: Any, limit: int | None = None) -> list[VoucherClaim]:
        query = (select(CLAIMS, SESSIONS.c.session)
                 .join_from(CLAIMS, SESSIONS, SESSIONS.c.session_id == CLAIMS.c.session_id).where(which)
                 .order_by(CLAIMS.c.commit_key, CLAIMS.c.place, CLAIMS.c.claim_id).limit(limit))
        with self._engine.connect() as connection:
            return [_claim(row) for row in connection.execute(query)]


def insert_claims(connection: Connection, vouchers: Sequence[Claimable], key: str) -> None:
    """Put vouchers into the batch of a key, in the caller's transaction. Errors: IntegrityError if one of a session is
    on its way already."""
    for place, one in enumerate(vouchers):
        voucher = one.voucher
        connection.execute(insert(CLAIMS).values(
            session_id=voucher.session_id, amount=int(voucher.amount), units=voucher.units, calls=voucher.calls,
            head=voucher.head, signature=voucher.signature, first=one.first, stage=ClaimStage.COMMITTING,
            commit_key=key, place=place))


def end_claims(connection: Connection, batch_id: int, stage: ClaimStage) -> None:
    """What became of a batch's vouchers."""
    connection.execute(update(CLAIMS).where(CLAIMS.c.batch_id == batch_id).values(stage=stage))


def _claimable(row: Row[Any]) -> Claimable:
    voucher = SignedTotals(Digest(row.session_id), Wei(int(row.accepted_amount)), row.accepted_units,
                           row.accepted_calls, Digest(row.accepted_head), row.signature)
    closing = row.ends_at if row.state == SessionState.CLOSING.name else None
    return Claimable(voucher, from_json(Session, row.session, "session"), row.committed_calls + 1, row.ends_at, closing,
                     Wei(int(row.committed_amount)), row.owed_calls, row.running, row.touched_at, row.attempts,
                     row.key_ends_at or 0)


def _claim(row: Row[Any]) -> VoucherClaim:
    voucher = SignedTotals(Digest(row.session_id), Wei(int(row.amount)), row.units, row.calls, Digest(row.head),
                           row.signature)
    return VoucherClaim(row.claim_id, voucher, from_json(Session, row.session, "session"), row.first,
                        ClaimStage(row.stage), row.commit_key, row.batch_id, row.batch_index)
