"""Standing offers: made and signed once, published at every oracle until they expire or are removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.encoding import canonical_json
from protocol.errors import BadInput
from protocol.messages import Domain, offer_digest
from protocol.types import Offer, SignedOffer
from protocol.units import UINT96_MAX, Address, Digest, Seconds, Wei
from protocol.wire import to_json
from provider.ports.work import Clock, Journal, Keys, Log
from provider.records.work import Delivery, DeliveryKind, Oracle
from provider.shelf import Served

REPUBLISH_SECONDS = 300
"""An oracle that lost its offers has ours again after this long."""
LONGEST_VALID = 10 * 365 * 86_400


@dataclass(frozen=True)
class Terms:
    """What a provider asks: wei per token, tokens, seconds."""

    input_price: Wei
    output_price: Wei
    max_input_tokens: int
    max_output_tokens: int
    min_duration: Seconds
    max_outstanding: Wei
    valid_for: Seconds


@dataclass(frozen=True)
class Publishing:
    owner: Address
    journal: Journal
    keys: Keys
    clock: Clock
    log: Log
    domain: Domain


def make_offer(owner: Address, served: Served, terms: Terms, now: float, max_duration: int) -> Offer:
    """The offer that these terms mean from `now` (unix seconds) on; its nonce is the time in milliseconds, so that two
    offers of one second differ. Errors: BadInput."""
    if terms.input_price == 0 and terms.output_price == 0:
        raise BadInput("Both prices are 0.", "Ask for at least 1 wei per input or output token.")
    for name, value in (("input price", terms.input_price), ("output price", terms.output_price),
                        ("ceiling on open reserves", terms.max_outstanding)):
        if not 0 <= value <= UINT96_MAX:
            raise BadInput(f"The {name} is {value} wei.", f"Use 0 to {UINT96_MAX}.")
    for name, count in (("input tokens", terms.max_input_tokens), ("output tokens", terms.max_output_tokens)):
        if not 1 <= count < 2**32:
            raise BadInput(f"The most {name} are {count}.", f"Use 1 to {2**32 - 1}.")
    if not 0 <= terms.min_duration <= max_duration:
        raise BadInput(f"The least duration is {terms.min_duration} s.", f"The escrow allows 0 to {max_duration} s.")
    if not 60 <= terms.valid_for <= LONGEST_VALID:
        raise BadInput(f"The offer would be valid for {terms.valid_for} s.", f"Use 60 to {LONGEST_VALID} s.")
    return Offer(owner, served.model, served.profile, terms.input_price, terms.output_price, terms.max_input_tokens,
                 terms.max_output_tokens, terms.min_duration, terms.max_outstanding, int(now * 1000),
                 int(now) + terms.valid_for)


def sign_offer(offer: Offer, domain: Domain, keys: Keys) -> SignedOffer:
    return SignedOffer(offer, keys.sign(offer_digest(domain, offer)))


def publish_offers(publishing: Publishing, oracles: Sequence[Oracle]) -> int:
    """Queue every standing offer for every oracle that has not got it in the last minutes. Returns how many rows."""
    now, queued = publishing.clock(), 0
    for signed in publishing.journal.offers(active_only=True):
        if signed.offer.expiry <= now:
            continue
        digest = offer_digest(publishing.domain, signed.offer)
        body = canonical_json(to_json(signed))
        if not publishing.journal.has_delivery(DeliveryKind.OFFER, digest.hex()):
            publishing.journal.queue_deliveries(
                [Delivery(DeliveryKind.OFFER, digest.hex(), oracle.address, body) for oracle in oracles])
            queued += len(oracles)
            continue
        for oracle in oracles:
            publishing.journal.repeat_delivery(DeliveryKind.OFFER, digest.hex(), oracle.address,
                                               now - REPUBLISH_SECONDS)
    return queued


def take_in_offers(journal: Journal, domain: Domain, standing: Sequence[SignedOffer], owner: str) -> None:
    """Make the journal's offers those of the home folder. A removed one stays known: jobs may still carry it."""
    digests: set[Digest] = set()
    for signed in standing:
        if signed.offer.provider.lower() != owner.lower():
            continue
        digest = offer_digest(domain, signed.offer)
        digests.add(digest)
        journal.keep_offer(digest, signed, True)
    for signed in journal.offers(active_only=True):
        digest = offer_digest(domain, signed.offer)
        if digest not in digests:
            journal.keep_offer(digest, signed, False)
