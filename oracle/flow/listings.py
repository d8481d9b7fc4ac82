"""Listings: where providers answer sessions, as they signed it."""

from __future__ import annotations

from typing import Any

from oracle.flow.node import Node
from oracle.flow.offers import NOBODY
from protocol.encoding import to_hex
from protocol.errors import Malformed, MallaError, Reason, Refused
from protocol.listing import SignedListing, check_listing, listing_digest
from protocol.signing import recover
from protocol.wire import to_json

CLOCK_SKEW = 300
"""Seconds by which a provider's clock may be ahead of ours: a listing from the future would outlast all later ones."""
LONGEST = 31 * 86_400
"""Seconds for which a listing stands at most: an address that nobody renews is gone."""


def accept_listing(node: Node, signed: SignedListing) -> None:
    """Keep the listing of a registered provider if it is the newest one; the same one again changes nothing.

    Raises Malformed, SignatureInvalid, or Refused with offer_expired, unknown_provider, wrong_signer, stale, replay.
    """
    said, now = signed.listing, node.clock()
    check_listing(said)
    if said.listed_at > now + CLOCK_SKEW or not said.listed_at < said.expiry <= said.listed_at + LONGEST:
        raise Malformed(f"A listing begins now and ends within {LONGEST} seconds; this one says {said.listed_at} to "
                        f"{said.expiry}, it is {int(now)}.")
    if said.expiry <= now:
        raise Refused(Reason.OFFER_EXPIRED, f"The listing expired at {said.expiry}, it is {int(now)} now.",
                      "Sign one with a later expiry.")
    node_key = node.chain.provider(said.provider).node_key
    if node_key == NOBODY:
        raise Refused(Reason.UNKNOWN_PROVIDER, f"{said.provider} is not registered.", "Run: malla provider register")
    signer = recover(listing_digest(node.domain, said), signed.signature)
    if signer != node_key:
        raise Refused(Reason.WRONG_SIGNER, f"The listing is signed by {signer}, not by the node key {node_key}.",
                      "Sign it with the present node key, for this chain and escrow.")
    kept = node.store.put_listing(signed, now)
    if kept.listing == said:
        return
    if kept.listing.listed_at > said.listed_at:
        raise Refused(Reason.STALE, f"{said.provider} has signed a listing at {kept.listing.listed_at}, after this "
                      f"one's {said.listed_at}.", "Sign a new one.")
    raise Refused(Reason.REPLAY, f"{said.provider} has signed another listing at {said.listed_at}.",
                  "Sign a new one, with a later second.")


def list_listings(node: Node, provider: str | None) -> list[dict[str, Any]]:
    """Standing listings whose signer is still the node key of its provider, newest first."""
    shown = []
    for signed in node.store.listings(node.clock(), provider):
        node_key = node.chain.provider(signed.listing.provider).node_key
        try:
            is_theirs = recover(listing_digest(node.domain, signed.listing), signed.signature) == node_key
        except MallaError:
            is_theirs = False
        if is_theirs:
            shown.append({"listing": to_json(signed.listing), "signature": to_hex(signed.signature)})
    return shown
