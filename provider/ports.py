"""What a provider's flows ask of the world, and the rows that its journal keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from protocol.messages import Domain
from protocol.types import BatchState, Commitment, Entry, Job, JobState, SignedOffer, SignedReport
from protocol.units import Address, Digest, Wei

Clock = Callable[[], float]
"""Unix seconds."""


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


class DeliveryKind(StrEnum):
    BLOB = "blob"
    REPORT = "report"
    OPENING = "opening"
    OFFER = "offer"


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
    """An opening that an oracle asks for."""

    batch_id: int
    index: int


@dataclass(frozen=True)
class Tx:
    """What became of a transaction: status PENDING, MINED, FINAL or REVERTED."""

    status: str
    tx_hash: str = ""
    error: str = ""


@dataclass(frozen=True)
class Completion:
    """What a model run gives: token ids, float32 LE logprobs, text, finish 'stop' or 'length'."""

    input_tokens: int
    output_token_ids: tuple[int, ...]
    logprobs: bytes
    text: str
    finish: str


@dataclass(frozen=True)
class Served:
    """What this provider computes: digests of the manifest and of the calibration profile."""

    model: Digest
    profile: Digest
    name: str


@dataclass(frozen=True)
class Speed:
    """How many output tokens a second this node has measured; None before its first job."""

    tokens_per_second: float | None = None


@dataclass(frozen=True)
class Earnings:
    """Wei. `payout` is what reached the free balance; `pending` is claimed in batches that are not matured yet."""

    payout: Wei
    fee: Wei
    pending: Wei
    slashed: Wei
    batches: int
    jobs_paid: int
    deliveries_waiting: int

    def as_json(self) -> dict[str, object]:
        return {"payout_wei": str(self.payout), "fee_wei": str(self.fee), "pending_wei": str(self.pending),
                "slashed_wei": str(self.slashed), "batches": self.batches, "jobs_paid": self.jobs_paid}


@dataclass(frozen=True)
class Lease:
    """Who runs a job, until when."""

    holder: str
    until: float


class Journal(Protocol):
    """The node's truth. Each method is one transaction; a method that returns bool says whether it changed a row."""

    def jobs(self, *stages: Stage, limit: int = 256) -> list[JournalJob]: ...
    def job(self, job_id: bytes) -> JournalJob | None: ...
    def accept(self, job_id: bytes, spec: bytes, prompt: bytes, input_tokens: int, now: float) -> bool: ...
    def start_decline(self, job_id: bytes, reason: str) -> bool: ...
    def drop(self, job_id: bytes, reason: str) -> bool: ...
    def to_enqueue(self, now: float, patience: float) -> list[Digest]: ...
    def mark_enqueued(self, job_id: bytes, now: float) -> None: ...
    def claim(self, job_id: bytes, lease: Lease, now: float) -> JournalJob | None: ...
    def renew(self, job_id: bytes, lease: Lease, tokens: int) -> bool: ...
    def release(self, job_id: bytes, holder: str) -> None: ...
    def finish(self, job_id: bytes, holder: str, work: Work, now: float) -> bool: ...
    def begin_commit(self, job_ids: Sequence[bytes], key: str) -> bool: ...
    def committing(self) -> dict[str, list[JournalJob]]: ...
    def retry_commit(self, key: str, alone: bool) -> None: ...
    def commits_alone(self, job_id: bytes) -> bool: ...
    def batches(self, *states: BatchState) -> list[JournalBatch]: ...
    def batch(self, batch_id: int) -> JournalBatch | None: ...
    def undelivered_jobs(self, limit: int = 64) -> list[JournalJob]: ...
    def queue_deliveries(self, deliveries: Sequence[Delivery], delivered_job: bytes | None = None) -> None: ...
    def due_deliveries(self, now: float, limit: int = 64) -> list[Delivery]: ...
    def delivered(self, delivery: Delivery, now: float, receipt: bytes | None = None) -> None: ...
    def defer(self, delivery: Delivery, until: float, error: str) -> None: ...
    def defer_oracle(self, oracle: str, until: float, error: str) -> None: ...
    def has_delivery(self, kind: DeliveryKind, subject: str) -> bool: ...
    def repeat_delivery(self, kind: DeliveryKind, subject: str, oracle: str, before: float) -> bool: ...
    def receipts(self, blob: bytes) -> list[StoredReceipt]: ...
    def reveal(self, oracle: str, epoch: int) -> bytes | None: ...
    def keep_reveal(self, oracle: str, epoch: int, reveal: bytes) -> None: ...
    def offers(self, active_only: bool = False) -> list[SignedOffer]: ...
    def keep_offer(self, digest: bytes, offer: SignedOffer, active: bool) -> None: ...
    def offer(self, digest: bytes) -> SignedOffer | None: ...
    def beat(self, role: str, now: float, detail: dict[str, Any]) -> None: ...
    def beats(self) -> dict[str, tuple[float, dict[str, Any]]]: ...
    def speed(self) -> Speed: ...
    def waiting_tokens(self) -> int: ...
    def stages(self) -> dict[str, int]: ...
    def earnings(self) -> Earnings: ...
    def list_jobs(self, limit: int, stage: str | None = None) -> list[dict[str, object]]: ...
    def holders(self) -> list[str]: ...
    def release_lost(self, holders: Sequence[str]) -> None: ...


class Chain(Protocol):
    """Reads of the chain, in the words of the flows."""

    domain: Domain

    def head(self) -> Head: ...
    def terms(self) -> Terms: ...
    def job_state(self, job_id: bytes) -> JobState: ...
    def oracles(self, set_version: int | None = None) -> tuple[Oracle, ...]: ...
    def block(self, number: int) -> Head | None: ...
    def epoch_blocks(self) -> int: ...
    def stored_bitmap(self, batch_id: int) -> int: ...
    def batch_state(self, batch_id: int) -> BatchState: ...


class Sender(Protocol):
    """Transactions of the node key, each sent once; ChainRefused when one would revert."""

    def decline(self, key: str, job: Job) -> None: ...
    def commit(self, key: str, commitments: Sequence[Commitment]) -> None: ...
    def record_stored(self, key: str, batch: JournalBatch, indexes: Sequence[int],
                      signatures: Sequence[Sequence[bytes]]) -> None: ...
    def mature_by_default(self, key: str, batch: JournalBatch) -> None: ...
    def refuse_commit(self, commitments: Sequence[Commitment]) -> str | None:
        """Why the chain would refuse this batch now; nothing is sent."""
        ...

    def outcome(self, key: str) -> Tx | None: ...
    def pump(self) -> None: ...


class OracleClient(Protocol):
    """One oracle's REST. Raises Unavailable when it does not answer, Refused when it says no."""

    def put_blob(self, oracle: Oracle, body: bytes) -> bytes: ...
    def get_blob(self, oracle: Oracle, digest: bytes) -> bytes | None: ...
    def put_offer(self, oracle: Oracle, offer: SignedOffer) -> None: ...
    def post_report(self, oracle: Oracle, report: SignedReport) -> None: ...
    def post_opening(self, oracle: Oracle, body: bytes) -> None: ...
    def wanted(self, oracle: Oracle, provider: str) -> list[Wanted]: ...
    def reveal(self, oracle: Oracle, epoch: int) -> bytes | None: ...


class Broker(Protocol):
    def enqueue(self, job_id: bytes) -> None: ...


class Keys(Protocol):
    """The node key: signs, and opens what was sealed to it."""

    address: Address

    def sign(self, digest: bytes) -> bytes: ...
    def unseal(self, sealed: bytes) -> bytes: ...


class Counter(Protocol):
    """Tokenizer and template of the served model."""

    def count(self, messages: Sequence[tuple[str, str]], max_output_tokens: int) -> int:
        """Prompt tokens. Raises Refused or BadInput when the model cannot be asked this."""
        ...


class Backend(Protocol):
    """Runs the model. `on_token` gets the count so far; `cancelled` is asked before each token."""

    def run(self, messages: Sequence[tuple[str, str]], max_output_tokens: int, on_token: Callable[[int], None],
            cancelled: Callable[[], bool]) -> Completion: ...


class Sampling(Protocol):
    def stop(self) -> dict[str, object]: ...


class Gpu(Protocol):
    """Samples the device while a job runs; `stop` gives the telemetry of the report."""

    def start(self) -> Sampling: ...


@dataclass(frozen=True)
class Log:
    """Structured events: `log("job_accepted", job_id=…)`."""

    write: Callable[..., None] = field(default=lambda event, **fields: None)

    def __call__(self, event: str, **fields: object) -> None:
        self.write(event, **fields)
