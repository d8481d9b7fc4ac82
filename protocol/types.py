"""The nouns of the protocol, frozen. Each names the stage at which it appears in a job's way.

Offer → JobSpec → Job → Transcript → Commitment/Entry → Report → Opening → AuditRecord → Decision → Receipt.
The states are in `protocol.states`, sessions in `protocol.sessions`, what audits find in `protocol.findings`; all of
them are here as well.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocol.findings import AuditRecord, AuditStatistics, Decision, Verdict
from protocol.sessions import InFlightClaim, Session, Voucher
from protocol.states import (
    BatchState,
    CaseKind,
    JobState,
    Outcome,
    RefundReason,
    Ruling,
    SessionState,
    VerdictKind,
)
from protocol.units import Address, Digest, Seconds, Wei

__all__ = [
    "Answer", "AuditRecord", "AuditStatistics", "BatchHead", "BatchState", "CaseKind", "Commitment",
    "Decision", "Entry", "InFlightClaim", "Job", "JobSpec", "JobState", "Offer", "Outcome", "Prompt", "RefundReason",
    "Report", "Ruling", "Sampler", "Session", "SessionState", "SignedOffer", "SignedReport", "Transcript", "Verdict",
    "VerdictKind", "Voucher",
]


NO_FINGERPRINT = Digest(bytes(32))

AUDIT_OPEN, AUDIT_ONE, CANARY_ONLY = "open", "one", "canary-only"
AUDIT_CLASSES = (AUDIT_OPEN, AUDIT_ONE, CANARY_ONLY)
"""open: every oracle may audit a drawn leaf; one: the auditor that the draw names, others only after it or a failure;
canary-only: none, the transcript stays with the provider, and only canaries speak for it."""


@dataclass(frozen=True)
class Offer:
    """A provider's standing price, signed by its node key. Prices are wei per token."""

    provider: Address
    model: Digest
    profile: Digest
    input_price: Wei
    output_price: Wei
    max_input_tokens: int
    max_output_tokens: int
    min_duration: Seconds
    max_outstanding: Wei
    nonce: int
    expiry: int


@dataclass(frozen=True)
class SignedOffer:
    offer: Offer
    signature: bytes


@dataclass(frozen=True)
class Sampler:
    """How tokens are chosen from logits (`protocol.sampling`): kind "greedy", or "gumbel" with its temperature in
    thousandths, nucleus in basis points and number of candidates. Stop tokens are banned before `min_tokens`."""

    kind: str
    seed: int
    temperature_milli: int = 0
    top_p_bps: int = 10_000
    top_k: int = 64
    min_tokens: int = 0


@dataclass(frozen=True)
class JobSpec:
    """What is to be computed. Its canonical JSON is a public blob under `Job.spec_digest`; it holds no plaintext.

    `prompt_digest` is keccak of the prompt's plaintext bytes (salted inside), `prompt_blob` keccak of the sealed
    bytes; `reply_key` the X25519 public key to which the answer is sealed.
    """

    chain_id: int
    escrow: Address
    requester: Address
    provider: Address
    model: Digest
    profile: Digest
    sampler: Sampler
    input_tokens: int
    max_output_tokens: int
    prompt_digest: Digest
    prompt_blob: Digest
    reply_key: bytes
    nonce: int
    audit: str = AUDIT_ONE
    """Who sees the transcript of a drawn leaf: one of `AUDIT_CLASSES`."""


@dataclass(frozen=True)
class Job:
    """What a job id commits to, in the order of the contract's struct."""

    requester: Address
    provider: Address
    offer_digest: Digest
    spec_digest: Digest
    input_tokens: int
    max_output_tokens: int
    price: Wei
    nonce: int


@dataclass(frozen=True)
class Entry:
    """One committed line of a work batch, in the order of the contract's struct.

    Of a voucher, `job_id` is its session's id, `leaf` the head of its transcripts, and `answer_digest` zero.
    """

    job_id: Digest
    requester: Address
    price: Wei
    amount: Wei
    leaf: Digest
    answer_digest: Digest

    @property
    def is_voucher(self) -> bool:
        return not any(self.answer_digest)

    @property
    def audited_leaf(self) -> Digest | None:
        """What a draw may name; None for a voucher."""
        return None if self.is_voucher else self.leaf


@dataclass(frozen=True)
class Commitment:
    job: Job
    amount: Wei
    leaf: Digest
    answer_digest: Digest


@dataclass(frozen=True)
class BatchHead:
    """What a batch's digest on-chain commits to, in the order of the contract's struct; times are unix seconds."""

    provider: Address
    committed_at: int
    committed_block: int
    set_version: int
    terms_version: int
    entries_hash: Digest


@dataclass(frozen=True)
class Prompt:
    """Plaintext of a prompt: chat messages and a salt that keeps its digest from being guessed."""

    messages: tuple[tuple[str, str], ...]
    """(role, content) pairs."""
    salt: bytes


@dataclass(frozen=True)
class Transcript:
    """What an audit replays. `logprobs` is one float32 per output token, natural log of the chosen token's probability.

    `top_logprobs` is empty or has for each output token its five likeliest tokens, each a uint32 id and a float32
    logprob. `fingerprint_opening` is the group that the draw names, under `fingerprint_root` (`proofs.fingerprint`);
    it is empty until the draw, and both are nothing where the backend has no hidden states to show.

    `vector` is what a vector model answers with (`protocol.vectors`), float32 little-endian, row after row: a call has
    tokens or a vector, never both.

    `salt` hides the leaf, and the secret that seals the answer derives from it. Leaf and spec digest fix every field:
    whoever seals a transcript again can alter nothing, and job, tokens and model give the one answer to deliver.
    """

    spec: JobSpec
    prompt: bytes
    output_token_ids: tuple[int, ...]
    logprobs: bytes
    salt: bytes
    top_logprobs: bytes = b""
    fingerprint_root: Digest = NO_FINGERPRINT
    fingerprint_opening: bytes = b""
    vector: bytes = b""


@dataclass(frozen=True)
class Answer:
    """Plaintext of what the requester receives: enough to recompute the leaf, to seal it again, and to hold every token
    against the model. `logprobs`, `top_logprobs` and `vector` are those of the transcript."""

    job_id: Digest
    text: str
    output_token_ids: tuple[int, ...]
    input_tokens: int
    finish: str
    """"stop" (the last token is a stop token) or "length"."""
    salt: bytes
    logprobs: bytes
    top_logprobs: bytes
    fingerprint_root: Digest
    vector: bytes = b""


@dataclass(frozen=True)
class Report:
    """A provider's signed claim of work, sent to every oracle after the commitment."""

    job_id: Digest
    spec_digest: Digest
    leaf: Digest
    answer_digest: Digest
    input_tokens: int
    output_tokens: int
    amount: Wei
    telemetry_digest: Digest
    finished_at: int


@dataclass(frozen=True)
class SignedReport:
    report: Report
    signature: bytes
    telemetry: dict[str, object]
    """What the node says of its device: claims, on which nothing is paid. `{"gpu": null, "note": …}` without one."""
