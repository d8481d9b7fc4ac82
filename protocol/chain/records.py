"""What the chain answers: frozen records, named as the structs of `contracts/interfaces`, and what is sent to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from protocol.states import BatchState, CaseKind, JobState, Outcome, RefundReason, Ruling, SessionState
from protocol.units import Address, Bps, Digest, Seconds, Wei


class SkipReason(IntEnum):
    """Why `settle` left a batch alone; the numbers of `IEscrowBatches.SkipReason`."""

    NOT_PENDING = 0
    WRONG_SET = 1
    PROVIDER_FROZEN = 2
    PROVIDER_CONVICTED = 3
    SLASH_CEILING = 4
    OPENED_ON_CHAIN = 5


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
    terms_version: int


@dataclass(frozen=True)
class BatchRecord:
    """`digest` is `protocol.messages.head_digest` of the batch with its lowest byte zero."""

    digest: Digest
    state: BatchState
    outcome: Outcome


@dataclass(frozen=True)
class Freeze:
    """`until`: second from which a frozen batch can be forfeited; `opened_at`: second at which openings were posted
    on-chain, 0 if never; `appealed`: whether the court holds, or held, the freeze."""

    until: int
    opened_at: int
    appealed: bool


@dataclass(frozen=True)
class SessionRecord:
    """`cap` and `committed` (of the last committed voucher) in wei; `ends_at` in unix seconds."""

    state: SessionState
    cap: Wei
    committed: Wei
    ends_at: int
    terms_version: int


@dataclass(frozen=True)
class KeyRecord:
    """A requester's sub-key: `cap` and `used` in wei, `ends_at` in unix seconds, zero if it was never authorised."""

    cap: Wei
    used: Wei
    ends_at: int
    any_model: bool


@dataclass(frozen=True)
class ProviderRecord:
    """What the escrow keeps of a provider; `frozen_batch` 0 when it is not frozen. Offers with a nonce below
    `offers_from` open nothing."""

    reserved: Wei
    convicted_at: int
    convicted_through: int
    frozen_batch: int
    offers_from: int


@dataclass(frozen=True)
class Parameters:
    """`IEscrowTerms.Parameters`: wei, basis points, seconds; `draw_delay` in blocks."""

    open_fee: Wei
    fee_bps: Bps
    slash_bps: Bps
    challenger_bps: Bps
    detection_bps: Bps
    audit_bps: Bps
    draw_delay: int
    start_window: Seconds
    cancel_delay: Seconds
    max_duration: Seconds
    open_window: Seconds
    last_chance: Seconds
    maturity_window: Seconds
    evidence_window: Seconds
    appeal_window: Seconds
    claim_delay: Seconds
    max_session: Seconds
    slash_epoch: Seconds
    audit_fee: Wei
    submit_fee: Wei
    slash_ceiling: Wei


@dataclass(frozen=True)
class CourtTerms:
    """`IDisputeCourt.Terms`: bonds in wei, windows in seconds; `share_multiple` in disputer's bonds."""

    appeal_bond: Wei
    dispute_bond: Wei
    ruling_window: Seconds
    dispute_window: Seconds
    share_multiple: int


@dataclass(frozen=True)
class CourtCase:
    """`IDisputeCourt.Case`: wei, unix seconds; of an appeal `index` is 0. `max_share` bounds a challenger's award."""

    plaintiff: Address
    kind: CaseKind
    ruling: Ruling
    set_version: int
    deadline: int
    index: int
    is_voucher: bool
    is_compensated: bool
    provider: Address
    bond: Wei
    amount: Wei
    max_share: Wei
    batch_id: int


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
