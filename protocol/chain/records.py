"""What the chain answers: frozen records, named as the structs of `contracts/interfaces`, and what is sent to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from protocol.types import BatchState, JobState, Outcome, RefundReason
from protocol.units import Address, Bps, Digest, Seconds, Wei


class SkipReason(IntEnum):
    """Why `settle` left a batch alone; the numbers of `IJobEscrow.SkipReason`."""

    NOT_PENDING = 0
    WRONG_SET = 1
    PROVIDER_FROZEN = 2
    PROVIDER_CONVICTED = 3


@dataclass(frozen=True)
class BlockRef:
    """A block by number and hash; `timestamp` in unix seconds."""

    number: int
    hash: bytes
    timestamp: int
    parent_hash: bytes = b""


@dataclass(frozen=True)
class JobRecord:
    """`deadline` and `opened_at` in unix seconds; `batch_id` 0 until the job is committed."""

    state: JobState
    reason: RefundReason
    opened_at: int
    deadline: int
    batch_id: int
    index: int


@dataclass(frozen=True)
class BatchRecord:
    entries_hash: Digest
    provider: Address
    committed_at: int
    committed_block: int
    set_version: int
    state: BatchState
    outcome: Outcome


@dataclass(frozen=True)
class ProviderRecord:
    """What the escrow keeps of a provider; `frozen_batch` 0 when it is not frozen."""

    reserved: Wei
    convicted_at: int
    convicted_through: int
    frozen_batch: int


@dataclass(frozen=True)
class Parameters:
    """`IJobEscrow.Parameters`: wei, basis points, seconds; `draw_delay` in blocks."""

    open_fee: Wei
    fee_bps: Bps
    slash_bps: Bps
    detection_bps: Bps
    audit_bps: Bps
    start_window: Seconds
    cancel_delay: Seconds
    max_duration: Seconds
    open_window: Seconds
    maturity_window: Seconds
    evidence_window: Seconds
    appeal_window: Seconds
    draw_delay: int


@dataclass(frozen=True)
class ProviderStake:
    """`node_key` is the zero address before `register`; `unstaking` counts as no deterrent but can be slashed."""

    active: Wei
    unstaking: Wei
    node_key: Address
    encryption_key: bytes
    metadata_digest: Digest


@dataclass(frozen=True)
class Unstaking:
    amount: Wei
    release_at: int


@dataclass(frozen=True)
class KeyPeriod:
    """From second `since`, inclusive, to `until`, exclusive; `until` 0 while it is the node key of today."""

    provider: Address
    since: int
    until: int


@dataclass(frozen=True)
class OracleSeat:
    """`release_at` is 0 while the oracle is a member; a stake of 0 means that the seat is not taken."""

    stake: Wei
    release_at: int
    anchor_epoch: int
    anchor: Digest
    encryption_key: bytes
    url: str


@dataclass(frozen=True)
class Call:
    """A call that is ready to be signed and sent; nothing happened yet. `what` is a sentence for people."""

    to: Address
    data: bytes
    what: str
    value: int = 0


@dataclass(frozen=True)
class Simulation:
    """`gas` as estimated by the node; `result` the function's decoded return values."""

    gas: int
    result: tuple[Any, ...]


@dataclass(frozen=True)
class TxReceipt:
    """A mined transaction; `events` are the ChainEvents of Malla's contracts in it, in order."""

    tx_hash: bytes
    block: int
    gas_used: int
    succeeded: bool = True
    events: tuple[Any, ...] = field(default=(), repr=False)
