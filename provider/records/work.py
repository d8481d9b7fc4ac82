"""The rows that a provider's journal keeps, and what its flows pass to each other."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from protocol.messages import entries_hash
from protocol.types import BatchHead, BatchState, Entry, Job, Outcome
from protocol.units import Address, Digest, Wei


class Stage(StrEnum):
    """How far the node is with a job. The chain's own states are `protocol.types.JobState`."""

    SEEN = "SEEN"
    ACCEPTED = "ACCEPTED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    COMMITTING = "COMMITTING"
    COMMITTED = "COMMITTED"
    DECLINING = "DECLINING"
    DROPPED = "DROPPED"
    """Left to expire: it could not be done and not be declined any more. The requester gets its money back."""
    SETTLED = "SETTLED"
    REFUNDED = "REFUNDED"


@dataclass(frozen=True)
class Work:
    """What the worker leaves in the journal. `transcript` and `answer` are the bytes that are opened and delivered."""

    transcript: bytes
    answer: bytes
    leaf: Digest
    input_tokens: int
    output_tokens: int
    amount: Wei
    telemetry: dict[str, object]
    finished_at: int
    duration: float
    fingerprints: bytes = b""
    """Rows of all output tokens (`protocol.proofs.fingerprint`), of which a draw opens one group."""


@dataclass(frozen=True)
class JournalJob:
    """One job of ours. `spec` and `prompt` are plaintext bytes, there once it is accepted; times are unix seconds."""

    job_id: Digest
    job: Job
    opened_at: int
    deadline: int
    stage: Stage
    reason: str = ""
    spec: bytes | None = None
    prompt: bytes | None = None
    input_tokens: int = 0
    attempts: int = 0
    commit_key: str | None = None
    batch_id: int | None = None
    index: int | None = None
    work: Work | None = None
    done_at: float = 0.0


@dataclass(frozen=True)
class JournalBatch:
    """A final work batch of ours, as the chain has it."""

    batch_id: int
    entries: tuple[Entry, ...]
    set_version: int
    committed_block: int
    committed_at: int
    state: BatchState
    terms_version: int = 1
    outcome: Outcome = Outcome.NONE
    opened_at: int = 0
    """Second at which openings were posted on-chain; 0 if never."""

    def head(self, owner: Address) -> BatchHead:
        """What the chain's digest of the batch commits to."""
        return BatchHead(owner, self.committed_at, self.committed_block, self.set_version, self.terms_version,
                         entries_hash(self.entries))


class DeliveryKind(StrEnum):
    BLOB = "blob"
    REPORT = "report"
    OPENING = "opening"
    OFFER = "offer"
    SESSION_REPORT = "session"


@dataclass(frozen=True)
class Delivery:
    """One thing that one oracle still has to get. `subject` is unique within kind and oracle."""

    kind: DeliveryKind
    subject: str
    oracle: Address
    body: bytes
    batch_id: int | None = None
    attempts: int = 0


@dataclass(frozen=True)
class StoredReceipt:
    oracle: Address
    signature: bytes


@dataclass(frozen=True)
class Oracle:
    """A committee member as the chain has it."""

    address: Address
    url: str
    encryption_key: bytes
    anchor: bytes
    anchor_epoch: int


@dataclass(frozen=True)
class Terms:
    """The escrow's parameters that a provider acts on, seconds, basis points, blocks."""

    start_window: int
    open_window: int
    maturity_window: int
    evidence_window: int
    audit_bps: int
    draw_delay: int
    fee_bps: int


@dataclass(frozen=True)
class Head:
    """A block of the chain."""

    number: int
    timestamp: int
    hash: bytes = b""


@dataclass(frozen=True)
class Wanted:
    """An opening that an oracle asks for; `group_seed` names the group of fingerprints, by that oracle's own draw."""

    batch_id: int
    index: int
    group_seed: bytes | None = None


@dataclass(frozen=True)
class Tx:
    """What became of a transaction: status PENDING, MINED, FINAL or REVERTED."""

    status: str
    tx_hash: str = ""
    error: str = ""


@dataclass(frozen=True)
class Produced:
    """Tokens that a running model just gave: ids, float32 LE logprobs, and top logprobs as `Completion` has them."""

    ids: tuple[int, ...]
    logprobs: bytes
    top_logprobs: bytes = b""


@dataclass(frozen=True)
class Completion:
    """What a model run gives: token ids, float32 LE logprobs, text, finish 'stop' or 'length', of a call also
    'cancelled'; top logprobs as `protocol.claim.pack_top` has them and fingerprints, both empty where the backend has
    none."""

    input_tokens: int
    output_token_ids: tuple[int, ...]
    logprobs: bytes
    text: str
    finish: str
    top_logprobs: bytes = b""
    fingerprints: bytes = b""
    vector: bytes = b""
    """Of a vector model, which gives no tokens: the float32 numbers of `protocol.vectors`."""


@dataclass(frozen=True)
class Lease:
    """Who runs a job, until when."""

    holder: str
    until: float


@dataclass(frozen=True)
class Left:
    """Calls that a requester left before their first token, less those that ended with output; `at` is the unix second
    of the last change."""

    calls: int = 0
    at: float = 0.0
