"""What this oracle knows of one drawn batch, read once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from oracle.flow.node import Node
from oracle.records.work import BatchRow, EntryRow, OpeningNote, RecordRow
from protocol.calls import split_unit
from protocol.session_reports import MAX_CALLS
from protocol.types import VerdictKind


@dataclass(frozen=True)
class BatchView:
    """All that this oracle knows of one drawn batch. `entries` are the committed lines and behind them the drawn calls
    of its vouchers, each under the number of its unit."""

    batch: BatchRow
    members: tuple[str, ...]
    entries: list[EntryRow]
    openings: list[OpeningNote]
    records: list[RecordRow]

    def records_at(self, index: int) -> list[RecordRow]:
        return self._records_by_unit.get(index, [])

    def own_record(self, index: int, own: str) -> RecordRow | None:
        return next((row for row in self.records_at(index) if row.oracle == own), None)

    def own_verdict(self, index: int, own: str) -> VerdictKind | None:
        return row.record.verdict if (row := self.own_record(index, own)) else None

    def opening_for(self, index: int, auditor: str) -> OpeningNote | None:
        return self._readable.get((index, auditor))

    # A batch may have thousands of calls: each is looked up, not searched for.
    @cached_property
    def _records_by_unit(self) -> dict[int, list[RecordRow]]:
        found: dict[int, list[RecordRow]] = {}
        for row in self.records:
            found.setdefault(row.record.index, []).append(row)
        return found

    @cached_property
    def _readable(self) -> dict[tuple[int, str], OpeningNote]:
        return {(o.index, str(o.auditor)): o for o in self.openings if o.readable}


def view_batch(node: Node, batch: BatchRow, unit: int | None = None) -> BatchView:
    """The whole batch, or what is known of one of its units: there may be thousands, and each has its findings."""
    store, number = node.store, batch.batch_id
    if unit is not None:
        members, found = node.chain.members(batch.set_version), find_unit(node, number, unit)
        if found is None:
            return BatchView(batch, members, [], [], [])
        return BatchView(batch, members, [found], store.openings(number, unit), store.records(number, unit=unit))
    return BatchView(batch, node.chain.members(batch.set_version), store.entries(number) + store.calls(number),
                     store.openings(number), store.records(number))


def find_unit(node: Node, batch_id: int, unit: int) -> EntryRow | None:
    """A committed line, or a drawn call that was reported here."""
    index, call = split_unit(unit)
    if unit < 0 or (call is not None and call >= MAX_CALLS):  # nor can the database be asked for any number
        return None
    if call is not None:
        return node.store.call(batch_id, unit)
    return next((e for e in node.store.entries(batch_id) if e.index == index), None)


def misses_report(node: Node, batch_id: int, unit: int) -> bool:
    """Whether the unit is of a voucher whose calls are not known here yet."""
    index, call = split_unit(unit)
    voucher = node.store.voucher(batch_id, index) if call is not None else None
    return voucher is not None and voucher.units_at is None
