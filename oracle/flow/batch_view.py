"""What this oracle knows of one drawn batch, read once."""

from __future__ import annotations

from dataclasses import dataclass

from oracle.flow.node import Node
from oracle.records import BatchRow, EntryRow, OpeningNote, RecordRow
from protocol.types import VerdictKind


@dataclass(frozen=True)
class BatchView:
    """All that this oracle knows of one drawn batch."""

    batch: BatchRow
    members: tuple[str, ...]
    entries: list[EntryRow]
    openings: list[OpeningNote]
    records: list[RecordRow]

    def records_at(self, index: int) -> list[RecordRow]:
        return [row for row in self.records if row.record.index == index]

    def own_record(self, index: int, own: str) -> RecordRow | None:
        return next((row for row in self.records_at(index) if row.oracle == own), None)

    def own_verdict(self, index: int, own: str) -> VerdictKind | None:
        return row.record.verdict if (row := self.own_record(index, own)) else None

    def opening_for(self, index: int, auditor: str) -> OpeningNote | None:
        return next((o for o in self.openings if o.index == index and o.auditor == auditor and o.readable), None)


def view_batch(node: Node, batch: BatchRow) -> BatchView:
    store, number = node.store, batch.batch_id
    return BatchView(batch, node.chain.members(batch.set_version), store.entries(number), store.openings(number),
                     store.records(number))
