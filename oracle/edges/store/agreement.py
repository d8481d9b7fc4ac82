"""What was signed, what is owed to peers, what was answered, and how the processes are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import and_, delete, exists, func, or_, select, union, update

from oracle.edges.store.audit_tables import (
    ANSWERS,
    BEATS,
    MODELS_LOADED,
    OUTBOX,
    SETTLEMENTS,
    SIGNED_DECISIONS,
)
from oracle.edges.store.session import Session
from oracle.edges.store.tables import (
    BATCHES,
    JOBS,
)
from oracle.records.work import Delivery, SettlementRow, WatchRow
from protocol.encoding import from_hex, to_hex
from protocol.types import Decision, Outcome
from protocol.units import Address, Digest, Wei
from protocol.wire import from_json, to_json

WATCH = "watch"


class AgreementStore(Session):
    def sign_once(self, decision: Decision, set_version: int, now: float, reopened: bool = False) -> Decision:
        """Note what is about to be signed; returns what was noted first. Sign only when the two are equal. `reopened`:
        openings of the batch were posted on-chain, so whoever had signed NOT_OPENED decides anew."""
        at = SIGNED_DECISIONS.c
        its = and_(at.batch_id == decision.batch_id, at.set_version == set_version)
        with self._begin() as c:
            # Two processes of this oracle sign; one after the other for each batch.
            c.execute(select(BATCHES.c.batch_id).where(BATCHES.c.batch_id == decision.batch_id).with_for_update())
            lasting = its & ((at.outcome != int(Outcome.NOT_OPENED)) | at.reopened)
            if (signed := c.execute(select(SIGNED_DECISIONS).where(lasting)).first()) is not None:
                return _decision(signed)
            key = its & at.reopened.is_(reopened)
            c.execute(
                self._insert(SIGNED_DECISIONS)
                .values(batch_id=decision.batch_id, set_version=set_version, reopened=reopened,
                        entries_hash=decision.entries_hash, outcome=int(decision.outcome), amount=decision.amount,
                        auditors=decision.auditors, signed_at=now)
                .on_conflict_do_nothing()
            )
            return _decision(c.execute(select(SIGNED_DECISIONS).where(key)).one())

    def hold(self, batch_ids: Sequence[int], now: float) -> None:
        """Note that a settlement of these batches is on its way."""
        with self._begin() as c:
            c.execute(update(SIGNED_DECISIONS).where(SIGNED_DECISIONS.c.batch_id.in_(list(batch_ids))).values(held_at=now))

    def held_since(self, since: float) -> set[int]:
        with self._begin() as c:
            rows = c.execute(select(SIGNED_DECISIONS.c.batch_id).where(SIGNED_DECISIONS.c.held_at >= since))
            return set(rows.scalars())

    def put_settlement(self, row: SettlementRow) -> None:
        with self._begin() as c:
            c.execute(
                self._insert(SETTLEMENTS)
                .values(tx_hash=row.tx_hash, gas_used=row.gas_used, set_version=row.set_version,
                        decisions=[to_json(decision) for decision in row.decisions],
                        signatures=[to_hex(signature) for signature in row.signatures])
                .on_conflict_do_nothing()
            )

    def settlement(self, tx_hash: bytes) -> SettlementRow | None:
        with self._begin() as c:
            r = c.execute(select(SETTLEMENTS).where(SETTLEMENTS.c.tx_hash == tx_hash)).first()
            if r is None:
                return None
            decisions = tuple(from_json(Decision, body) for body in r.decisions)
            signatures = tuple(from_hex(text, None) for text in r.signatures)
            return SettlementRow(tx_hash, r.gas_used, r.set_version, decisions, signatures)

    def gas_used(self, tx_hashes: Collection[bytes]) -> dict[bytes, int]:
        """Of those of these transactions that were read."""
        at = SETTLEMENTS.c
        with self._begin() as c:
            rows = c.execute(select(at.tx_hash, at.gas_used).where(at.tx_hash.in_(tx_hashes)))
            return {bytes(r.tx_hash): r.gas_used for r in rows}

    def transactions_unread(self, limit: int) -> list[bytes]:
        """Transactions that decided a batch or ended a job, whose gas and signatures were not read yet."""
        with self._begin() as c:
            named = union(select(BATCHES.c.decided_tx.label("tx")), select(BATCHES.c.closed_tx.label("tx")),
                          select(JOBS.c.closed_tx.label("tx"))).subquery()
            known = exists().where(SETTLEMENTS.c.tx_hash == named.c.tx)
            rows = c.execute(select(named.c.tx).where(named.c.tx.is_not(None), ~known).limit(limit))
            return [bytes(value) for value in rows.scalars()]

    def post(self, peer: str, path: str, key: str, body: dict[str, Any], now: float) -> None:
        """Queue a message; a key that the peer has already stays as it is."""
        with self._begin() as c:
            c.execute(
                self._insert(OUTBOX)
                .values(peer=peer, path=path, key=key, body=body, created_at=now, next_try=now, attempts=0)
                .on_conflict_do_nothing()
            )

    def due_deliveries(self, now: float, limit: int) -> list[Delivery]:
        with self._begin() as c:
            rows = c.execute(select(OUTBOX).where(OUTBOX.c.done_at.is_(None), OUTBOX.c.next_try <= now)
                             .order_by(OUTBOX.c.number).limit(limit))
            return [Delivery(r.number, Address(r.peer), r.path, r.key, r.body, r.attempts) for r in rows]

    def delivered(self, number: int, now: float) -> None:
        with self._begin() as c:
            c.execute(update(OUTBOX).where(OUTBOX.c.number == number).values(done_at=now, error=None))

    def defer(self, number: int, until: float, error: str) -> None:
        with self._begin() as c:
            c.execute(update(OUTBOX).where(OUTBOX.c.number == number)
                      .values(next_try=until, attempts=OUTBOX.c.attempts + 1, error=error[:500]))

    def drop_deliveries(self, done_before: float, before: float) -> int:
        """Forget what arrived before `done_before`, and give up what was posted before `before`."""
        with self._begin() as c:
            return c.execute(delete(OUTBOX).where(
                or_(OUTBOX.c.done_at < done_before, OUTBOX.c.created_at < before))).rowcount

    def undelivered(self) -> int:
        with self._begin() as c:
            return int(c.execute(select(func.count()).where(OUTBOX.c.done_at.is_(None))).scalar_one())

    def remembered(self, key: str, path: str, digest: bytes) -> tuple[int, Any] | None:
        """The answer under this key: (status, body); status 0 when the key was used for another body."""
        with self._begin() as c:
            r = c.execute(select(ANSWERS).where(ANSWERS.c.key == key, ANSWERS.c.path == path)).first()
            if r is None:
                return None
            return (r.status, r.body) if bytes(r.digest) == digest else (0, None)

    def remember(self, key: str, path: str, digest: bytes, status: int, body: Any, now: float) -> None:
        with self._begin() as c:
            c.execute(self._insert(ANSWERS).values(key=key, path=path, digest=digest, status=status, body=body, at=now)
                      .on_conflict_do_nothing())

    def drop_answers(self, before: float) -> int:
        with self._begin() as c:
            return c.execute(delete(ANSWERS).where(ANSWERS.c.at < before)).rowcount

    def beat(self, row: WatchRow) -> None:
        values = {"name": WATCH, "block": row.block, "head": row.head, "at": row.at}
        with self._begin() as c:
            c.execute(self._insert(BEATS).values(**values)
                      .on_conflict_do_update(index_elements=["name"], set_=values))

    def watch_row(self) -> WatchRow | None:
        with self._begin() as c:
            r = c.execute(select(BEATS).where(BEATS.c.name == WATCH)).first()
            return None if r is None else WatchRow(r.block, r.head, r.at)

    def note_model(self, worker: str, model: bytes, now: float) -> None:
        values = {"worker": worker, "model": model, "at": now}
        with self._begin() as c:
            c.execute(self._insert(MODELS_LOADED).values(**values)
                      .on_conflict_do_update(index_elements=["worker"], set_=values))

    def forget_models(self) -> None:
        with self._begin() as c:
            c.execute(delete(MODELS_LOADED))

    def models_loaded(self) -> int:
        with self._begin() as c:
            return int(c.execute(select(func.count()).select_from(MODELS_LOADED)).scalar_one())


def _decision(r: Any) -> Decision:
    return Decision(r.batch_id, Digest(bytes(r.entries_hash)), Outcome(r.outcome), Wei(r.amount), r.auditors)
