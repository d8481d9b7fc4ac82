"""The rows of sessions, of committed vouchers and of their calls. Times are unix seconds, amounts wei."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.calls import CallLine
from protocol.session_reports import SessionReport
from protocol.types import Entry, Offer, Session, SessionState
from protocol.units import Address, Digest, Wei


@dataclass(frozen=True)
class SessionRow:
    """A session as the chain has it. `model` and `profile` are its offer's, None until the offer is known here;
    `refunded` is what the end returned to its requester."""

    session_id: Digest
    session: Session
    cap: Wei
    ends_at: int
    opened_tx: bytes
    state: SessionState
    refunded: Wei
    closed_at: int | None
    closed_tx: bytes | None
    model: Digest | None
    profile: Digest | None


@dataclass(frozen=True)
class VoucherRow:
    """A committed voucher: its running totals, and those of the one committed before (`before_…`).

    `report` lists the calls between the two, None until it is here. `drawn_calls` and `named` (places in the set) are
    what the draw says of them, None until the draw; `units_at` is when the drawn calls became audited units here.
    """

    batch_id: int
    index: int
    session_id: Digest
    entry: Entry
    amount: Wei
    units: int
    calls: int
    before_units: int
    before_calls: int
    before_head: Digest
    drawn_calls: int | None = None
    named: tuple[int, ...] = ()
    report: SessionReport | None = None
    signature: bytes = b""
    reported_at: float | None = None
    units_at: float | None = None

    @property
    def added_calls(self) -> int:
        """Negative when its requester signed fewer calls than before: then no report can fit."""
        return self.calls - self.before_calls


@dataclass(frozen=True)
class VoucherNote:
    """What an entry's row says of its voucher. `added_calls` is negative when no report can fit."""

    added_calls: int
    drawn_calls: int
    named: tuple[int, ...]
    is_reported: bool
    has_units: bool

    @property
    def is_complete(self) -> bool:
        """Whether everything that is to be audited of it is known here. What adds no call is not explained by any."""
        return self.is_reported and self.has_units


@dataclass(frozen=True)
class CallNote:
    """What an audited unit's row says of its call: its number in the session, its line of the report, and since when it
    can be opened. `spec` is the digest of the spec that is committed with it, None where the voucher's own head has it.
    """

    number: int
    line: CallLine
    since: float
    spec: Digest | None = None


@dataclass(frozen=True)
class DrawnCall:
    """A call that the draw names. `auditor` is a position in the set of oracles; `spec` as of `CallNote`."""

    unit: int
    number: int
    line: CallLine
    auditor: int
    spec: Digest | None = None


@dataclass(frozen=True)
class PostedLines:
    """A session report that its provider posted on-chain, not held against its voucher yet."""

    batch_id: int
    index: int
    calls: tuple[CallLine, ...]
    at: int
    offer: Offer
    in_flight: tuple[Digest, ...] = ()
    specs: tuple[Digest, ...] = ()


@dataclass(frozen=True)
class SettledVoucher:
    """A voucher of a session with how its batch stands: `state` is the batch's by name."""

    row: VoucherRow
    state: str
    closed_tx: bytes | None
    provider: Address
