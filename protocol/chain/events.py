"""The events of Malla's contracts as frozen dataclasses: amounts in wei, times in unix seconds.

Here are those about balances, jobs and work batches; the others are imported, so that all are found here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from protocol.chain.records import BlockRef, SkipReason
from protocol.chain.session_events import (
    Claim,
    KeyAuthorised,
    KeyRevoked,
    SessionClosed,
    SessionClosing,
    SessionOpened,
    SessionToppedUp,
    VoucherRefunded,
    VouchersCommitted,
    VouchersSettled,
)
from protocol.chain.stake_events import (
    Awarded,
    BurnAccrued,
    CaseDefaulted,
    CaseOpened,
    CaseRuled,
    CondemnedBurned,
    MetadataChanged,
    NodeKeyRotated,
    OracleJoined,
    OracleResigned,
    OracleSlashed,
    OracleUrlChanged,
    OracleWithdrawn,
    ProviderRegistered,
    RewardClaimed,
    Seized,
    Slashed,
    Staked,
    StakeWithdrawn,
    UnstakeStarted,
)
from protocol.messages import entries_hash
from protocol.types import BatchHead, Entry, Job, Outcome, RefundReason
from protocol.units import Address, Digest, Wei

__all__ = [
    "AnswerStored", "AuditFeePaid", "Awarded", "BatchCommitted", "BatchForfeited", "BatchFrozen", "BatchHeld",
    "BatchMatured", "BatchReleased", "BatchSkipped", "BurnAccrued", "CaseDefaulted", "CaseOpened", "CaseRuled",
    "ChainEvent", "Claim", "CondemnedBurned", "Deposited", "Event", "FeesBurned", "FinalBlock", "JobCancelAsked",
    "JobOpened", "JobRefunded", "JobSettled", "KeyAuthorised", "KeyRevoked", "MetadataChanged", "NodeKeyRotated",
    "OffersRevoked", "OpeningsPosted", "OracleJoined", "OracleResigned", "OracleSlashed", "OracleUrlChanged",
    "OracleWithdrawn", "ProviderConvicted", "ProviderRegistered", "RewardClaimed", "Seized", "SessionClosed",
    "SessionClosing", "SessionOpened", "SessionToppedUp", "Slashed", "StakeWithdrawn", "Staked", "SubmitFeePaid",
    "TermsChanged", "UnstakeStarted", "VoucherRefunded", "VouchersCommitted", "VouchersSettled", "Withdrawn",
]


@dataclass(frozen=True)
class Deposited:
    account: Address
    amount: Wei


@dataclass(frozen=True)
class Withdrawn:
    """From the escrow's free balance; a stake that leaves is `StakeWithdrawn`."""

    account: Address
    amount: Wei


@dataclass(frozen=True)
class OffersRevoked:
    """Offers of the provider with a nonce below `below` open nothing any more."""

    provider: Address
    below: int


@dataclass(frozen=True)
class JobOpened:
    job_id: Digest
    job: Job
    deadline: int
    opened_at: int


@dataclass(frozen=True)
class JobCancelAsked:
    job_id: Digest
    deadline: int


@dataclass(frozen=True)
class JobRefunded:
    job_id: Digest
    requester: Address
    amount: Wei
    reason: RefundReason


@dataclass(frozen=True)
class BatchCommitted:
    batch_id: int
    provider: Address
    set_version: int
    terms_version: int
    entries: tuple[Entry, ...]

    def head(self, block: int, timestamp: int) -> BatchHead:
        """What the batch's digest commits to, given the block of the event and its second."""
        return BatchHead(self.provider, timestamp, block, self.set_version, self.terms_version,
                         entries_hash(self.entries))


@dataclass(frozen=True)
class JobSettled:
    """`paid` includes the fee; `refunded` is the rest of the price, back to the requester."""

    job_id: Digest
    batch_id: int
    paid: Wei
    refunded: Wei


@dataclass(frozen=True)
class BatchMatured:
    batch_id: int
    provider: Address
    outcome: Outcome
    payout: Wei
    fee: Wei


@dataclass(frozen=True)
class BatchFrozen:
    batch_id: int
    provider: Address
    outcome: Outcome
    until: int


@dataclass(frozen=True)
class OpeningsPosted:
    """The batch is pending again; each opening as `protocol.openings` reads it."""

    batch_id: int
    provider: Address
    openings: tuple[bytes, ...]


@dataclass(frozen=True)
class BatchHeld:
    """The court keeps the freeze until then."""

    batch_id: int
    until: int


@dataclass(frozen=True)
class BatchReleased:
    """The freeze was wrong; the batch is paid in the same transaction."""

    batch_id: int
    provider: Address


@dataclass(frozen=True)
class BatchForfeited:
    batch_id: int
    provider: Address


@dataclass(frozen=True)
class BatchSkipped:
    batch_id: int
    reason: SkipReason


@dataclass(frozen=True)
class ProviderConvicted:
    provider: Address
    batch_id: int
    slashed: Wei
    through: int


@dataclass(frozen=True)
class AnswerStored:
    batch_id: int
    index: int


@dataclass(frozen=True)
class AuditFeePaid:
    batch_id: int
    oracle: Address
    amount: Wei


@dataclass(frozen=True)
class SubmitFeePaid:
    batch_id: int
    oracle: Address
    amount: Wei


@dataclass(frozen=True)
class FeesBurned:
    amount: Wei


@dataclass(frozen=True)
class TermsChanged:
    """Of the escrow; read them with `Chain.parameters_at`."""

    version: int


Event: TypeAlias = (
    Deposited | Withdrawn | OffersRevoked | JobOpened | JobCancelAsked | JobRefunded | BatchCommitted | JobSettled
    | BatchMatured | BatchFrozen | OpeningsPosted | BatchHeld | BatchReleased | BatchForfeited | BatchSkipped
    | ProviderConvicted | AnswerStored | AuditFeePaid | SubmitFeePaid | BurnAccrued | FeesBurned | SessionOpened
    | SessionToppedUp | SessionClosing | SessionClosed | VouchersCommitted | VouchersSettled | VoucherRefunded
    | KeyAuthorised | KeyRevoked | TermsChanged | ProviderRegistered | NodeKeyRotated | MetadataChanged | Staked
    | UnstakeStarted | StakeWithdrawn | Slashed | Awarded | Seized | CondemnedBurned | RewardClaimed | CaseOpened
    | CaseRuled | CaseDefaulted | OracleJoined | OracleResigned | OracleUrlChanged | OracleWithdrawn | OracleSlashed
)


@dataclass(frozen=True)
class ChainEvent:
    """An event with its place: `timestamp` is its block's, `log_index` counts within the block."""

    block: int
    block_hash: bytes
    timestamp: int
    tx_hash: bytes
    log_index: int
    event: Event


@dataclass(frozen=True)
class FinalBlock:
    """What the follower applies: a block that K others stand on, with Malla's events in it, possibly none."""

    ref: BlockRef
    events: tuple[ChainEvent, ...]

    @property
    def number(self) -> int:
        return self.ref.number

    @property
    def timestamp(self) -> int:
        return self.ref.timestamp
