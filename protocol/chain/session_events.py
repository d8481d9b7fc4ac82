"""The escrow's events about sessions: amounts in wei, times in unix seconds."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.states import RefundReason
from protocol.units import Address, Digest, Wei


@dataclass(frozen=True)
class SessionOpened:
    """`ends_at`: second from which anyone may close it."""

    session_id: Digest
    requester: Address
    provider: Address
    offer_digest: Digest
    key: Address
    largest_call: Wei
    nonce: int
    cap: Wei
    ends_at: int
    opened_at: int


@dataclass(frozen=True)
class SessionToppedUp:
    session_id: Digest
    added: Wei
    cap: Wei


@dataclass(frozen=True)
class SessionClosing:
    session_id: Digest
    claim_until: int


@dataclass(frozen=True)
class SessionClosed:
    session_id: Digest
    committed: Wei
    refunded: Wei


@dataclass(frozen=True)
class Claim:
    """A committed voucher's running totals; its session, and what it adds, stand in its entry."""

    amount: Wei
    units: int
    calls: int


@dataclass(frozen=True)
class VouchersCommitted:
    """A claim for each voucher, in the order of the vouchers among the batch's entries."""

    batch_id: int
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class VouchersSettled:
    """Each voucher of the batch is paid its entry's amount, fee included; `paid` is their sum."""

    batch_id: int
    paid: Wei


@dataclass(frozen=True)
class VoucherRefunded:
    session_id: Digest
    requester: Address
    amount: Wei
    reason: RefundReason


@dataclass(frozen=True)
class KeyAuthorised:
    """The requester's sub-key signs vouchers for sessions of up to `cap` wei until `ends_at`, of `models` or of all."""

    requester: Address
    key: Address
    cap: Wei
    ends_at: int
    models: tuple[Digest, ...]


@dataclass(frozen=True)
class KeyRevoked:
    """Its vouchers can be committed until `ends_at`."""

    requester: Address
    key: Address
    ends_at: int
