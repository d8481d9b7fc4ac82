"""The rows of an oracle's database as frozen dataclasses. Times are unix seconds, amounts wei."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from oracle.records.sessions import CallNote, VoucherNote
from protocol.types import (
    CANARY_ONLY,
    AuditRecord,
    BatchHead,
    BatchState,
    Decision,
    Entry,
    Job,
    JobState,
    Outcome,
    RefundReason,
)
from protocol.units import Address, Digest, Wei


@dataclass(frozen=True)
class JobRow:
    """`model`, `profile` and `audit` are the spec's, None until its blob is here; `closed_tx` moved the money."""

    job_id: Digest
    job: Job
    opened_at: int
    deadline: int
    opened_tx: bytes
    state: JobState
    reason: RefundReason
    batch_id: int | None
    index: int | None
    paid: Wei
    refunded: Wei
    closed_at: int | None
    closed_tx: bytes | None
    model: Digest | None
    profile: Digest | None
    audit: str | None = None


@dataclass(frozen=True)
class BatchRow:
    """`drawn_at` is when this oracle made its draw, by its own clock; a draw without a `seed` draws everything.
    `group_seed` names the opened groups of fingerprints, `audit_bps` is the rate of the draw.

    `decided_tx` carried the quorum's decision, `closed_tx` ended the batch. `opened_at` is the second of the block in
    which openings were posted on-chain, `skipped_at` that of a freeze that found the slash ceiling reached.
    """

    batch_id: int
    provider: Address
    set_version: int
    entries_hash: Digest
    committed_at: int
    committed_block: int
    committed_tx: bytes
    state: BatchState
    outcome: Outcome
    frozen_until: int | None
    decided_tx: bytes | None
    closed_tx: bytes | None
    drawn_at: float | None
    seed: Digest | None
    terms_version: int = 1
    opened_at: int | None = None
    skipped_at: int | None = None
    group_seed: Digest | None = None
    audit_bps: int | None = None

    @property
    def head(self) -> BatchHead:
        """What the chain's digest of the batch commits to."""
        return BatchHead(self.provider, self.committed_at, self.committed_block, self.set_version, self.terms_version,
                         self.entries_hash)

    @property
    def turns_from(self) -> float | None:
        """Since when auditors take turns: from the draw, and once more from openings that were posted on-chain."""
        return None if self.drawn_at is None else max(self.drawn_at, self.opened_at or 0)


@dataclass(frozen=True)
class EntryRow:
    """`drawn` and `auditor` (a seat) are None until the draw, `escalated_at` until a finding speaks against it;
    `has_answer` whether the sealed answer lies here; `audit` is the order's class, None until its spec is here. An
    entry with a `voucher` is never audited itself: its drawn calls are, each a row whose `index` is its unit number."""

    batch_id: int
    index: int
    entry: Entry
    drawn: bool | None = None
    auditor: int | None = None
    escalated_at: float | None = None
    has_report: bool = False
    has_answer: bool = False
    audit: str | None = None
    voucher: VoucherNote | None = None
    call: CallNote | None = None

    @property
    def is_owed(self) -> bool:
        """Whether its provider owes the opening: drawn, and not kept back by the order."""
        return bool(self.drawn) and self.audit != CANARY_ONLY


@dataclass(frozen=True)
class OpeningRow:
    """`source` is "provider", or the peer that sealed it again; `readable` is False after it could not be audited."""

    batch_id: int
    index: int
    auditor: Address
    sealed: bytes
    source: str
    received_at: float
    readable: bool = True


@dataclass(frozen=True)
class OpeningNote:
    """That an opening is here, without its bytes: what decides whose turn it is, read far more often than audited."""

    index: int
    auditor: Address
    received_at: float
    readable: bool
    source: str = "provider"


@dataclass(frozen=True)
class RecordRow:
    record: AuditRecord
    oracle: Address
    evidence: dict[str, Any]
    signature: bytes
    received_at: float
    timely: bool = True
    """Whether its oracle had committed to it before it could have seen another's finding about the leaf."""
    revealed: bool = True
    """False of an own finding that no peer may see yet."""


@dataclass(frozen=True)
class AuditRow:
    """An audit that this oracle owes. `enqueued_at` is when the broker was last told; `attempts` those begun."""

    batch_id: int
    index: int
    enqueued_at: float | None
    attempts: int


@dataclass(frozen=True)
class Delivery:
    """Something that one peer still has to get; `body` is the JSON that is posted to `path`."""

    number: int
    peer: Address
    path: str
    key: str
    body: dict[str, Any]
    attempts: int


@dataclass(frozen=True)
class SettlementRow:
    """A settlement transaction as it stands on-chain."""

    tx_hash: bytes
    gas_used: int
    set_version: int | None = None
    decisions: tuple[Decision, ...] = ()
    signatures: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Conviction:
    provider: Address
    batch_id: int
    slashed: Wei
    through: int
    at: int
    tx_hash: bytes


@dataclass(frozen=True)
class WatchRow:
    """Where the loop is: last block applied, head of the chain, when it said so."""

    block: int
    head: int
    at: float


@dataclass(frozen=True)
class Member:
    """A committee member as the chain has it."""

    address: Address
    url: str
    encryption_key: bytes
    anchor: bytes
    anchor_epoch: int


@dataclass(frozen=True)
class PeerAnswer:
    """What a peer said to a settlement: a signature, or the batches that it cannot sign; neither when it is silent."""

    signature: bytes | None = None
    refused: dict[int, str] = field(default_factory=dict)

    @property
    def silent(self) -> bool:
        return self.signature is None and not self.refused
