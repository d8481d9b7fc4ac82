"""Offers: providers' signed prices, checked before they are shown to anybody."""

from __future__ import annotations

from oracle.flow.node import Node
from protocol.encoding import to_hex
from protocol.errors import Reason, Refused
from protocol.limits import MAX_OFFERS_PER_PROVIDER
from protocol.messages import offer_digest
from protocol.signing import recover
from protocol.types import SignedOffer
from protocol.units import Digest
from protocol.wire import to_json

NOBODY = "0x0000000000000000000000000000000000000000"


def accept_offer(node: Node, signed: SignedOffer) -> Digest:
    """Keep an offer that could open a job now; returns its digest.

    Raises SignatureInvalid, or Refused with unknown_provider, wrong_signer, offer_expired, offer_revoked,
    unknown_model, unknown_profile, quota.
    """
    offer, now = signed.offer, node.clock()
    digest = offer_digest(node.domain, offer)
    if offer.expiry <= now:
        raise Refused(Reason.OFFER_EXPIRED, f"The offer expired at {offer.expiry}, it is {int(now)} now.",
                      "Sign one with a later expiry.")
    provider = node.chain.provider(offer.provider)
    if provider.node_key == NOBODY:
        raise Refused(Reason.UNKNOWN_PROVIDER, f"{offer.provider} is not registered.", "Run: malla provider register")
    signer = recover(digest, signed.signature)
    if signer != provider.node_key:
        raise Refused(Reason.WRONG_SIGNER, f"The offer is signed by {signer}, not by the node key {provider.node_key}.",
                      "Sign it with the present node key, for this chain and escrow.")
    if node.chain.is_offer_revoked(offer.provider, offer.nonce):
        raise Refused(Reason.OFFER_REVOKED, f"The offer with nonce {offer.nonce} was revoked.", "Use another nonce.")
    node.catalogue.require(offer.model, offer.profile)
    standing = node.store.offers(now, None, offer.provider)
    if len(standing) >= MAX_OFFERS_PER_PROVIDER and all(digest != known for known, _ in standing):
        raise Refused(Reason.QUOTA, f"{offer.provider} has {len(standing)} standing offers already.",
                      "Let some expire, or revoke them.")
    node.store.put_offer(digest, signed, now)
    return digest


def list_offers(node: Node, model: bytes | None, provider: str | None) -> list[dict[str, object]]:
    """Standing offers of this moment, newest first, with what a requester chooses by."""
    shown = []
    for digest, signed in node.store.offers(node.clock(), model, provider):
        stake = node.chain.provider(signed.offer.provider)
        record = node.chain.provider_record(signed.offer.provider)
        if record.frozen_batch:
            continue
        shown.append({
            "offer": to_json(signed.offer),
            "signature": to_hex(signed.signature),
            "digest": to_hex(digest),
            "encryption_key": to_hex(stake.encryption_key),
            "active_stake": str(stake.active),
            "reserved": str(record.reserved),
        })
    return shown
