"""What a provider keeps of sessions, their calls and their vouchers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from protocol.calls import CallLine, Totals
from protocol.encoding import keccak
from protocol.errors import MallaError
from protocol.types import Offer, Session, SessionState
from protocol.units import Digest, Wei

LEASE_SECONDS = 30.0
"""A call in flight of which nothing was heard for so long is lost."""
MAX_UNCLAIMED = 2_048
"""Ended calls of a session that may wait for a commitment: their report has to fit the body that oracles take."""


class CallStage(StrEnum):
    """How far the node is with a call."""

    WAITING = "WAITING"
    """Its voucher is kept; the worker has not begun it."""
    RUNNING = "RUNNING"
    ENDED = "ENDED"
    """It has its number and is owed."""
    FAILED = "FAILED"
    """It gave nothing that is owed: no output, or lost with its process."""


@dataclass(frozen=True)
class OpenCall:
    """A call in flight: output tokens made so far, and how many it may make with what is covered."""

    nonce: int
    produced: int
    granted: int


@dataclass(frozen=True)
class SessionTotals:
    """Where a session stands. `owed` are the totals after all ended calls, `accepted` those of the last voucher taken
    (nothing and the session's id before the first one), `held` wei that the calls in flight may consume."""

    session_id: Digest
    state: SessionState
    cap: Wei
    ends_at: int
    owed: Totals
    accepted: Totals
    held: Wei
    open_calls: tuple[OpenCall, ...] = ()


@dataclass(frozen=True)
class SessionFacts:
    """What never changes in a session."""

    session_id: Digest
    session: Session
    offer: Offer


@dataclass(frozen=True)
class CallRow:
    """One call. `spec` and `prompt` are plaintext bytes, `key` is that of the reply's parts."""

    call_id: Digest
    session_id: Digest
    nonce: int
    kind: str
    stage: CallStage
    spec: bytes
    prompt: bytes
    key: bytes
    input_tokens: int
    max_output_tokens: int
    granted: int
    produced: int
    cancel_asked: bool
    admitted_at: float
    reason: str = ""
    number: int | None = None


@dataclass(frozen=True)
class CallWork:
    """What the worker leaves of a call with output. `finish` is "stop", "length" or "cancelled", times are seconds;
    `vector` has the float32 numbers of a workload whose output is no text, `fingerprints` as `records.Work` has them.
    """

    transcript: bytes
    leaf: Digest
    salt: bytes
    fingerprint_root: Digest
    input_tokens: int
    output_tokens: int
    finish: str
    telemetry: dict[str, object]
    finished_at: int
    duration: float
    time_to_first_token: float
    fingerprints: bytes = b""
    vector: bytes = b""


@dataclass(frozen=True)
class EndedCall:
    """An ended call: what the last part of its reply says. `totals` are the session's after it."""

    call_id: Digest
    session_id: Digest
    number: int
    key: bytes
    kind: str
    line: CallLine
    salt: bytes
    fingerprint_root: Digest
    finish: str
    duration: float
    time_to_first_token: float
    totals: Totals
    vector: bytes = b""
    transcript: bytes = b""

    @property
    def tokens_per_second(self) -> float:
        return self.line.output_tokens / self.duration if self.duration > 0 else 0.0


@dataclass(frozen=True)
class CallUnit:
    """A call as an opening needs it: transcript and rows of fingerprints as the worker left them."""

    spec: bytes
    transcript: bytes
    fingerprints: bytes
    output_tokens: int


class CallRefused(MallaError):
    """A call or voucher that is not taken: HTTP status, a stable word, and the totals that the requester must match."""

    def __init__(self, status: int, code: str, message: str, fix: str = "", totals: SessionTotals | None = None,
                 retry_after: int | None = None) -> None:
        super().__init__(message, fix)
        self.status, self.totals, self.retry_after = status, totals, retry_after
        self._code = code

    @property
    def code(self) -> str:  # type: ignore[override]
        return self._code


def unknown_session(session_id: bytes) -> CallRefused:
    return CallRefused(404, "session_unknown", f"The session 0x{session_id.hex()} is not open here yet.",
                       "Try again in a second: its opening has to be final on-chain.", retry_after=1)


def call_id(session_id: bytes, nonce: int) -> Digest:
    """keccak(session id ‖ nonce as uint64): a requester's nonce names a call once."""
    return keccak(session_id + nonce.to_bytes(8, "big"))
