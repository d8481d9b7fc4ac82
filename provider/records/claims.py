"""Vouchers of which something is claimed: calls in their heads, and calls beyond them by links."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from protocol.calls import CallLine
from protocol.envelope import SignedTotals
from protocol.types import Offer, Session
from protocol.units import Digest, Wei


class ClaimStage(StrEnum):
    """How far the node is with a voucher that it commits."""

    COMMITTING = "COMMITTING"
    COMMITTED = "COMMITTED"
    SETTLED = "SETTLED"
    REFUNDED = "REFUNDED"
    DROPPED = "DROPPED"
    """The chain did not take it; what it claims stays claimable by a later one."""


@dataclass(frozen=True)
class LinkedCall:
    """A call that ended beyond the voucher's head: its spec's digest, which the voucher names, and its line."""

    spec: Digest
    line: CallLine


@dataclass(frozen=True)
class Claimed:
    """What is claimed of a voucher: `amount` wei since the session began, with the calls that are linked."""

    amount: Wei
    linked: tuple[LinkedCall, ...] = ()


@dataclass(frozen=True)
class VoucherClaim:
    """A voucher on its way to the chain, or there, with what is claimed of it: the calls from number `first` on.
    `offer` is its session's, None where this journal does not know it."""

    claim_id: int
    voucher: SignedTotals
    session: Session
    offer: Offer | None
    first: int
    claimed: Claimed
    stage: ClaimStage
    commit_key: str = ""
    batch_id: int | None = None
    index: int | None = None

    @property
    def last(self) -> int:
        return self.voucher.calls + len(self.claimed.linked)


@dataclass(frozen=True)
class Claimable:
    """The last voucher of a session of which something is owed that is not committed. `first` is the number of the
    first call that it adds; `reached` is owed, in wei, after the calls in its head, `owed` after all, with those
    `beyond`.

    `ends_at` is the session's own end, `commit_by` the second from which the chain takes its vouchers no more, None
    while there is none; `key_ends_at` is that of what the session's key signed, 0 for a session without a key.
    `running` counts the session's calls in flight, `touched_at` is when the last one ended or the last voucher came:
    they tell whether an exact voucher may still be on its way. `attempts` were given up before.
    """

    voucher: SignedTotals
    session: Session
    first: int
    ends_at: int
    commit_by: int | None
    committed: Wei
    running: int
    touched_at: float
    reached: Wei
    owed: Wei
    beyond: tuple[LinkedCall, ...] = ()
    attempts: int = 0
    key_ends_at: int = 0
    claimed: Claimed | None = None
    """What is to be claimed now; None while nothing is."""

    @property
    def last(self) -> int:
        return self.voucher.calls + (len(self.claimed.linked) if self.claimed else 0)


@dataclass(frozen=True)
class OverSession:
    """A session that is over, with nothing left to claim: closing it gives the requester its money back."""

    session_id: Digest
    session: Session
