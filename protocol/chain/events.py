"""The events of Malla's contracts as frozen dataclasses: amounts in wei, times in unix seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from protocol.chain.records import BlockRef, SkipReason
from protocol.types import Entry, Job, Outcome, RefundReason
from protocol.units import Address, Digest, Wei


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
class OfferRevoked:
    provider: Address
    nonce: int


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
    entries: tuple[Entry, ...]


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
    until: int


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
class FeesBurned:
    amount: Wei


@dataclass(frozen=True)
class ProviderRegistered:
    provider: Address
    node_key: Address
    encryption_key: bytes
    metadata_digest: Digest


@dataclass(frozen=True)
class NodeKeyRotated:
    provider: Address
    node_key: Address
    encryption_key: bytes


@dataclass(frozen=True)
class MetadataChanged:
    provider: Address
    metadata_digest: Digest


@dataclass(frozen=True)
class Staked:
    provider: Address
    amount: Wei
    active: Wei


@dataclass(frozen=True)
class UnstakeStarted:
    provider: Address
    amount: Wei
    release_at: int
    active: Wei


@dataclass(frozen=True)
class StakeWithdrawn:
    """The event `Withdrawn` of `Staking`."""

    provider: Address
    amount: Wei


@dataclass(frozen=True)
class Slashed:
    provider: Address
    from_active: Wei
    from_unstaking: Wei
    bps: int


@dataclass(frozen=True)
class OracleJoined:
    oracle: Address
    set_version: int
    url: str
    encryption_key: bytes
    anchor: Digest
    anchor_epoch: int


@dataclass(frozen=True)
class OracleResigned:
    oracle: Address
    set_version: int
    release_at: int


@dataclass(frozen=True)
class OracleUrlChanged:
    oracle: Address
    url: str


@dataclass(frozen=True)
class OracleWithdrawn:
    oracle: Address
    amount: Wei


Event: TypeAlias = (
    Deposited | Withdrawn | OfferRevoked | JobOpened | JobCancelAsked | JobRefunded | BatchCommitted | JobSettled
    | BatchMatured | BatchFrozen | BatchForfeited | BatchSkipped | ProviderConvicted | AnswerStored | FeesBurned
    | ProviderRegistered | NodeKeyRotated | MetadataChanged | Staked | UnstakeStarted | StakeWithdrawn | Slashed
    | OracleJoined | OracleResigned | OracleUrlChanged | OracleWithdrawn
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
