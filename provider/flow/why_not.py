"""Why another provider got a job or a session: one main reason, by what is public.

The checks that surely removed us come first, in the requester's order (`provider.flow.lost_checks`). The cap on a price
is not public, so the price is never a sure reason and comes after them: a dearer offer is drawn seldom, or was over it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction

from protocol.economics import reserve
from protocol.errors import Reason
from protocol.messages import Domain, offer_digest
from protocol.types import Offer, SignedOffer
from protocol.units import Address, Digest, Wei, in_tokens
from provider.flow.lost_checks import Ours, asked_price, fits_tokens, list_checks
from provider.ports.lost import Kind, Market, Won


@dataclass(frozen=True)
class WhyNot:
    """`name` is that of the requester's filter, or "price" or "drawn"; `our_price` is wei for the work at which
    `winner_price` bought it; `chance` the odds of the draw by price alone. Both None where a check removed us.
    `then`: judged by the chain's state before the opening, else by that of now."""

    won: Won
    name: str
    reason: Reason
    why: str
    fix: str = ""
    our_price: Wei | None = None
    winner_price: Wei | None = None
    chance: Fraction | None = None
    then: bool = True


def explain_lost(market: Market, own: Address, served: Collection[Digest], limit: int) -> list[WhyNot]:
    """The newest `limit` of what others got for the models `served`, and for those that we have offers for.

    Errors: Unavailable, ChainUnreachable.
    """
    offers = tuple(one for one in market.own_offers() if one.offer.provider == own)
    models = {*served, *(one.offer.model for one in offers)}
    found = [won for won in market.won(limit) if won.winner != own and won.model in models]
    found = sorted(found, key=lambda won: won.opened_at, reverse=True)[:limit]
    is_listed = any(won.kind is Kind.SESSION for won in found) and market.is_listed()
    rivals = {model: market.offers_for(model) for model in {won.model for won in found}}
    nonces = [one.offer.nonce for one in offers]
    return [explain(won, Ours(offers, market.standing(won, nonces), is_listed), rivals[won.model], market.domain)
            for won in found]


def explain(won: Won, ours: Ours, rivals: Sequence[SignedOffer], domain: Domain) -> WhyNot:
    """The check that removed the last of our offers; else the price, if ours was dearer; else the draw. `rivals` are
    everybody's offers for the model, as oracles show them now."""
    left, then = [one.offer for one in ours.offers], ours.standing.then
    for check in list_checks(won, ours, domain):
        gone, left = left, [offer for offer in left if check.keeps(offer)]
        if not left:
            return WhyNot(won, check.name, check.reason, check.why(gone), check.fix, then=then)
    theirs = next((one.offer for one in rivals if one.offer.provider == won.winner
                   and offer_digest(domain, one.offer) == won.offer_digest), None)
    prices = _prices(won, theirs, (*left, *(one.offer for one in rivals)))
    mine = min(prices[offer] for offer in left)
    winners = won.price if won.kind is Kind.JOB or theirs is None else prices[theirs]
    asked = {offer: price for offer, price in prices.items() if offer not in left}
    chance, among = chance_of(mine, winners, won, asked, left[0].provider)
    odds = f"a chance of {float(chance) * 100:.3g} % among {among}, by price alone"
    figures = f"you asked {in_tokens(mine)} MALLA, the winner {in_tokens(winners)}"
    if mine > winners:
        dearer = f"{100 * (mine - winners) / winners:.3g} % more" if winners else "more"
        return WhyNot(won, "price", Reason.PRICE_OVER_CAP,
                      f"Price: {figures}, {dearer}. You had {odds}, or were over the requester's cap.",
                      "A lower price weighs by its square: malla provider offer set", mine, winners, chance, then)
    return WhyNot(won, "drawn", Reason.NOT_DRAWN, f"Drawn: you had {odds}, another was drawn; {figures}.", "", mine,
                  winners, chance, then)


def chance_of(mine: int, winners: int, won: Won, asked: dict[Offer, Wei], own: Address) -> tuple[Fraction, int]:
    """Our odds by the weight 1 / price² against the cheapest fitting offer of each rival, and how many took part.

    The winner counts with what it got. Prices are wei; one of 0 weighs as 1 wei.
    """
    best = {won.winner: winners}
    for offer, price in asked.items():
        fits = price > 0 and offer.expiry > won.opened_at and (won.kind is Kind.SESSION or fits_tokens(offer, won))
        if fits and offer.provider not in (own, won.winner):
            best[offer.provider] = min(price, best.get(offer.provider, price))
    weight = Fraction(1, max(1, mine) ** 2)
    return weight / (weight + sum(Fraction(1, max(1, price) ** 2) for price in best.values())), len(best) + 1


def _prices(won: Won, theirs: Offer | None, offers: Sequence[Offer]) -> dict[Offer, Wei]:
    """For a session at the size of the winner's largest call; of each offer's own where that is not shown any more."""
    if won.kind is Kind.JOB or theirs is None:
        return {offer: asked_price(offer, won) for offer in offers}
    tokens = theirs.max_input_tokens, theirs.max_output_tokens
    return {offer: reserve(*tokens, offer.input_price, offer.output_price) for offer in offers}
