"""The nouns of the protocol, frozen. Each names the stage at which it appears in a job's way.

Offer → JobSpec → Job → Transcript → Commitment/Entry → Report → Opening → AuditRecord → Decision → Receipt.
What is asked is in `protocol.orders`, what was done in `protocol.work`, sessions in `protocol.sessions`, what audits
find in `protocol.findings`, the states in `protocol.states`; all of them are here as well, beside what is said: prompt,
transcript, answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocol.findings import AuditRecord, AuditStatistics, Decision, Verdict
from protocol.orders import (
    AUDIT_CLASSES,
    AUDIT_ONE,
    AUDIT_OPEN,
    CANARY_ONLY,
    Job,
    JobSpec,
    Offer,
    Sampler,
    SignedOffer,
)
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
from protocol.units import Digest
from protocol.work import BatchHead, Commitment, Entry, Report, SignedReport

__all__ = [
    "AUDIT_CLASSES", "AUDIT_ONE", "AUDIT_OPEN", "CANARY_ONLY", "NO_FINGERPRINT", "Answer", "AuditRecord",
    "AuditStatistics", "BatchHead", "BatchState", "CaseKind", "Commitment", "Decision", "Entry", "InFlightClaim",
    "Job", "JobSpec", "JobState", "Offer", "Outcome", "Prompt", "RefundReason", "Report", "Ruling", "Sampler",
    "Session", "SessionState", "SignedOffer", "SignedReport", "Transcript", "Verdict", "VerdictKind", "Voucher",
]

NO_FINGERPRINT = Digest(bytes(32))


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
