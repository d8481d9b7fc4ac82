"""Open cases of the court about work of ours."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.types import CaseKind


@dataclass(frozen=True)
class Contested:
    """`index` is the entry of a dispute; an appeal is about the whole batch. `set_version` is the set that rules."""

    case_id: int
    kind: CaseKind
    batch_id: int
    index: int
    set_version: int
    deadline: int

    def covers(self, batch_id: int, unit: int) -> bool:
        return batch_id == self.batch_id and (unit == self.index or self.kind is CaseKind.APPEAL)
