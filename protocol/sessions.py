"""Sessions and the vouchers that meter them, in the order of the contract's structs."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.units import Address, Digest, Wei


@dataclass(frozen=True)
class Session:
    """What a session id commits to. `key` is zero if the requester signs alone."""

    requester: Address
    provider: Address
    offer_digest: Digest
    key: Address
    largest_call: Wei
    opened_at: int
    nonce: int


@dataclass(frozen=True)
class Voucher:
    """The requester's signed running total of a session; `signature` has 65 bytes and travels to the chain in 64."""

    session: Session
    amount: Wei
    units: int
    calls: int
    head: Digest
    signature: bytes
