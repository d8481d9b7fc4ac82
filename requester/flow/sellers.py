"""An offer with everything that is known of its provider, and what the filter's fields are of it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from protocol.economics import payment, reserve
from protocol.listing import Listing
from protocol.types import SignedOffer
from protocol.units import TOKEN, Address, Digest, Wei
from requester.flow.bans import reliability
from requester.flow.call_records import CallWanted
from requester.flow.filter_query import Condition
from requester.ports.jobs import ModelChoice, Standing
from requester.records.sessions import Marks

MILLION = 10**6
MIB = 1024


@dataclass(frozen=True)
class Seller:
    """An offer with everything that is known of its provider. `is_signed`: by its present node key; `listing` is None
    where it publishes no address."""

    offer: SignedOffer
    digest: Digest
    model_name: str
    standing: Standing
    revoked: bool
    is_signed: bool
    listing: Listing | None

    @property
    def provider(self) -> Address:
        return self.offer.offer.provider


@dataclass(frozen=True)
class Order:
    """A call, understood: its model, its length, its conditions."""

    wanted: CallWanted
    model: ModelChoice
    input_tokens: int
    query: tuple[Condition, ...] = ()
    avoid: frozenset[Address] = frozenset()


def price_of(seller: Seller, order: Order) -> Wei:
    """The most that the call can cost, wei."""
    offer = seller.offer.offer
    return reserve(order.input_tokens, order.wanted.max_output_tokens, offer.input_price, offer.output_price)


def largest_of(seller: Seller) -> Wei:
    """The dearest call that the offer allows, which the stake must deter, wei."""
    offer = seller.offer.offer
    return payment(offer.max_input_tokens, offer.max_output_tokens, offer.input_price, offer.output_price)


def facts_of(seller: Seller, marks: Marks, now: float) -> dict[str, Fraction | str | None]:
    """What the filter's fields are of this offer (`filter_query.FIELDS`); None where nothing is known."""
    offer, listing = seller.offer.offer, seller.listing
    return {
        "vram": None if listing is None else Fraction(listing.memory_mib, MIB),
        "price": Fraction(offer.output_price * MILLION, TOKEN),
        "input_price": Fraction(offer.input_price * MILLION, TOKEN),
        "tps": Fraction(marks.speed) if marks.speed else None if listing is None else
               Fraction(listing.tokens_per_second),
        "reliability": Fraction(reliability(marks, now)),
        "stake": Fraction(seller.standing.active_stake, TOKEN),
        "streams": None if listing is None else Fraction(listing.streams),
        "context": Fraction(offer.max_input_tokens + offer.max_output_tokens),
        "region": None if listing is None else listing.region.lower(),
        "device": None if listing is None else listing.device.lower(),
        "model": seller.model_name.lower(),
        "provider": seller.provider.lower(),
    }
