"""What final blocks do to the rows of sessions and vouchers. Every write can be repeated."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, and_, or_, select, update

from oracle.edges.store.call_tables import SESSIONS, VOUCHERS
from oracle.edges.store.session import Session
from oracle.edges.store.tables import ENTRIES
from oracle.records.sessions import PostedLines
from protocol.encoding import ZERO
from protocol.types import SessionState
from protocol.wire import to_json


class SessionProjectionStore(Session):
    def open_session(self, event: Any, tx_hash: bytes) -> None:
        with self._begin() as c:
            c.execute(
                self._insert(SESSIONS)
                .values(
                    session_id=event.session_id, requester=event.requester, provider=event.provider,
                    offer_digest=event.offer_digest, key=event.key, largest_call=event.largest_call,
                    opened_at=event.opened_at, nonce=event.nonce, cap=event.cap, ends_at=event.ends_at,
                    opened_tx=tx_hash, state=int(SessionState.OPEN), refunded=0,
                )
                .on_conflict_do_nothing()
            )

    def top_up_session(self, session_id: bytes, cap: int) -> None:
        self._change_session(session_id, cap=cap)

    def close_session(self, session_id: bytes, claim_until: int) -> None:
        self._change_session(session_id, state=int(SessionState.CLOSING), ends_at=claim_until)

    def end_session(self, session_id: bytes, refunded: int, at: int, tx_hash: bytes) -> None:
        self._change_session(session_id, state=int(SessionState.CLOSED), refunded=refunded, closed_at=at,
                             closed_tx=tx_hash)

    def commit_vouchers(self, batch_id: int, claims: Sequence[Any]) -> None:
        """`claims` in the order of the vouchers among the batch's entries, which are rows already."""
        line = ENTRIES.c
        with self._begin() as c:
            entries = c.execute(select(ENTRIES).where(line.batch_id == batch_id, line.answer_digest == ZERO)
                                .order_by(line["index"])).all()
            for entry, claim in zip(entries, claims, strict=True):
                index = entry._mapping["index"]
                units, calls, head = _before(c, entry.job_id, batch_id, index)
                c.execute(
                    self._insert(VOUCHERS)
                    .values(batch_id=batch_id, index=index, session_id=entry.job_id, amount=claim.amount,
                            units=claim.units, calls=claim.calls, before_units=units, before_calls=calls,
                            before_head=head)
                    .on_conflict_do_nothing()
                )

    def post_reports(self, reports: Collection[PostedLines]) -> None:
        """Reports that came on-chain, for the loop to hold against their vouchers."""
        at = VOUCHERS.c
        with self._begin() as c:
            for one in reports:
                c.execute(update(VOUCHERS).where(at.batch_id == one.batch_id, at["index"] == one.index,
                                                 at.reported_at.is_(None), at.posted.is_(None))
                          .values(posted=to_json(one), posted_at=one.at))

    def _change_session(self, session_id: bytes, **values: Any) -> None:
        with self._begin() as c:
            c.execute(update(SESSIONS).where(SESSIONS.c.session_id == session_id).values(**values))


def _before(c: Connection, session_id: bytes, batch_id: int, index: int) -> tuple[int, int, bytes]:
    """Units, calls and head of the voucher of this session that was committed before; its id is the first head."""
    at, line = VOUCHERS.c, ENTRIES.c
    earlier = or_(at.batch_id < batch_id, and_(at.batch_id == batch_id, at["index"] < index))
    r = c.execute(select(at.units, at.calls, line.leaf)
                  .join(ENTRIES, and_(line.batch_id == at.batch_id, line["index"] == at["index"]))
                  .where(at.session_id == session_id, earlier)
                  .order_by(at.batch_id.desc(), at["index"].desc()).limit(1)).first()
    return (0, 0, session_id) if r is None else (r.units, r.calls, bytes(r.leaf))
