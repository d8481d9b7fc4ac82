"""The escrow's events about balances, jobs and work batches: amounts in wei, times in unix seconds."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.chain.records import SkipReason
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
class TermsChanged:
    """Of the escrow; read them with `Chain.parameters_at`."""

    version: int
