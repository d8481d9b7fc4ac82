"""The audited units of a batch of ours: its jobs, and the calls under its vouchers, each by its number."""

from __future__ import annotations

from dataclasses import dataclass, field

from protocol.calls import call_unit, split_unit
from protocol.draw import Draw, draw_calls, is_drawn
from protocol.transcript import parse_spec
from protocol.types import CANARY_ONLY
from provider.flow.drawing import Opening, audit_rate_of, draw_batch
from provider.records.sessions import CallUnit
from provider.records.work import JournalBatch


@dataclass
class Draws:
    """The draws of a round, each made once: a batch may have thousands of units that several oracles ask for."""

    opening: Opening
    made: dict[int, Draw | None] = field(default_factory=dict)

    def of(self, batch: JournalBatch) -> Draw | None:
        if batch.batch_id not in self.made:
            self.made[batch.batch_id] = draw_batch(self.opening, batch)
        return self.made[batch.batch_id]

    def names(self, batch: JournalBatch, drawn: Draw, unit: int) -> bool:
        """Whether the unit is drawn, if the batch has it."""
        if split_unit(unit)[1] is None:
            return unit in drawn.drawn
        return drawn.seed is None or is_drawn(drawn.seed, unit, audit_rate_of(self.opening, batch))


def is_place(batch: JournalBatch, unit: int) -> bool:
    """Whether a unit of this number may be one of the batch."""
    return 0 <= unit < 2**32 and split_unit(unit)[0] < len(batch.entries)


def find_unit(opening: Opening, batch: JournalBatch, unit: int) -> CallUnit | None:
    """What is opened of a unit; None if the batch has no such unit or its transcript is not here."""
    index, call = split_unit(unit)
    if not is_place(batch, unit):
        return None
    if call is not None:
        return opening.claims.unit_of(batch.batch_id, index, call) if opening.claims is not None else None
    job = opening.journal.job(batch.entries[index].job_id)
    if job is None or job.work is None:
        return None
    return CallUnit(job.spec or b"", job.work.transcript, job.work.fingerprints, job.work.output_tokens)


def all_units(opening: Opening, batch: JournalBatch) -> list[int]:
    """Jobs first, then the calls of each voucher."""
    jobs = [index for index, entry in enumerate(batch.entries) if not entry.is_voucher]
    return jobs + [call_unit(index, call) for index, count in _calls(opening, batch) for call in range(count)]


def drawn_units(opening: Opening, batch: JournalBatch, drawn: Draw) -> set[int]:
    rate = audit_rate_of(opening, batch)
    calls = (draw_calls(drawn, index, count, rate) for index, count in _calls(opening, batch))
    return set(drawn.drawn) | {unit for units in calls for unit in units}


def is_kept_back(unit: CallUnit) -> bool:
    """Whether the order says that its transcript goes to no oracle."""
    return bool(unit.spec) and parse_spec(unit.spec).audit == CANARY_ONLY


def _calls(opening: Opening, batch: JournalBatch) -> list[tuple[int, int]]:
    """(index of a voucher's entry, calls that it added)."""
    return sorted(opening.claims.call_counts(batch.batch_id).items()) if opening.claims is not None else []
