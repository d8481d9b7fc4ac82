"""The journal's outbox in memory, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from protocol.types import BatchState
from protocol.units import Address
from provider.records.work import Delivery, DeliveryKind, JournalBatch, StoredReceipt


@dataclass
class FakeRow:
    """What a delivery's row says beyond the delivery."""

    delivery: Delivery
    next_at: float = 0.0
    done_at: float | None = None
    error: str = ""


@dataclass
class FakeOutbox:
    """Mixed into `FakeJournal`."""

    outbox: dict[tuple[str, str, str], FakeRow] = field(default_factory=dict)
    queued_for: set[bytes] = field(default_factory=set)
    its_batches: dict[int, JournalBatch] = field(default_factory=dict)
    kept_receipts: dict[bytes, list[StoredReceipt]] = field(default_factory=dict)

    def queue_deliveries(self, deliveries: Sequence[Delivery], delivered_job: bytes | None = None) -> None:
        for delivery in deliveries:
            self.outbox.setdefault(_key(delivery), FakeRow(delivery))
        if delivered_job is not None:
            self.queued_for.add(delivered_job)

    def due_deliveries(self, now: float, limit: int = 64) -> list[Delivery]:
        rows = [row for row in self.outbox.values() if row.done_at is None and row.next_at <= now and self._wanted(row)]
        return [row.delivery for row in sorted(rows, key=lambda row: row.next_at)][:limit]

    def delivered(self, delivery: Delivery, now: float, receipt: bytes | None = None) -> None:
        row = self.outbox[_key(delivery)]
        row.done_at, row.error = now, ""
        if receipt is not None and delivery.kind is DeliveryKind.BLOB:
            kept = self.kept_receipts.setdefault(bytes.fromhex(delivery.subject), [])
            if delivery.oracle not in {one.oracle for one in kept}:
                kept.append(StoredReceipt(delivery.oracle, receipt))

    def defer(self, delivery: Delivery, until: float, error: str) -> None:
        row = self.outbox[_key(delivery)]
        row.next_at, row.error = until, error
        row.delivery = replace(row.delivery, attempts=row.delivery.attempts + 1)

    def defer_oracle(self, oracle: str, until: float, error: str) -> None:
        for row in list(self.outbox.values()):
            if row.delivery.oracle == oracle and row.done_at is None and row.next_at < until:
                self.defer(row.delivery, until, error)

    def has_delivery(self, kind: DeliveryKind, subject: str) -> bool:
        return any(key[:2] == (kind, subject) for key in self.outbox)

    def subjects(self, kind: DeliveryKind, batch_id: int) -> list[str]:
        rows = [row.delivery for row in self.outbox.values()]
        return list(dict.fromkeys(d.subject for d in rows if (d.kind, d.batch_id) == (kind, batch_id)))

    def repeat_delivery(self, kind: DeliveryKind, subject: str, oracle: str, before: float) -> bool:
        row = self.outbox.get((kind, subject, oracle))
        if row is None or row.done_at is None or row.done_at >= before:
            return False
        row.done_at, row.next_at = None, 0.0
        return True

    def _wanted(self, row: FakeRow) -> bool:
        batch = self.its_batches.get(row.delivery.batch_id or 0)
        is_over = batch is not None and batch.state not in (BatchState.PENDING, BatchState.FROZEN)
        return not is_over or row.delivery.kind is DeliveryKind.BLOB


def _key(delivery: Delivery) -> tuple[str, str, Address]:
    return delivery.kind, delivery.subject, delivery.oracle
