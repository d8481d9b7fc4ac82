"""Cases of the court and own replays for them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, or_, select, update

from oracle.edges.store.court_tables import CASES, REVIEWS
from oracle.edges.store.session import Session
from oracle.records.court import CaseRow, ReviewRow
from protocol.encoding import from_hex, to_hex
from protocol.types import CaseKind, Ruling, VerdictKind
from protocol.units import Address, Wei

_C = CASES.c


class CourtStore(Session):
    def open_case(self, event: Any, at: int, tx_hash: bytes) -> None:
        with self._begin() as c:
            c.execute(self._insert(CASES).values(
                case_id=event.case_id, kind=int(event.kind), batch_id=event.batch_id, index=event.index,
                plaintiff=event.plaintiff, provider=event.provider, bond=event.bond, set_version=event.set_version,
                opened_at=at, deadline=event.deadline, opened_tx=tx_hash).on_conflict_do_nothing())

    def close_case(self, case_id: int, ruling: int, at: int, tx_hash: bytes) -> None:
        self._change_case(case_id, ruling=int(ruling), closed_at=at, closed_tx=tx_hash)

    def case(self, case_id: int) -> CaseRow | None:
        with self._begin() as c:
            r = c.execute(select(CASES).where(_C.case_id == case_id)).first()
            return None if r is None else _case(r)

    def cases(self, *, is_open: bool | None = None, over: bool | None = None, batch_id: int | None = None,
              limit: int = 1000) -> list[CaseRow]:
        # What has to be done is taken in its order, so that new cases keep no old one waiting.
        oldest_first = is_open or over is False
        wanted = select(CASES).order_by(_C.case_id if oldest_first else _C.case_id.desc()).limit(limit)
        if is_open is not None:
            wanted = wanted.where((_C.ruling == int(Ruling.NONE)) == is_open)
        if over is not None:
            wanted = wanted.where(_C.over.is_(over))
        if batch_id is not None:
            wanted = wanted.where(_C.batch_id == batch_id)
        with self._begin() as c:
            return [_case(r) for r in c.execute(wanted)]

    def begin_case(self, case_id: int, now: float) -> None:
        """Note since when this oracle asks for what it needs; the first time counts."""
        with self._begin() as c:
            c.execute(update(CASES).where(_C.case_id == case_id, _C.wanted_at.is_(None)).values(wanted_at=now))

    def end_case(self, case_id: int) -> None:
        self._change_case(case_id, over=True)

    def sign_ruling_once(self, case_id: int, ruling: Ruling, now: float) -> Ruling:
        """Note what is about to be signed, before it is; returns what was noted first."""
        with self._begin() as c:
            c.execute(update(CASES).where(_C.case_id == case_id, _C.own == int(Ruling.NONE))
                      .values(own=int(ruling), own_at=now))
            return Ruling(c.execute(select(_C.own).where(_C.case_id == case_id)).scalar() or 0)

    def note_asked(self, case_ids: Collection[int], now: float) -> None:
        """The others are asked to sign rulings of these cases."""
        with self._begin() as c:
            c.execute(update(CASES).where(_C.case_id.in_(list(case_ids))).values(asked_at=now))

    def leave_case(self, case_id: int, until: int) -> None:
        """Leave it to whoever collected before that block; the first time counts."""
        with self._begin() as c:
            c.execute(update(CASES).where(_C.case_id == case_id, _C.left_until.is_(None)).values(left_until=until))

    def keep_signature(self, case_id: int, oracle: str, signature: bytes) -> None:
        with self._begin() as c:
            known = c.execute(select(_C.signatures).where(_C.case_id == case_id).with_for_update()).scalar() or {}
            new = {**known, str(oracle): to_hex(signature)}
            c.execute(update(CASES).where(_C.case_id == case_id).values(signatures=new))

    def want_review(self, case_id: int, unit: int) -> None:
        with self._begin() as c:
            c.execute(self._insert(REVIEWS).values(case_id=case_id, unit=unit, attempts=0).on_conflict_do_nothing())

    def reviews(self, case_id: int) -> list[ReviewRow]:
        with self._begin() as c:
            return [_review(r) for r in c.execute(select(REVIEWS).where(REVIEWS.c.case_id == case_id))]

    def reviews_due(self, before: float, limit: int) -> list[ReviewRow]:
        """Replays that are owed to open cases and of which the broker was not told since `before`."""
        r, its = REVIEWS.c, select(_C.case_id).where(_C.ruling == int(Ruling.NONE))
        owed = and_(r.verdict.is_(None), r.case_id.in_(its), or_(r.enqueued_at.is_(None), r.enqueued_at < before))
        with self._begin() as c:
            rows = c.execute(select(REVIEWS).where(owed).order_by(r.attempts, r.case_id, r.unit).limit(limit))
            return [_review(row) for row in rows]

    def mark_review(self, case_id: int, unit: int, now: float | None) -> None:
        with self._begin() as c:
            c.execute(update(REVIEWS).where(_at(case_id, unit)).values(enqueued_at=now))

    def count_review(self, case_id: int, unit: int, step: int = 1) -> int:
        """Count an attempt before it is made, or with -1 take it back; returns how many there were."""
        with self._begin() as c:
            c.execute(update(REVIEWS).where(_at(case_id, unit)).values(attempts=REVIEWS.c.attempts + step))
            return int(c.execute(select(REVIEWS.c.attempts).where(_at(case_id, unit))).scalar() or 0)

    def finish_review(self, case_id: int, unit: int, verdict: VerdictKind, beyond: bool, reason: str) -> None:
        """What a replay found. After MALFORMED none is owed before another opening is here: what waits for one would
        take the places of those that can be made."""
        with self._begin() as c:
            if verdict is VerdictKind.MALFORMED:
                c.execute(delete(REVIEWS).where(_at(case_id, unit)))
                return
            c.execute(update(REVIEWS).where(_at(case_id, unit)).values(
                verdict=int(verdict), beyond=beyond, reason=reason, enqueued_at=None, attempts=0))

    def forget_reviews(self) -> None:
        """Whatever the broker was told is told again: the worker that had it is gone."""
        with self._begin() as c:
            c.execute(update(REVIEWS).where(REVIEWS.c.verdict.is_(None)).values(enqueued_at=None))

    def _change_case(self, case_id: int, **values: Any) -> None:
        with self._begin() as c:
            c.execute(update(CASES).where(_C.case_id == case_id).values(**values))


def _at(case_id: int, unit: int) -> ColumnElement[bool]:
    return and_(REVIEWS.c.case_id == case_id, REVIEWS.c.unit == unit)


def _case(r: Any) -> CaseRow:
    return CaseRow(
        r.case_id, CaseKind(r.kind), r.batch_id, r._mapping["index"], Address(r.plaintiff), Address(r.provider),
        Wei(int(r.bond)), r.set_version, r.opened_at, r.deadline, bytes(r.opened_tx), Ruling(r.ruling), r.closed_at,
        None if r.closed_tx is None else bytes(r.closed_tx), r.wanted_at, Ruling(r.own), bool(r.over), r.asked_at,
        r.left_until, {Address(oracle): from_hex(signature, 65) for oracle, signature in r.signatures.items()})


def _review(r: Any) -> ReviewRow:
    verdict = None if r.verdict is None else VerdictKind(r.verdict)
    return ReviewRow(r.case_id, r.unit, verdict, bool(r.beyond), r.reason)
