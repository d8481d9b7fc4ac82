"""The events of Malla's contracts as frozen dataclasses: amounts in wei, times in unix seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from protocol.chain.records import BlockRef, CaseKind, Ruling, SkipReason
from protocol.messages import entries_hash
from protocol.types import BatchHead, Entry, Job, Outcome, RefundReason
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
class SessionOpened:
    """`ends_at`: second from which anyone may close it."""

    session_id: Digest
    requester: Address
    provider: Address
    offer_digest: Digest
    key: Address
    largest_call: Wei
    nonce: int
    cap: Wei
    ends_at: int
    opened_at: int


@dataclass(frozen=True)
class SessionToppedUp:
    session_id: Digest
    added: Wei
    cap: Wei


@dataclass(frozen=True)
class SessionClosing:
    session_id: Digest
    claim_until: int


@dataclass(frozen=True)
class SessionClosed:
    session_id: Digest
    committed: Wei
    refunded: Wei


@dataclass(frozen=True)
class VoucherCommitted:
    """`added` is what it adds to the last one committed."""

    session_id: Digest
    batch_id: int
    amount: Wei
    units: int
    calls: int
    added: Wei


@dataclass(frozen=True)
class VoucherSettled:
    session_id: Digest
    batch_id: int
    paid: Wei


@dataclass(frozen=True)
class VoucherRefunded:
    session_id: Digest
    requester: Address
    amount: Wei
    reason: RefundReason


@dataclass(frozen=True)
class TermsChanged:
    """Of the escrow; read them with `Chain.parameters_at`."""

    version: int


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
    from_delegation: Wei
    bps: int


@dataclass(frozen=True)
class Awarded:
    """What a slash or a seizure gives to an account, until it claims it."""

    account: Address
    provider: Address
    amount: Wei


@dataclass(frozen=True)
class Seized:
    """Stake that the court took for `beneficiary`."""

    provider: Address
    beneficiary: Address
    amount: Wei


@dataclass(frozen=True)
class CondemnedBurned:
    amount: Wei


@dataclass(frozen=True)
class RewardClaimed:
    provider: Address
    to_owner: Wei
    to_delegators: Wei


@dataclass(frozen=True)
class CaseOpened:
    case_id: int
    kind: CaseKind
    batch_id: int
    index: int
    plaintiff: Address
    provider: Address
    bond: Wei
    set_version: int
    deadline: int


@dataclass(frozen=True)
class CaseRuled:
    case_id: int
    ruling: Ruling


@dataclass(frozen=True)
class CaseDefaulted:
    case_id: int


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


@dataclass(frozen=True)
class OracleSlashed:
    """`burned` of its stake is gone; `share` went to the reporter."""

    oracle: Address
    reporter: Address
    batch_id: int
    burned: Wei
    share: Wei


Event: TypeAlias = (
    Deposited | Withdrawn | OffersRevoked | JobOpened | JobCancelAsked | JobRefunded | BatchCommitted | JobSettled
    | BatchMatured | BatchFrozen | OpeningsPosted | BatchHeld | BatchReleased | BatchForfeited | BatchSkipped
    | ProviderConvicted | AnswerStored | AuditFeePaid | SubmitFeePaid | FeesBurned | SessionOpened | SessionToppedUp
    | SessionClosing | SessionClosed | VoucherCommitted | VoucherSettled | VoucherRefunded | TermsChanged
    | ProviderRegistered | NodeKeyRotated | MetadataChanged | Staked | UnstakeStarted | StakeWithdrawn | Slashed
    | Awarded | Seized | CondemnedBurned | RewardClaimed | CaseOpened | CaseRuled | CaseDefaulted
    | OracleJoined | OracleResigned | OracleUrlChanged | OracleWithdrawn | OracleSlashed
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
