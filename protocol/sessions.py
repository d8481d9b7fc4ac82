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
    """The requester's signed running total of a session; `signature` has 65 bytes and travels to the chain in 64.

    `amount` is the most that may be claimed. `in_flight` names the calls for which it pays beyond `calls`
    (`protocol.calls.in_flight_digest`, zero if there are none); a voucher that names some is committed with an
    `InFlightClaim` only.
    """

    session: Session
    amount: Wei
    units: int
    calls: int
    head: Digest
    in_flight: Digest
    signature: bytes


@dataclass(frozen=True)
class InFlightClaim:
    """What a provider claims of a voucher that names calls in flight, in the order of the contract's struct.

    `voucher` is its place among the batch's vouchers, counted from 0; `amount` the cumulative wei that are claimed, at
    most the voucher's; `units` the tokens of the linked calls; `links` one `protocol.calls.link` for each ended call
    beyond the voucher's, in the order of their numbers.
    """

    voucher: int
    amount: Wei
    units: int
    links: tuple[Digest, ...]
