"""The bodies of the oracle's REST that are no nouns of the protocol by themselves; read by `protocol.wire`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from oracle.records.confirmations import AuditCommitment
from protocol.errors import BadInput, MallaError, Reason, Refused, SignatureInvalid, TooLarge
from protocol.session_reports import SessionReport
from protocol.types import AuditRecord, Decision, Ruling
from protocol.units import Address


@dataclass(frozen=True)
class OpeningBody:
    """`POST /v1/openings`; `sealed` is the transcript sealed to the auditor."""

    batch_id: int
    index: int
    auditor: Address
    sealed: bytes
    signature: bytes


@dataclass(frozen=True)
class SessionReportBody:
    """`POST /v1/session-reports`; signed by the node key of the commitment's time."""

    report: SessionReport
    signature: bytes


@dataclass(frozen=True)
class CommitmentBody:
    """`POST /v1/peer/commitments`; `sealed` is the transcript sealed again to this oracle, or empty."""

    said: AuditCommitment
    signature: bytes
    sealed: bytes


@dataclass(frozen=True)
class HeldCommitment:
    """Another's commitment that was there before a finding was shown."""

    said: AuditCommitment
    signature: bytes


@dataclass(frozen=True)
class RecordBody:
    """`POST /v1/peer/records`; `salt` opens the commitment that came before."""

    record: AuditRecord
    evidence: dict[str, Any]
    signature: bytes
    salt: bytes
    held: tuple[HeldCommitment, ...]


@dataclass(frozen=True)
class SettlementBody:
    """`POST /v1/peer/settlements`; the signature is the proposer's own over the same list."""

    set_version: int
    decisions: tuple[Decision, ...]
    signature: bytes


@dataclass(frozen=True)
class RulingBody:
    """`POST /v1/peer/rulings`; the signature is the asking oracle's own, `sealed` the disputed transcript sealed again
    to this oracle, or empty."""

    case_id: int
    ruling: Ruling
    signature: bytes
    sealed: bytes


STATUS = {
    Reason.WRONG_SIGNER: 403,
    Reason.NOT_MEMBER: 403,
    Reason.NOT_FOUND: 404,
    Reason.UNKNOWN_MODEL: 404,
    Reason.UNKNOWN_PROFILE: 404,
    Reason.UNKNOWN_PROVIDER: 404,
    Reason.WRONG_JOB: 409,
    Reason.REPLAY: 409,
    Reason.STALE: 409,
    Reason.BUSY: 429,
    Reason.QUOTA: 429,
    Reason.NOT_READY: 503,
}


def status_of(error: MallaError) -> int:
    """The HTTP status of an error: 400 malformed, 403/409/422 refused, 404 unknown, 413, 429, 503 not ready."""
    if isinstance(error, TooLarge):
        return 413
    if isinstance(error, SignatureInvalid):
        return 403
    if isinstance(error, BadInput):
        return 400
    if isinstance(error, Refused):
        return STATUS.get(error.reason, 422)
    return 503
