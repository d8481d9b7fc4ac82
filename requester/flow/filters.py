"""What an offer has to fit before it can be chosen, one filter a reason, in the order in which they are applied."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from protocol.draw import KEPT_BACK_STAKE
from protocol.economics import deters, reserve
from protocol.errors import MallaError, Reason
from protocol.messages import Domain, offer_digest
from protocol.sampling import PLAIN, Drawing, describe_sampler
from protocol.signing import recover
from protocol.types import Sampler, SignedOffer
from protocol.units import Address, Digest, Wei, in_tokens
from requester.ports.jobs import Standing, Terms


@dataclass(frozen=True)
class Wanted:
    """What an offer has to fit. `max_price` bounds the whole reserve in wei, `duration` is seconds from open to commit
    (None: the most that the escrow allows), `avoid` are providers that were tried already, `profiles` those
    by which the work can be audited: with another every audit would end as unknown, and the default would pay. If its
    transcript is `kept_back`, a provider needs `KEPT_BACK_STAKE` times the stake."""

    model: Digest
    model_name: str
    input_tokens: int
    max_output_tokens: int
    max_price: Wei | None = None
    duration: int | None = None
    provider: Address | None = None
    avoid: frozenset[Address] = frozenset()
    profiles: Mapping[Digest, Drawing] = field(default_factory=dict)
    kept_back: bool = False
    sampler: Sampler = PLAIN


@dataclass(frozen=True)
class Candidate:
    offer: SignedOffer
    standing: Standing
    revoked: bool = False


@dataclass(frozen=True)
class Filter:
    """`why` completes the sentence "N …"."""

    name: str
    reason: Reason
    keeps: Callable[[Candidate], bool]
    why: Callable[[Sequence[Candidate]], str]


def price_of(candidate: Candidate, wanted: Wanted) -> Wei:
    """What `openJob` would reserve, wei."""
    offer = candidate.offer.offer
    return reserve(wanted.input_tokens, wanted.max_output_tokens, offer.input_price, offer.output_price)


def list_filters(wanted: Wanted, terms: Terms, domain: Domain, now: int) -> list[Filter]:
    def cheapest(gone: Sequence[Candidate]) -> str:
        least = min(price_of(c, wanted) for c in gone)
        return (f"cost more than the cap of {in_tokens(wanted.max_price or 0)} MALLA "
                f"(the cheapest {in_tokens(least)} MALLA)")

    def fits_tokens(c: Candidate) -> bool:
        offer = c.offer.offer
        return (wanted.input_tokens <= offer.max_input_tokens
                and wanted.max_output_tokens <= offer.max_output_tokens)

    def fits_duration(c: Candidate) -> bool:
        least = c.offer.offer.min_duration
        return least <= (terms.max_duration if wanted.duration is None else wanted.duration) <= terms.max_duration

    def deterred(c: Candidate) -> bool:
        shares = terms.slash_bps, terms.challenger_bps, terms.detection_bps
        return deters(c.standing.active_stake, price_of(c, wanted) * (KEPT_BACK_STAKE if wanted.kept_back else 1),
                      *shares)

    def has_room(c: Candidate) -> bool:
        return c.standing.reserved + price_of(c, wanted) <= c.offer.offer.max_outstanding

    return [
        Filter("model", Reason.NO_PROVIDER, lambda c: c.offer.offer.model == wanted.model,
               _say("are of another model")),
        Filter("profile", Reason.UNKNOWN_PROFILE, lambda c: c.offer.offer.profile in wanted.profiles,
               _say("name a calibration profile that is not known here")),
        Filter("sampler", Reason.UNKNOWN_SAMPLER,
               lambda c: wanted.profiles[c.offer.offer.profile].allows(wanted.sampler),
               _say(f"have a calibration profile that does not know {describe_sampler(wanted.sampler)}")),
        Filter("provider", Reason.NO_PROVIDER, lambda c: _is_asked_for(c, wanted),
               _say("are of providers not wanted")),
        Filter("signature", Reason.WRONG_SIGNER, lambda c: _is_signed(c, domain),
               _say("are not signed by their provider's present node key")),
        Filter("expiry", Reason.OFFER_EXPIRED, lambda c: c.offer.offer.expiry > now, _say("are expired")),
        Filter("revoked", Reason.OFFER_REVOKED, lambda c: not c.revoked, _say("are revoked")),
        Filter("tokens", Reason.TOO_MANY_TOKENS, fits_tokens,
               _say(f"do not take {wanted.input_tokens} input and {wanted.max_output_tokens} output tokens")),
        Filter("deadline", Reason.NO_PROVIDER, fits_duration, _say("cannot keep the deadline")),
        Filter("price", Reason.PRICE_OVER_CAP,
               lambda c: wanted.max_price is None or price_of(c, wanted) <= wanted.max_price, cheapest),
        Filter("free", Reason.NO_PROVIDER, lambda c: price_of(c, wanted) > 0,
               _say("ask for nothing, which opens no job")),
        Filter("frozen", Reason.NO_PROVIDER, lambda c: not c.standing.frozen,
               _say("are of providers frozen for fraud")),
        Filter("stake", Reason.NO_PROVIDER, deterred,
               _say("are of providers whose stake does not deter at this price"
                    + (f" {KEPT_BACK_STAKE} times over, as canary-only asks for" if wanted.kept_back else ""))),
        Filter("room", Reason.BUSY, has_room, _say("have no room for one more reserve now")),
    ]


def _say(text: str) -> Callable[[Sequence[Candidate]], str]:
    return lambda _gone: text


def _is_asked_for(candidate: Candidate, wanted: Wanted) -> bool:
    provider = candidate.offer.offer.provider
    return provider not in wanted.avoid and wanted.provider in (None, provider)


def _is_signed(candidate: Candidate, domain: Domain) -> bool:
    key = candidate.standing.node_key
    try:
        signer = recover(offer_digest(domain, candidate.offer.offer), candidate.offer.signature)
    except MallaError:
        return False
    return key is not None and signer.lower() == key.lower()
