"""Vouchers on their way to the chain, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Row, and_, func, insert, or_, select, update

from protocol.calls import CallLine, claimed_head, in_flight_digest, line_digest, link
from protocol.envelope import SignedTotals
from protocol.types import Session, SessionState, SignedOffer
from protocol.units import Digest, Wei
from protocol.wire import from_json
from provider.edges.session_reads import read_unit, split_digests
from provider.edges.session_tables import CALLS, CLAIMS, SESSION_KEYS, SESSIONS
from provider.edges.tables import OFFERS
from provider.records.claims import Claimable, Claimed, ClaimStage, LinkedCall, OverSession, VoucherClaim
from provider.records.sessions import CallUnit

ALIVE = (SessionState.OPEN.name, SessionState.CLOSING.name)


class ClaimOvertaken(Exception):
    """A session has gone on since it was read, so that it is not ended by links: the next look reads it again."""


class SqlClaims:
    """`provider.ports.sessions.Claims`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def claimable(self) -> list[Claimable]:
        on_its_way = select(CLAIMS.c.session_id).where(CLAIMS.c.stage == ClaimStage.COMMITTING)
        its_key = and_(SESSION_KEYS.c.requester == SESSIONS.c.requester, SESSION_KEYS.c.key == SESSIONS.c.key)
        given_up = (select(func.count()).where(CLAIMS.c.session_id == SESSIONS.c.session_id,
                                               CLAIMS.c.stage == ClaimStage.DROPPED).scalar_subquery())
        last = and_(CALLS.c.session_id == SESSIONS.c.session_id, CALLS.c.number == SESSIONS.c.accepted_calls)
        query = (select(SESSIONS, SESSION_KEYS.c.ends_at.label("key_ends_at"), given_up.label("attempts"),
                        func.coalesce(CALLS.c.total_amount, 0).label("reached"))
                 .join_from(SESSIONS, SESSION_KEYS, its_key, isouter=True).join(CALLS, last, isouter=True)
                 .where(SESSIONS.c.state.in_(ALIVE), SESSIONS.c.owed_amount > SESSIONS.c.committed_amount,
                        SESSIONS.c.linked.is_(False), SESSIONS.c.session_id.not_in(on_its_way))
                 .order_by(SESSIONS.c.touched_at))
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
            return [_claimable(row, _linked(connection, row.session_id, row.accepted_calls + 1, row.owed_calls))
                    for row in rows]

    def committing_vouchers(self) -> dict[str, list[VoucherClaim]]:
        by_key: dict[str, list[VoucherClaim]] = {}
        for claim in self._claims(CLAIMS.c.stage == ClaimStage.COMMITTING):
            by_key.setdefault(claim.commit_key, []).append(claim)
        return by_key

    def drop_claims(self, key: str, reason: str) -> None:
        change = (update(CLAIMS).where(CLAIMS.c.commit_key == key, CLAIMS.c.stage == ClaimStage.COMMITTING)
                  .values(stage=ClaimStage.DROPPED, reason=reason[:500]))
        ended = select(CLAIMS.c.session_id).where(CLAIMS.c.commit_key == key, CLAIMS.c.linked > 0,
                                                  CLAIMS.c.stage == ClaimStage.COMMITTING)
        with self._engine.begin() as connection:
            connection.execute(update(SESSIONS).where(SESSIONS.c.session_id.in_(ended)).values(linked=False))
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
                        CALLS.c.number == CLAIMS.c.first + call, CALLS.c.number <= CLAIMS.c.calls + CLAIMS.c.linked))
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return read_unit(row) if row is not None and row.transcript is not None else None

    def call_counts(self, batch_id: int) -> dict[int, int]:
        added = CLAIMS.c.calls + CLAIMS.c.linked - CLAIMS.c.first + 1
        query = select(CLAIMS.c.batch_index, added).where(CLAIMS.c.batch_id == batch_id)
        with self._engine.connect() as connection:
            return {index: count for index, count in connection.execute(query)}

    def claims_of(self, batch_id: int) -> list[VoucherClaim]:
        return self._claims(CLAIMS.c.batch_id == batch_id)

    def over_sessions(self, now: float) -> list[OverSession]:
        at, on_its_way = SESSIONS.c, select(CLAIMS.c.session_id).where(CLAIMS.c.stage == ClaimStage.COMMITTING)
        is_over = or_(at.linked, and_(at.ends_at <= now, at.owed_amount <= at.committed_amount))
        query = select(at.session_id, at.session).where(
            at.state == SessionState.OPEN.name, at.running == 0, is_over, at.close_sent.is_(False),
            at.session_id.not_in(on_its_way))
        with self._engine.connect() as connection:
            return [OverSession(Digest(row.session_id), from_json(Session, row.session, "session"))
                    for row in connection.execute(query)]

    def mark_close_sent(self, session_id: bytes) -> None:
        with self._engine.begin() as connection:
            connection.execute(update(SESSIONS).where(SESSIONS.c.session_id == session_id).values(close_sent=True))

    def _claims(self, which: Any, limit: int | None = None) -> list[VoucherClaim]:
        query = (select(CLAIMS, SESSIONS.c.session, OFFERS.c.offer)
                 .join_from(CLAIMS, SESSIONS, SESSIONS.c.session_id == CLAIMS.c.session_id)
                 .join(OFFERS, OFFERS.c.digest == SESSIONS.c.offer_digest, isouter=True).where(which)
                 .order_by(CLAIMS.c.commit_key, CLAIMS.c.place, CLAIMS.c.claim_id).limit(limit))
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
            return [_claim(row, _linked(connection, row.session_id, row.calls + 1, row.calls + row.linked))
                    for row in rows]


def insert_claims(connection: Connection, vouchers: Sequence[Claimable], key: str) -> None:
    """Put vouchers into the batch of a key, in the caller's transaction. Errors: IntegrityError if one of a session is
    on its way already, ClaimOvertaken."""
    for place, one in enumerate(vouchers):
        voucher, claimed = one.voucher, one.claimed or Claimed(one.voucher.amount)
        links = [link(call.spec, line_digest(call.line)) for call in claimed.linked]
        connection.execute(insert(CLAIMS).values(
            session_id=voucher.session_id, amount=int(voucher.amount), units=voucher.units, calls=voucher.calls,
            head=voucher.head, in_flight=b"".join(voucher.in_flight), signature=voucher.signature,
            claimed=int(claimed.amount), linked=len(links), first=one.first, stage=ClaimStage.COMMITTING,
            commit_key=key, place=place,
            entry_head=claimed_head(voucher.head, in_flight_digest(voucher.in_flight), links)))
        if links and not _end(connection, one):
            raise ClaimOvertaken


def end_claims(connection: Connection, batch_id: int, stage: ClaimStage) -> None:
    """What became of a batch's vouchers."""
    connection.execute(update(CLAIMS).where(CLAIMS.c.batch_id == batch_id).values(stage=stage))


def _end(connection: Connection, one: Claimable) -> bool:
    """Take no more of a session of which calls are linked; False if something of it came or ended meanwhile."""
    at, voucher = SESSIONS.c, one.voucher
    same = and_(at.session_id == voucher.session_id, at.accepted_calls == voucher.calls, at.running == one.running,
                at.accepted_amount == int(voucher.amount), at.owed_amount == int(one.owed))
    return connection.execute(update(SESSIONS).where(same).values(linked=True)).rowcount == 1


def _linked(connection: Connection, session_id: bytes, first: int, last: int) -> tuple[LinkedCall, ...]:
    """The calls of these numbers, both included; most vouchers have none beyond them."""
    if last < first:
        return ()
    query = (select(CALLS.c.spec_digest, CALLS.c.leaf, CALLS.c.input_tokens, CALLS.c.output_tokens)
             .where(CALLS.c.session_id == session_id, CALLS.c.number.between(first, last)).order_by(CALLS.c.number))
    return tuple(LinkedCall(Digest(spec), CallLine(Digest(leaf), came, went))
                 for spec, leaf, came, went in connection.execute(query))


def _claimable(row: Row[Any], beyond: tuple[LinkedCall, ...]) -> Claimable:
    voucher = SignedTotals(Digest(row.session_id), Wei(int(row.accepted_amount)), row.accepted_units,
                           row.accepted_calls, Digest(row.accepted_head), split_digests(row.in_flight), row.signature)
    closing = row.ends_at if row.state == SessionState.CLOSING.name else None
    return Claimable(voucher, from_json(Session, row.session, "session"), row.committed_calls + 1, row.ends_at, closing,
                     Wei(int(row.committed_amount)), row.running, row.touched_at, Wei(int(row.reached)),
                     Wei(int(row.owed_amount)), beyond, row.attempts, row.key_ends_at or 0)


def _claim(row: Row[Any], linked: tuple[LinkedCall, ...]) -> VoucherClaim:
    voucher = SignedTotals(Digest(row.session_id), Wei(int(row.amount)), row.units, row.calls, Digest(row.head),
                           split_digests(row.in_flight), row.signature)
    claimed = Claimed(Wei(int(row.claimed)), linked)
    offer = from_json(SignedOffer, row.offer, "offer").offer if row.offer else None
    return VoucherClaim(row.claim_id, voucher, from_json(Session, row.session, "session"), offer, row.first, claimed,
                        ClaimStage(row.stage), row.commit_key, row.batch_id, row.batch_index)
