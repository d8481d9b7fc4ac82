"""The court in memory, for tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from protocol.chain.records import CourtCase
from protocol.messages import Domain
from protocol.units import Address

COURT = Address("0x" + "c0" * 20)


@dataclass(frozen=True)
class FakeCall:
    what: str
    arguments: tuple[Any, ...] = ()


class FakeCourt:
    """Mixed into `FakeChain`, which holds the rows."""

    court_cases: dict[int, CourtCase]
    stored: dict[int, int]

    @property
    def court_domain(self) -> Domain:
        return Domain(31337, COURT)

    def stored_bitmap(self, batch_id: int) -> int:
        return self.stored.get(batch_id, 0)

    def case_count(self) -> int:
        return len(self.court_cases)

    def court_case(self, case_id: int) -> CourtCase:
        return self.court_cases[case_id]

    def rule(self, *arguments: Any) -> FakeCall:
        return FakeCall("rule", arguments)

    def close_by_default(self, *arguments: Any) -> FakeCall:
        return FakeCall("close_by_default", arguments)

    def compensate(self, *arguments: Any) -> FakeCall:
        return FakeCall("compensate", arguments)

    def convict(self, *arguments: Any) -> FakeCall:
        return FakeCall("convict", arguments)
