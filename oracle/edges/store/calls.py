"""Sessions, committed vouchers with the reports of their calls, and the calls that are audited."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, Update, and_, select, update

from oracle.edges.store.call_tables import CALLS, SESSIONS, VOUCHERS
from oracle.edges.store.session import Session as Connected
from oracle.edges.store.tables import BATCHES, ENTRIES
from oracle.records.sessions import (
    CallNote,
    DrawnCall,
    PostedLines,
    SessionRow,
    SettledVoucher,
    VoucherNote,
    VoucherRow,
)
from oracle.records.work import EntryRow
from protocol.calls import CallLine, split_unit
from protocol.encoding import ZERO
from protocol.session_reports import SessionReport
from protocol.types import BatchState, Entry, Session, SessionState
from protocol.units import Address, Digest, Wei
from protocol.wire import from_json, to_json

LEAN = tuple(column for column in VOUCHERS.c if column.name not in ("report", "posted"))
ONGOING = (int(BatchState.PENDING), int(BatchState.FROZEN))


def voucher_note(r: Any) -> VoucherNote | None:
    """What an entry joined with its voucher says; None of a job."""
    if r.calls is None:
        return None
    return VoucherNote(r.calls - r.before_calls, r.drawn_calls or 0, tuple(r.named or ()), r.reported_at is not None,
                       r.units_at is not None)


def escalate_unit(batch_id: int, unit: int) -> Update:
    """The rows of an audited unit, an entry's or a call's, that no finding speaks against yet."""
    if split_unit(unit)[1] is None:
        at = ENTRIES.c
        return update(ENTRIES).where(at.batch_id == batch_id, at["index"] == unit, at.escalated_at.is_(None))
    return update(CALLS).where(CALLS.c.batch_id == batch_id, CALLS.c.unit == unit, CALLS.c.escalated_at.is_(None))


class CallStore(Connected):
    def session(self, session_id: bytes) -> SessionRow | None:
        with self._begin() as c:
            r = c.execute(select(SESSIONS).where(SESSIONS.c.session_id == session_id)).first()
            return None if r is None else _session(r)

    def sessions(self, *, requester: str | None = None, provider: str | None = None, state: int | None = None,
                 limit: int = 100) -> list[SessionRow]:
        """Newest first."""
        wanted, at = select(SESSIONS), SESSIONS.c
        for column, value in ((at.requester, requester), (at.provider, provider), (at.state, state)):
            if value is not None:
                wanted = wanted.where(column == value)
        with self._begin() as c:
            rows = c.execute(wanted.order_by(at.opened_at.desc(), at.session_id).limit(limit))
            return [_session(r) for r in rows]

    def wait_for_terms(self) -> list[SessionRow]:
        """Sessions whose offer was not read yet."""
        with self._begin() as c:
            return [_session(r) for r in c.execute(select(SESSIONS).where(SESSIONS.c.model.is_(None)).limit(64))]

    def keep_terms(self, session_id: bytes, model: bytes, profile: bytes) -> None:
        with self._begin() as c:
            c.execute(update(SESSIONS).where(SESSIONS.c.session_id == session_id).values(model=model, profile=profile))

    def voucher(self, batch_id: int, index: int) -> VoucherRow | None:
        with self._begin() as c:
            r = c.execute(_vouchers().where(VOUCHERS.c.batch_id == batch_id, VOUCHERS.c["index"] == index)).first()
            return None if r is None else _voucher(r)

    def vouchers(self, batch_id: int) -> list[VoucherRow]:
        """Without their reports, which may be long."""
        with self._begin() as c:
            rows = c.execute(_vouchers(*LEAN).where(VOUCHERS.c.batch_id == batch_id).order_by(VOUCHERS.c["index"]))
            return [_voucher(r) for r in rows]

    def vouchers_of(self, session_id: bytes) -> list[SettledVoucher]:
        """In the order of their commitments, without their reports."""
        batch = BATCHES.c
        wanted = _vouchers(*LEAN).add_columns(batch.state, batch.closed_tx, batch.provider).join(
            BATCHES, batch.batch_id == VOUCHERS.c.batch_id).where(VOUCHERS.c.session_id == session_id)
        with self._begin() as c:
            rows = c.execute(wanted.order_by(VOUCHERS.c.batch_id, VOUCHERS.c["index"]))
            return [SettledVoucher(_voucher(r), BatchState(r.state).name,
                                   None if r.closed_tx is None else bytes(r.closed_tx), Address(r.provider))
                    for r in rows]

    def put_session_report(self, report: SessionReport, signature: bytes, now: float) -> SessionReport:
        """Keep the first report of a voucher; returns the one that is kept."""
        at = VOUCHERS.c
        its = and_(at.batch_id == report.batch_id, at["index"] == report.index)
        with self._begin() as c:
            c.execute(update(VOUCHERS).where(its, at.reported_at.is_(None))
                      .values(report=to_json(report), signature=signature, reported_at=now))
            return from_json(SessionReport, c.execute(select(at.report).where(its)).scalar_one())

    def note_call_draw(self, batch_id: int, index: int, drawn_calls: int, named: Sequence[int]) -> None:
        """How many of a voucher's calls the draw names, and whom as auditors. One draw, never another."""
        at = VOUCHERS.c
        with self._begin() as c:
            c.execute(update(VOUCHERS).where(at.batch_id == batch_id, at["index"] == index, at.drawn_calls.is_(None))
                      .values(drawn_calls=drawn_calls, named=list(named)))

    def vouchers_without_units(self) -> list[VoucherRow]:
        """Reported vouchers of drawn batches whose drawn calls are no units yet."""
        at, batch = VOUCHERS.c, BATCHES.c
        wanted = _vouchers().join(BATCHES, batch.batch_id == at.batch_id).where(
            at.reported_at.is_not(None), at.units_at.is_(None), batch.drawn_at.is_not(None), batch.state.in_(ONGOING))
        with self._begin() as c:
            return [_voucher(r) for r in c.execute(wanted.order_by(at.batch_id, at["index"]).limit(64))]

    def put_calls(self, voucher: VoucherRow, drawn: Sequence[DrawnCall], now: float) -> None:
        """Make the drawn calls of a voucher units that are audited, once."""
        at, batch_id = VOUCHERS.c, voucher.batch_id
        rows = [{"batch_id": batch_id, "unit": one.unit, "session_id": voucher.session_id, "number": one.number,
                 "leaf": one.line.leaf, "input_tokens": one.line.input_tokens, "output_tokens": one.line.output_tokens,
                 "auditor": one.auditor, "since": now, "spec": one.spec} for one in drawn]
        with self._begin() as c:
            if rows:
                c.execute(self._insert(CALLS).on_conflict_do_nothing(), rows)
            c.execute(update(VOUCHERS).where(at.batch_id == batch_id, at["index"] == voucher.index)
                      .values(units_at=now))

    def calls(self, batch_id: int) -> list[EntryRow]:
        with self._begin() as c:
            rows = c.execute(_calls().where(CALLS.c.batch_id == batch_id).order_by(CALLS.c.unit))
            return [_call(r) for r in rows]

    def call(self, batch_id: int, unit: int) -> EntryRow | None:
        with self._begin() as c:
            r = c.execute(_calls().where(CALLS.c.batch_id == batch_id, CALLS.c.unit == unit)).first()
            return None if r is None else _call(r)

    def posted_lines(self) -> list[PostedLines]:
        """Reports that came on-chain and were not held against their vouchers yet."""
        at = VOUCHERS.c
        with self._begin() as c:
            rows = c.execute(select(VOUCHERS).where(at.posted.is_not(None)).order_by(at.batch_id).limit(64))
            return [from_json(PostedLines, r.posted) for r in rows]

    def drop_posted(self, batch_id: int, index: int) -> None:
        at = VOUCHERS.c
        with self._begin() as c:
            c.execute(update(VOUCHERS).where(at.batch_id == batch_id, at["index"] == index)
                      .values(posted=None, posted_at=None))


def _vouchers(*parts: Any) -> Select[Any]:
    line, at = ENTRIES.c, VOUCHERS.c
    columns = (line.job_id, line.requester, line.price, line.amount.label("added"), line.leaf, line.answer_digest)
    return select(*(parts or (VOUCHERS,)), *columns).join(
        ENTRIES, and_(line.batch_id == at.batch_id, line["index"] == at["index"]))


def _calls() -> Select[Any]:
    return select(CALLS, SESSIONS.c.requester).join(SESSIONS, SESSIONS.c.session_id == CALLS.c.session_id)


def _session(r: Any) -> SessionRow:
    session = Session(Address(r.requester), Address(r.provider), Digest(bytes(r.offer_digest)), Address(r.key),
                      Wei(r.largest_call), r.opened_at, r.nonce)
    return SessionRow(Digest(bytes(r.session_id)), session, Wei(r.cap), r.ends_at, bytes(r.opened_tx),
                      SessionState(r.state), Wei(r.refunded), r.closed_at, _bytes(r.closed_tx), _bytes(r.model),
                      _bytes(r.profile))


def _voucher(r: Any) -> VoucherRow:
    entry = Entry(Digest(bytes(r.job_id)), Address(r.requester), Wei(r.price), Wei(r.added), Digest(bytes(r.leaf)),
                  Digest(bytes(r.answer_digest)))
    body = r._mapping.get("report")
    report = None if body is None else from_json(SessionReport, body)
    return VoucherRow(r.batch_id, r._mapping["index"], Digest(bytes(r.session_id)), entry, Wei(r.amount), r.units,
                      r.calls, r.before_units, r.before_calls, Digest(bytes(r.before_head)), r.drawn_calls,
                      tuple(r.named or ()), report, bytes(r.signature or b""), r.reported_at, r.units_at)


def _call(r: Any) -> EntryRow:
    line = CallLine(Digest(bytes(r.leaf)), r.input_tokens, r.output_tokens)
    # What it is paid stands in its voucher: it adds nothing to the batch's amount.
    entry = Entry(Digest(bytes(r.session_id)), Address(r.requester), Wei(0), Wei(0), line.leaf, ZERO)
    return EntryRow(r.batch_id, r.unit, entry, True, r.auditor, r.escalated_at,
                    call=CallNote(r.number, line, r.since, _bytes(r.spec)))


def _bytes(value: Any) -> Any:
    return None if value is None else bytes(value)
