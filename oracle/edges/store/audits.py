"""Reports, openings, records, draws and reveals, and the audits that this oracle owes."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlalchemy import ColumnElement, Table, and_, delete, exists, func, literal, or_, select, update

from oracle.edges.store.audit_tables import AUDITS, OPENINGS, RECORDS, REPORTS, REVEALS
from oracle.edges.store.calls import escalate_unit
from oracle.edges.store.court_tables import CASES
from oracle.edges.store.session import Session
from oracle.edges.store.tables import BATCHES, ENTRIES
from oracle.records.work import AuditRow, OpeningNote, OpeningRow, RecordRow
from protocol.types import AuditRecord, BatchState, Ruling, SignedReport, VerdictKind
from protocol.units import Address, Digest
from protocol.wire import from_json, to_json

FINAL = (int(VerdictKind.PASS), int(VerdictKind.FRAUD))
"""Verdicts that an oracle never replaces; UNKNOWN and MALFORMED give way to what it finds later."""
OVER = (int(BatchState.MATURED), int(BatchState.FORFEITED))


class AuditStore(Session):
    def put_report(self, report: SignedReport, now: float) -> SignedReport:
        """Keep the first report of a job; returns the one that is kept."""
        with self._begin() as c:
            values = {"job_id": report.report.job_id, "body": to_json(report), "received_at": now}
            c.execute(self._insert(REPORTS).values(**values).on_conflict_do_nothing())
            body = c.execute(select(REPORTS.c.body).where(REPORTS.c.job_id == report.report.job_id)).scalar_one()
            return from_json(SignedReport, body)

    def report(self, job_id: bytes) -> SignedReport | None:
        with self._begin() as c:
            body = c.execute(select(REPORTS.c.body).where(REPORTS.c.job_id == job_id)).scalar()
            return None if body is None else from_json(SignedReport, body)

    def reports(self, job_ids: Sequence[bytes]) -> list[SignedReport]:
        with self._begin() as c:
            bodies = c.execute(select(REPORTS.c.body).where(REPORTS.c.job_id.in_(job_ids))).scalars()
            return [from_json(SignedReport, body) for body in bodies]

    def put_opening(self, opening: OpeningRow, signature: bytes) -> None:
        """Keep the first readable opening for an auditor; a peer's copy gives way to one of the provider."""
        values = {
            "batch_id": opening.batch_id, "index": opening.index, "auditor": opening.auditor,
            "sealed": opening.sealed, "signature": signature, "source": opening.source,
            "received_at": opening.received_at, "readable": opening.readable,
        }
        with self._begin() as c:
            put = self._insert(OPENINGS).values(**values)
            copy = and_(OPENINGS.c.source != "provider", literal(opening.source == "provider"))
            weaker = or_(OPENINGS.c.readable.is_(False), copy)
            key = ["batch_id", "index", "auditor"]
            c.execute(put.on_conflict_do_update(index_elements=key, set_=values, where=weaker))

    def openings(self, batch_id: int, unit: int | None = None) -> list[OpeningNote]:
        """What is here, without the sealed bytes: a batch may have tens of megabytes of them."""
        at = OPENINGS.c
        its = at.batch_id == batch_id if unit is None else _at(OPENINGS, batch_id, unit)
        wanted = select(at["index"], at.auditor, at.received_at, at.readable, at.source).where(its)
        with self._begin() as c:
            return [OpeningNote(r._mapping["index"], Address(r.auditor), r.received_at, r.readable, r.source)
                    for r in c.execute(wanted)]

    def opening(self, batch_id: int, index: int, auditor: str) -> OpeningRow | None:
        """The readable opening for an auditor, with its bytes."""
        wanted = select(OPENINGS).where(_at(OPENINGS, batch_id, index), OPENINGS.c.auditor == auditor,
                                        OPENINGS.c.readable.is_(True))
        with self._begin() as c:
            r = c.execute(wanted).first()
            return None if r is None else OpeningRow(batch_id, index, Address(r.auditor), bytes(r.sealed), r.source,
                                                     r.received_at, r.readable)

    def spoil_opening(self, opening: OpeningRow) -> None:
        """Mark an opening as unreadable, so that another takes its place; one that took it already stays."""
        its = and_(OPENINGS.c.auditor == opening.auditor, OPENINGS.c.sealed == opening.sealed)
        at = and_(_at(OPENINGS, opening.batch_id, opening.index), its)
        with self._begin() as c:
            c.execute(update(OPENINGS).where(at).values(readable=False))

    def drop_openings(self, before: float) -> int:
        """Openings hold a requester's plaintext: they go once the batch is over and no case about it is open."""
        over = exists().where(BATCHES.c.batch_id == OPENINGS.c.batch_id, BATCHES.c.state.in_(OVER))
        contested = exists().where(CASES.c.batch_id == OPENINGS.c.batch_id, CASES.c.ruling == int(Ruling.NONE))
        with self._begin() as c:
            return c.execute(delete(OPENINGS).where(OPENINGS.c.received_at < before, over, ~contested)).rowcount

    def put_record(self, row: RecordRow, escalate: bool) -> bool:
        """Keep an oracle's finding; True when it was new. A PASS or FRAUD stays, others give way to a later one."""
        record = row.record
        values = {
            "batch_id": record.batch_id, "index": record.index, "oracle": row.oracle, "leaf": record.leaf,
            "verdict": int(record.verdict), "evidence_digest": record.evidence, "evidence": row.evidence,
            "signature": row.signature, "received_at": row.received_at, "timely": row.timely, "revealed": row.revealed,
        }
        with self._begin() as c:
            put = self._insert(RECORDS).values(**values).on_conflict_do_update(
                index_elements=["batch_id", "index", "oracle"], set_=values,
                where=and_(RECORDS.c.verdict.notin_(FINAL), RECORDS.c.evidence_digest != record.evidence),
            ).returning(RECORDS.c.verdict)
            is_new = c.execute(put).first() is not None
            if escalate:
                c.execute(escalate_unit(record.batch_id, record.index).values(escalated_at=row.received_at))
            return is_new

    def records(self, *batch_ids: int, unit: int | None = None) -> list[RecordRow]:
        of_batches = RECORDS.c.batch_id.in_(batch_ids)
        its = of_batches if unit is None else and_(of_batches, RECORDS.c["index"] == unit)
        with self._begin() as c:
            rows = c.execute(select(RECORDS).where(its).order_by(RECORDS.c.received_at))
            return [
                RecordRow(
                    AuditRecord(r.batch_id, r._mapping["index"], Digest(bytes(r.leaf)), VerdictKind(r.verdict),
                                Digest(bytes(r.evidence_digest))),
                    Address(r.oracle), r.evidence, bytes(r.signature), r.received_at, r.timely, r.revealed,
                )
                for r in rows
            ]

    def keep_draw(self, batch_id: int, seed: bytes | None, drawn: Sequence[int], auditors: Sequence[int],
                  now: float, group_seed: bytes | None = None, audit_bps: int | None = None) -> None:
        """One draw, never another: a batch that has one keeps it."""
        values = {"drawn_at": now, "seed": seed, "group_seed": group_seed or seed, "audit_bps": audit_bps}
        with self._begin() as c:
            kept = c.execute(update(BATCHES).where(BATCHES.c.batch_id == batch_id, BATCHES.c.drawn_at.is_(None))
                             .values(**values)).rowcount
            if kept:
                for index, auditor in enumerate(auditors):
                    c.execute(update(ENTRIES).where(_at(ENTRIES, batch_id, index))
                              .values(drawn=index in drawn, auditor=auditor))

    def reveal(self, oracle: str, epoch: int) -> bytes | None:
        with self._begin() as c:
            found = c.execute(select(REVEALS.c.reveal).where(REVEALS.c.oracle == oracle, REVEALS.c.epoch == epoch))
            value = found.scalar()
            return None if value is None else bytes(value)

    def latest_reveal(self, oracle: str, upto: int) -> tuple[int, bytes] | None:
        with self._begin() as c:
            row = c.execute(select(REVEALS).where(REVEALS.c.oracle == oracle, REVEALS.c.epoch <= upto)
                            .order_by(REVEALS.c.epoch.desc()).limit(1)).first()
            return None if row is None else (row.epoch, bytes(row.reveal))

    def put_reveals(self, oracle: str, reveals: Mapping[int, bytes]) -> None:
        if not reveals:
            return
        with self._begin() as c:
            c.execute(self._insert(REVEALS).on_conflict_do_nothing(),
                      [{"oracle": oracle, "epoch": epoch, "reveal": reveal} for epoch, reveal in reveals.items()])

    def want_audit(self, batch_id: int, index: int) -> None:
        with self._begin() as c:
            c.execute(self._insert(AUDITS).values(batch_id=batch_id, index=index, attempts=0).on_conflict_do_nothing())

    def audits_due(self, before: float, limit: int) -> list[AuditRow]:
        """Audits of which the broker was not told since `before`; those that failed least come first."""
        with self._begin() as c:
            rows = c.execute(
                select(AUDITS).where(or_(AUDITS.c.enqueued_at.is_(None), AUDITS.c.enqueued_at < before))
                .order_by(AUDITS.c.attempts, AUDITS.c.batch_id, AUDITS.c["index"]).limit(limit)
            )
            return [AuditRow(r.batch_id, r._mapping["index"], r.enqueued_at, r.attempts) for r in rows]

    def forget_enqueued(self) -> None:
        """Whatever the broker was told is told again: the worker that had it is gone."""
        with self._begin() as c:
            c.execute(update(AUDITS).values(enqueued_at=None))

    def mark_enqueued(self, batch_id: int, index: int, now: float | None) -> None:
        with self._begin() as c:
            c.execute(update(AUDITS).where(_at(AUDITS, batch_id, index)).values(enqueued_at=now))

    def count_audit(self, batch_id: int, index: int, step: int = 1) -> int:
        """Count an attempt before it is made, or with -1 take it back; returns how many there were."""
        with self._begin() as c:
            at = _at(AUDITS, batch_id, index)
            c.execute(update(AUDITS).where(at).values(attempts=AUDITS.c.attempts + step))
            return int(c.execute(select(AUDITS.c.attempts).where(at)).scalar() or 0)

    def finish_audit(self, batch_id: int, index: int) -> None:
        with self._begin() as c:
            c.execute(delete(AUDITS).where(_at(AUDITS, batch_id, index)))

    def audits_owed(self) -> int:
        with self._begin() as c:
            return int(c.execute(select(func.count()).select_from(AUDITS)).scalar_one())

    @contextmanager
    def lock(self, name: str) -> Iterator[bool]:
        """Whether nobody else holds the lock; it is held while the context is open and ends with the process."""
        if self._engine.dialect.name != "postgresql":
            yield True
            return
        with self._engine.connect() as c:
            number = zlib.crc32(name.encode())
            held = bool(c.execute(select(func.pg_try_advisory_lock(77, _signed(number)))).scalar())
            c.commit()
            try:
                yield held
            finally:
                if held:
                    c.execute(select(func.pg_advisory_unlock(77, _signed(number))))
                    c.commit()


def _at(table: Table, batch_id: int, index: int) -> ColumnElement[bool]:
    return and_(table.c.batch_id == batch_id, table.c["index"] == index)


def _signed(number: int) -> int:
    """A 32-bit number as PostgreSQL's signed integer."""
    return number - 2**32 if number >= 2**31 else number
