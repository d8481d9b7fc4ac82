"""Offers: providers' signed prices, checked before they are shown to anybody."""

from __future__ import annotations

from oracle.flow.device_checks import show_challenges
from oracle.flow.node import Node
from protocol.economics import deters, reserve
from protocol.encoding import to_hex
from protocol.errors import Reason, Refused
from protocol.messages import offer_digest
from protocol.signing import recover
from protocol.types import Offer, SignedOffer
from protocol.units import Digest
from protocol.wire import to_json

NOBODY = "0x0000000000000000000000000000000000000000"


def accept_offer(node: Node, signed: SignedOffer) -> Digest:
    """Keep an offer that could open a job now; returns its digest.

    Raises SignatureInvalid, or Refused with unknown_provider, wrong_signer, offer_expired, offer_revoked,
    unknown_model, unknown_profile, stake_too_low. Of one provider the newest MAX_OFFERS_PER_PROVIDER are kept.
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
    if not _is_covered(node, offer, provider.active):
        raise Refused(Reason.STAKE_TOO_LOW, f"{offer.provider} has {provider.active} wei of active stake, too little "
                      "for a job of one token each way at these prices.", "Stake more, then offer.")
    node.store.put_offer(digest, signed, now, provider.active)
    return digest


def list_offers(node: Node, model: bytes | None, provider: str | None) -> list[dict[str, object]]:
    """Standing offers of this moment, with what a requester chooses by: most active stake first, then newest."""
    rows, changed = [], {}
    for digest, signed, noted in node.store.offers(node.clock(), model, provider):
        stake = node.chain.provider(signed.offer.provider)
        rows.append((digest, signed, stake))
        if float(stake.active) != noted:
            changed[signed.offer.provider] = stake.active
    for owner, active in changed.items():
        node.store.note_stake(owner, active)  # a stake that went elsewhere lists nothing first the next time
    shown = []
    challenges = show_challenges(node, {signed.offer.provider for _, signed, _ in rows})
    for digest, signed, stake in sorted(rows, key=lambda row: -row[2].active):
        record = node.chain.provider_record(signed.offer.provider)
        if record.frozen_batch or not _is_covered(node, signed.offer, stake.active):
            continue
        shown.append({
            "offer": to_json(signed.offer),
            "signature": to_hex(signed.signature),
            "digest": to_hex(digest),
            "encryption_key": to_hex(stake.encryption_key),
            "active_stake": str(stake.active),
            "reserved": str(record.reserved),
            "challenge": challenges[str(signed.offer.provider)],
        })
    return shown


def _is_covered(node: Node, offer: Offer, active: int) -> bool:
    """Whether the stake deters cheating on the offer's smallest job: what costs nothing to make may not be listed."""
    terms, price = node.chain.parameters(), reserve(1, 1, offer.input_price, offer.output_price)
    shares = terms.slash_bps, terms.challenger_bps, terms.detection_bps
    return active > 0 and deters(active, price, *shares)
