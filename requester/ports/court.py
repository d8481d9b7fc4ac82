"""What disputes need from the chain, and the words for them. Amounts are wei, times unix seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from protocol.types import BatchState, Outcome, Ruling
from protocol.units import Address, Seconds, Wei
from requester.records.jobs import JobFile


@dataclass(frozen=True)
class DisputeTerms:
    """Of disputes that begin now. `share_multiple`: most of a challenger's share of a slash, in bonds."""

    bond: Wei
    ruling_window: Seconds
    dispute_window: Seconds
    share_multiple: int


@dataclass(frozen=True)
class CaseView:
    """A case at the head of the chain; `amount` is what its entry claims."""

    case_id: int
    ruling: Ruling
    deadline: int
    bond: Wei
    amount: Wei
    is_compensated: bool


@dataclass(frozen=True)
class LineView:
    """What became of a job's entry. `is_frozen` of its provider; `is_stored` of its answer, which counts by default."""

    state: BatchState
    outcome: Outcome
    is_stored: bool
    is_frozen: bool

    @property
    def is_returned(self) -> bool:
        """Whether the price came back to the requester, as the court reckons it."""
        by_default = self.state is BatchState.MATURED and self.outcome is Outcome.DEFAULT
        return self.state is BatchState.FORFEITED or (by_default and not self.is_stored)


@dataclass(frozen=True)
class DisputePlan:
    """What a dispute costs and what it can bring. `until` is the first second at which it comes too late, `rules_by`
    the last at which the oracles can rule if it is opened now; `share` is the most of a slash that CONVICTED brings."""

    job_id: str
    bond: int
    until: int
    rules_by: int
    amount: int
    penalty: int
    share: int
    is_paid: bool


@dataclass(frozen=True)
class Dispute:
    """A case as its requester sees it. `state` is OPEN or the ruling; `is_new`: it was opened by this call; `collected`
    is what this call brought into the wallet out of awards; `bond_back` whether the bond has returned; `note` says what
    comes next."""

    job_id: str
    case_id: int
    state: str
    deadline: int
    bond: int
    amount: int
    is_compensated: bool
    bond_back: bool
    is_new: bool = False
    collected: int = 0
    award: int = 0
    note: str = ""


class Court(Protocol):
    """Reads, and calls that are built here and sent by the wallet. Errors: ChainUnreachable."""

    def terms(self) -> DisputeTerms: ...
    def now(self) -> int: ...
    def case_of(self, batch_id: int, index: int) -> CaseView | None: ...
    def line(self, batch_id: int, index: int, provider: Address) -> LineView: ...
    def award_of(self, account: Address) -> Wei: ...
    def allowance(self, account: Address) -> Wei: ...
    def approve_call(self, amount: Wei) -> Any: ...
    def dispute_call(self, file: JobFile) -> Any: ...
    def close_call(self, case_id: int) -> Any: ...
    def compensate_call(self, case_id: int) -> Any: ...
    def claim_call(self) -> Any: ...
