"""The rows of findings that are committed to before they are shown, and of what speaks against auditors."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.units import Address, Digest


@dataclass(frozen=True)
class AuditCommitment:
    """What an oracle signs before it shows a finding; `commitment` is `protocol.messages.audit_commitment`."""

    batch_id: int
    index: int
    leaf: Digest
    escalates: bool
    commitment: Digest


@dataclass(frozen=True)
class CommitmentRow:
    """An oracle's word that it has a finding, without saying which. `salt` opens an own one; `revealed_at` is when this
    oracle showed what is behind it."""

    batch_id: int
    index: int
    leaf: Digest
    oracle: Address
    commitment: Digest
    escalates: bool
    signature: bytes
    received_at: float
    salt: bytes | None = None
    revealed_at: float | None = None


@dataclass(frozen=True)
class AuditorFault:
    """What speaks against an auditor's diligence at one leaf: "missed", "off_spread" or "copied"."""

    oracle: Address
    epoch: int
    batch_id: int
    index: int
    kind: str
