"""Choosing a provider for calls: filters that can explain themselves, then a draw.

The weight of a provider is reliability × speed / price², with the price of this very call. Stake only gates. What a
listing claims is a claim; speed and reliability count as measured here as soon as there is a measurement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from protocol.economics import deters
from protocol.sampling import describe_sampler
from protocol.units import Address, Wei, in_tokens
from requester.flow.bans import banned_for, reliability
from requester.flow.matching import Removed
from requester.flow.sellers import Order, Seller, facts_of, largest_of, price_of
from requester.ports.jobs import Terms
from requester.records.sessions import Marks


@dataclass(frozen=True)
class Weighed:
    seller: Seller
    price: Wei
    reliability: float
    speed: float
    weight: Fraction


@dataclass(frozen=True)
class Choice:
    """Whom a call can go to, and why not to the others; `banned` seconds until the first ban of those that fit ends."""

    considered: int
    removed: tuple[Removed, ...] = ()
    weighed: tuple[Weighed, ...] = ()
    banned: float = 0.0

    def explain(self, model: str) -> str:
        if not self.considered:
            return f"No oracle knows an offer for the model {model}."
        listed = ", ".join(f"{item.count} {item.why}" for item in self.removed)
        if self.weighed:
            return f"{len(self.weighed)} of {self.considered} offers fit" + (f": {listed}." if listed else ".")
        return f"None of {self.considered} offers fits the call: {listed}."


@dataclass
class _Sieve:
    left: list[Seller]
    removed: list[Removed] = field(default_factory=list)

    def keep(self, name: str, holds: Callable[[Seller], bool], why: str) -> None:
        gone = [seller for seller in self.left if not holds(seller)]
        if gone:
            self.removed.append(Removed(name, len(gone), why))
            self.left = [seller for seller in self.left if holds(seller)]


def choose_among(sellers: Sequence[Seller], order: Order, marks: Mapping[Address, Marks], terms: Terms,
                 now: float) -> Choice:
    """All filters in their order, then the weights of each provider's cheapest offer."""
    wanted, sieve = order.wanted, _Sieve(list(sellers))
    known = {s.provider: marks.get(s.provider, Marks(s.provider, now)) for s in sellers}
    shares = terms.slash_bps, terms.challenger_bps, terms.detection_bps
    sieve.keep("model", lambda s: s.offer.offer.model == order.model.digest, "are of another model")
    sieve.keep("profile", lambda s: s.offer.offer.profile in order.model.profiles,
               "name a calibration profile that is not known here")
    sieve.keep("sampler", lambda s: order.model.profiles[s.offer.offer.profile].allows(wanted.sampler),
               f"have a calibration profile that does not know {describe_sampler(wanted.sampler)}")
    sieve.keep("signature", lambda s: s.is_signed, "are not signed by their provider's present node key")
    sieve.keep("expiry", lambda s: s.offer.offer.expiry > now, "are expired")
    sieve.keep("revoked", lambda s: not s.revoked, "are revoked")
    sieve.keep("listing", lambda s: s.listing is not None and s.listing.expiry > now,
               "are of providers that publish no address for calls")
    sieve.keep("tokens", lambda s: order.input_tokens <= s.offer.offer.max_input_tokens
               and wanted.max_output_tokens <= s.offer.offer.max_output_tokens,
               f"do not take {order.input_tokens} input and {wanted.max_output_tokens} output tokens")
    sieve.keep("free", lambda s: largest_of(s) > 0, "ask for nothing, which opens no session")
    if wanted.max_price is not None:
        most = wanted.max_price
        sieve.keep("max_price", lambda s: price_of(s, order) <= most, f"cost more than {in_tokens(most)} MALLA")
    sieve.keep("frozen", lambda s: not s.standing.frozen, "are of providers frozen for fraud")
    sieve.keep("stake", lambda s: deters(s.standing.active_stake, largest_of(s), *shares),
               "are of providers whose stake does not deter at their largest call's price")
    for condition in order.query:
        sieve.keep(condition.text, lambda s, c=condition: c.holds(facts_of(s, known[s.provider], now)),  # type: ignore[misc]
                   f"do not fit '{condition.text}'")
    sieve.keep("tried", lambda s: s.provider not in order.avoid, "were tried for this call already")
    waits = [banned_for(known[s.provider], now) for s in sieve.left]
    sieve.keep("banned", lambda s: banned_for(known[s.provider], now) == 0, "are of providers banned for a while")
    weighed = [_weigh(seller, order, known[seller.provider], now) for seller in _cheapest(sieve.left, order)]
    return Choice(len(sellers), tuple(sieve.removed), tuple(weighed), min(waits, default=0.0))


def draw(weighed: Sequence[Weighed], pick: float) -> Weighed:
    """One of them with the odds of its weight; `pick` is a random number in [0, 1)."""
    mark = Fraction(pick) * sum(one.weight for one in weighed)
    for one in weighed:
        mark -= one.weight
        if mark < 0:
            return one
    return weighed[-1]


def _weigh(seller: Seller, order: Order, marks: Marks, now: float) -> Weighed:
    price = price_of(seller, order)
    speed = marks.speed or float(seller.listing.tokens_per_second if seller.listing else 0) or 1.0
    sure = reliability(marks, now)
    # Fractions: wei squared overflows what a float tells apart, and the draw must not depend on rounding.
    return Weighed(seller, price, sure, speed, Fraction(sure) * Fraction(speed) / max(1, price) ** 2)


def _cheapest(sellers: Sequence[Seller], order: Order) -> list[Seller]:
    """The cheapest offer of each provider: more offers of one may not be more chances."""
    best: dict[Address, Seller] = {}
    for seller in sellers:
        known = best.setdefault(seller.provider, seller)
        if price_of(seller, order) < price_of(known, order):
            best[seller.provider] = seller
    return list(best.values())
