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
class VoucherCommitted:
    """`added` is what it adds to the last one committed."""

    session_id: Digest
    batch_id: int
    amount: Wei
    units: int
    calls: int
    added: Wei


@dataclass(frozen=True)
class VoucherSettled:
    session_id: Digest
    batch_id: int
    paid: Wei


@dataclass(frozen=True)
class VoucherRefunded:
    session_id: Digest
    requester: Address
    amount: Wei
    reason: RefundReason
