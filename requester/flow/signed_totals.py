"""The voucher's signature: what a meter says, for this chain and escrow."""

from __future__ import annotations

from protocol.calls import Totals, in_flight_digest
from protocol.envelope import SignedTotals
from protocol.messages import Domain, voucher_digest
from protocol.signing import Signer
from protocol.types import Session, Voucher
from protocol.units import Digest


def sign_totals(totals: Totals, in_flight: tuple[Digest, ...], session_id: bytes, session: Session, domain: Domain,
                signer: Signer) -> SignedTotals:
    """The voucher that both sides know the session of; `in_flight` as `Meter.named` has them."""
    said = Voucher(session, totals.amount, totals.units, totals.calls, totals.head, in_flight_digest(in_flight), b"")
    signature = signer.sign(voucher_digest(domain, session_id, said))
    return SignedTotals(Digest(session_id), totals.amount, totals.units, totals.calls, totals.head, in_flight,
                        signature)
