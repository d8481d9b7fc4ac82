"""What a requester keeps of a job on disk, what it reports while the job runs, and what it returns at the end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from protocol.messages import entries_hash
from protocol.types import (
    AUDIT_ONE,
    Answer,
    BatchHead,
    Entry,
    Job,
    JobSpec,
    Outcome,
    RefundReason,
    SignedOffer,
)
from protocol.units import Address, Digest, Wei

FORMAT = 3


class Stage(StrEnum):
    """How far the requester itself has brought a job. From OPEN on these are the chain's states."""

    PREPARED = "PREPARED"
    """Written to disk; nobody else knows of it."""
    SENT = "SENT"
    """f + 1 oracles hold the spec and the sealed prompt."""
    OPEN = "OPEN"
    COMMITTED = "COMMITTED"
    SETTLED = "SETTLED"
    REFUNDED = "REFUNDED"
    ABANDONED = "ABANDONED"
    """Never opened, nothing paid; `note` says why."""


ENDED = frozenset({Stage.SETTLED, Stage.REFUNDED, Stage.ABANDONED})


@dataclass(frozen=True)
class StorageReceipt:
    """An oracle's signature that it holds a blob."""

    blob: Digest
    oracle: Address
    signature: bytes


@dataclass(frozen=True)
class JobFile:
    """Everything that is needed to go on with a job after a crash. Times are unix seconds, zero while unknown.

    `seal_secret` seals the prompt again to the same bytes. The key that opens the answer is not in it: that derives
    from the wallet key and the job's nonce. `open_raw` is the signed transaction, written before it is sent.
    """

    format: int
    job_id: Digest
    label: str
    stage: Stage
    model: str
    job: Job
    spec: JobSpec
    offer: SignedOffer
    node_key: Address
    encryption_key: bytes
    prompt: bytes
    seal_secret: bytes
    duration: int
    created_at: int
    open_fee: Wei
    storage: tuple[StorageReceipt, ...] = ()
    open_tx: bytes = b""
    open_raw: bytes = b""
    opened_block: int = 0
    opened_at: int = 0
    deadline: int = 0
    batch_id: int = 0
    index: int = 0
    set_version: int = 0
    terms_version: int = 0
    committed_at: int = 0
    committed_block: int = 0
    entries: tuple[Entry, ...] = ()
    answer: Answer | None = None
    ended_at: int = 0
    settlement_tx: bytes = b""
    settlement_gas: int = 0
    outcome: Outcome = Outcome.NONE
    reason: RefundReason = RefundReason.NONE
    paid: Wei = Wei(0)
    refunded: Wei = Wei(0)
    verdict: str = ""
    verdict_reason: str = ""
    receipt_path: str = ""
    note: str = ""

    def head(self) -> BatchHead:
        """What the chain's digest of the job's batch commits to; once it is committed."""
        return BatchHead(self.job.provider, self.committed_at, self.committed_block, self.set_version,
                         self.terms_version, entries_hash(self.entries))


@dataclass(frozen=True)
class Progress:
    """One change of a job's state. `detail` is a short sentence for people."""

    job_id: str
    state: str
    reason: str
    at: int
    detail: str


@dataclass(frozen=True)
class JobResult:
    """A job that ended. Amounts are wei, times unix seconds of the chain, zero when the job never came so far.

    `paid` is what left the requester for the work (fee included), `refunded` what returned of the reserve `price`;
    `open_fee` was burned at the opening. `text` is decoded from the committed token ids by the requester itself.
    `receipt_path` is empty when there is no quorum's PASS to show.
    """

    job_id: str
    state: str
    reason: str
    provider: str
    model: str
    prompt_tokens: int
    output_tokens: int
    text: str
    paid: int
    refunded: int
    settlement_tx: str
    settlement_gas: int
    verdict: str
    verdict_reason: str
    receipt_path: str
    opened_at: int
    settled_at: int
    committed_at: int = 0
    price: int = 0
    open_fee: int = 0
    requester: str = ""
    batch_id: int = 0
    finish: str = ""
    note: str = ""
    audit: str = AUDIT_ONE
