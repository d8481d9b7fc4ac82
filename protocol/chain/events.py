"""The events of Malla's contracts as frozen dataclasses, all that there are, and their places: amounts in wei, times in
unix seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from protocol.chain.escrow_events import (
    AnswerStored,
    AuditFeePaid,
    BatchCommitted,
    BatchForfeited,
    BatchFrozen,
    BatchHeld,
    BatchMatured,
    BatchReleased,
    BatchSkipped,
    Deposited,
    FeesBurned,
    JobCancelAsked,
    JobOpened,
    JobRefunded,
    JobSettled,
    OffersRevoked,
    OpeningsPosted,
    ProviderConvicted,
    SubmitFeePaid,
    TermsChanged,
    Withdrawn,
)
from protocol.chain.records import BlockRef
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
