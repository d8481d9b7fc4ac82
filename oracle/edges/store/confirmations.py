"""Findings that were committed to before they were shown, and what speaks against auditors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, func, select, update

from oracle.edges.store.audit_tables import AUDIT_COMMITMENTS, AUDITOR_FAULTS, RECORDS
from oracle.edges.store.calls import escalate_unit
from oracle.edges.store.session import Session
from oracle.records.confirmations import AuditorFault, CommitmentRow
from protocol.units import Address, Digest

_C = AUDIT_COMMITMENTS.c


class ConfirmationStore(Session):
    def put_commitment(self, row: CommitmentRow) -> bool:
        """Keep the first of the same; True when it was new. One that escalates sends the leaf to all."""
        values = {
            "batch_id": row.batch_id, "index": row.index, "oracle": row.oracle, "commitment": row.commitment,
            "leaf": row.leaf, "escalates": row.escalates, "signature": row.signature, "received_at": row.received_at,
            "salt": row.salt, "revealed_at": row.revealed_at,
        }
        with self._begin() as c:
            put = self._insert(AUDIT_COMMITMENTS).values(**values).on_conflict_do_nothing()
            is_new = c.execute(put.returning(_C.batch_id)).first() is not None
            if row.escalates:
                c.execute(escalate_unit(row.batch_id, row.index).values(escalated_at=row.received_at))
            return is_new

    def commitments(self, batch_id: int, unit: int | None = None) -> list[CommitmentRow]:
        """In the order in which they came, of the whole batch or of one unit."""
        its = _C.batch_id == batch_id if unit is None else and_(_C.batch_id == batch_id, _C["index"] == unit)
        with self._begin() as c:
            rows = c.execute(select(AUDIT_COMMITMENTS).where(its).order_by(_C.received_at))
            return [_commitment(row) for row in rows]

    def unrevealed(self) -> list[CommitmentRow]:
        """Own ones whose findings no peer has been shown."""
        with self._begin() as c:
            rows = c.execute(select(AUDIT_COMMITMENTS).where(_C.salt.is_not(None), _C.revealed_at.is_(None))
                             .order_by(_C.received_at))
            return [_commitment(row) for row in rows]

    def mark_revealed(self, row: CommitmentRow, now: float, superseded: bool = False) -> None:
        """`superseded`: never shown, because a later finding took its place."""
        with self._begin() as c:
            c.execute(update(AUDIT_COMMITMENTS)
                      .where(_C.batch_id == row.batch_id, _C["index"] == row.index, _C.oracle == row.oracle,
                             _C.commitment == row.commitment).values(revealed_at=now))
            if superseded:
                return
            c.execute(update(RECORDS).where(RECORDS.c.batch_id == row.batch_id, RECORDS.c["index"] == row.index,
                                            RECORDS.c.oracle == row.oracle).values(revealed=True))

    def put_faults(self, faults: Sequence[AuditorFault]) -> int:
        """Each is counted once; returns how many were new."""
        with self._begin() as c:
            kept = [c.execute(self._insert(AUDITOR_FAULTS).values(
                batch_id=fault.batch_id, index=fault.index, oracle=fault.oracle, kind=fault.kind, epoch=fault.epoch,
            ).on_conflict_do_nothing().returning(AUDITOR_FAULTS.c.kind)).first() for fault in faults]
            return sum(row is not None for row in kept)

    def count_faults(self) -> list[tuple[Address, int, str, int]]:
        """(oracle, epoch, kind, count), newest epochs first."""
        a = AUDITOR_FAULTS.c
        with self._begin() as c:
            rows = c.execute(select(a.oracle, a.epoch, a.kind, func.count()).group_by(a.oracle, a.epoch, a.kind)
                             .order_by(a.epoch.desc(), a.oracle, a.kind))
            return [(Address(oracle), epoch, kind, count) for oracle, epoch, kind, count in rows]


def _commitment(r: Any) -> CommitmentRow:
    return CommitmentRow(
        r.batch_id, r._mapping["index"], Digest(bytes(r.leaf)), Address(r.oracle), Digest(bytes(r.commitment)),
        r.escalates, bytes(r.signature), r.received_at, None if r.salt is None else bytes(r.salt), r.revealed_at,
    )
