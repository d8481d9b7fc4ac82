"""What an offer of ours had to fit to be drawn for work that another got: a requester's filters, seen from this side.

Names, reasons (`protocol.errors.Reason`) and order are those of the filters by which requesters choose, for jobs and
for sessions; `tests/provider/test_why_not.py` holds them together. Left out is what a requester keeps to itself (a
provider that it named, tried or banned, its own filter, the cap on its price, its sampler, for which a profile may not
be calibrated) and the filter by calibration profile: no oracle shows an offer with one that the release does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from protocol.draw import KEPT_BACK_STAKE
from protocol.economics import deters, needed_stake, reserve
from protocol.errors import MallaError, Reason
from protocol.messages import Domain, offer_digest
from protocol.signing import recover
from protocol.types import CANARY_ONLY, Offer, SignedOffer
from protocol.units import Wei, in_tokens
from provider.ports.lost import Kind, Standing, Won

MILLISECONDS = 1000
"""In a second of our offers' nonces: each is the time at which its offer was made."""
OFFER_AGAIN = "malla provider offer set"


@dataclass(frozen=True)
class Ours:
    """All our offers, and how we stood when the work was opened; `is_listed` is of now."""

    offers: tuple[SignedOffer, ...]
    standing: Standing
    is_listed: bool


@dataclass(frozen=True)
class Check:
    """`why` is a sentence about the offers that did not pass, with their figures; `fix` what would help."""

    name: str
    reason: Reason
    keeps: Callable[[Offer], bool]
    why: Callable[[Sequence[Offer]], str]
    fix: str = ""


def asked_price(offer: Offer, won: Won) -> Wei:
    """What the requester would have had to reserve for the job, or the offer's own largest call for a session."""
    tokens = ((won.input_tokens, won.max_output_tokens) if won.kind is Kind.JOB
              else (offer.max_input_tokens, offer.max_output_tokens))
    return reserve(*tokens, offer.input_price, offer.output_price)


def fits_tokens(offer: Offer, won: Won) -> bool:
    return won.input_tokens <= offer.max_input_tokens and won.max_output_tokens <= offer.max_output_tokens


def list_checks(won: Won, ours: Ours, domain: Domain) -> list[Check]:
    """A session names no tokens, deadline or room of its own; a job needs no listing."""
    standing, is_job = ours.standing, won.kind is Kind.JOB
    listing = Check("listing", Reason.NO_PROVIDER, lambda _o: ours.is_listed,
                    lambda _g: "No oracle shows where you answer sessions.", "Set MALLA_PUBLIC_URL, start the node.")
    asked = [_tokens(won), _deadline(standing)] if is_job else [listing]
    free = Check("free", Reason.NO_PROVIDER, lambda o: asked_price(o, won) > 0,
                 lambda _g: "You asked for nothing, which opens nothing.", OFFER_AGAIN)
    frozen = Check("frozen", Reason.NO_PROVIDER, lambda _o: not standing.frozen_batch,
                   lambda _g: f"You are frozen: oracles signed FRAUD for batch {standing.frozen_batch}.",
                   "Post its openings, or appeal, before the freeze ends.")
    room = [_room(won, standing)] if is_job else []
    return [_offered(won), _signed(ours, domain), _unexpired(won), _unrevoked(standing), *asked, free, frozen,
            _staked(won, standing), *room]


def _offered(won: Won) -> Check:
    def why(gone: Sequence[Offer]) -> str:
        made = min((o.nonce // MILLISECONDS for o in gone if o.model == won.model), default=None)
        return (f"You had no standing offer for {won.model_name}." if made is None else
                f"You had no standing offer for {won.model_name} yet: the first was made "
                f"{made - won.opened_at} s later.")

    return Check("model", Reason.NO_PROVIDER,
                 lambda o: o.model == won.model and o.nonce // MILLISECONDS <= won.opened_at, why, OFFER_AGAIN)


def _signed(ours: Ours, domain: Domain) -> Check:
    signatures = {one.offer: one.signature for one in ours.offers}

    def keeps(offer: Offer) -> bool:
        key = ours.standing.node_key
        try:
            return key is not None and recover(offer_digest(domain, offer), signatures[offer]).lower() == key.lower()
        except MallaError:
            return False

    return Check("signature", Reason.WRONG_SIGNER, keeps, lambda _g: "Your offer was not signed by the node key that "
                 f"the chain names for you ({ours.standing.node_key or 'none'}).", OFFER_AGAIN)


def _unexpired(won: Won) -> Check:
    return Check("expiry", Reason.OFFER_EXPIRED, lambda o: o.expiry > won.opened_at,
                 lambda gone: f"Your offer had expired {won.opened_at - max(o.expiry for o in gone)} s before.",
                 OFFER_AGAIN)


def _unrevoked(standing: Standing) -> Check:
    return Check("revoked", Reason.OFFER_REVOKED, lambda o: o.nonce not in standing.revoked,
                 lambda gone: f"You had revoked offer {max(o.nonce for o in gone)}.", OFFER_AGAIN)


def _tokens(won: Won) -> Check:
    def why(gone: Sequence[Offer]) -> str:
        most = max(gone, key=lambda o: (o.max_output_tokens, o.max_input_tokens))
        return (f"It asked for {won.input_tokens} input and {won.max_output_tokens} output tokens, your offer takes "
                f"{most.max_input_tokens} and {most.max_output_tokens}.")

    return Check("tokens", Reason.TOO_MANY_TOKENS, lambda o: fits_tokens(o, won), why,
                 f"{OFFER_AGAIN} --max-input-tokens N --max-output-tokens N")


def _deadline(standing: Standing) -> Check:
    given = standing.duration
    return Check("deadline", Reason.NO_PROVIDER, lambda o: given is None or o.min_duration <= given,
                 lambda gone: f"It gave {given} s, your offer needs {min(o.min_duration for o in gone)} s.",
                 f"{OFFER_AGAIN} --min-duration SECONDS")


def _staked(won: Won, standing: Standing) -> Check:
    times = KEPT_BACK_STAKE if won.audit == CANARY_ONLY else 1
    shares = standing.slash_bps, standing.challenger_bps, standing.detection_bps

    def why(gone: Sequence[Offer]) -> str:
        least = min(asked_price(o, won) for o in gone)
        return (f"Your stake of {in_tokens(standing.active_stake)} MALLA does not deter at your price of "
                f"{in_tokens(least)}: {in_tokens(needed_stake(least * times, *shares))} would.")

    return Check("stake", Reason.NO_PROVIDER,
                 lambda o: deters(standing.active_stake, asked_price(o, won) * times, *shares), why,
                 "Stake more (malla provider stake), or offer smaller or cheaper jobs.")


def _room(won: Won, standing: Standing) -> Check:
    def why(gone: Sequence[Offer]) -> str:
        most = max(gone, key=lambda o: o.max_outstanding - asked_price(o, won))
        return (f"{in_tokens(standing.reserved)} MALLA were reserved with you already, and "
                f"{in_tokens(asked_price(most, won))} more is over your ceiling of {in_tokens(most.max_outstanding)}.")

    return Check("room", Reason.BUSY, lambda o: standing.reserved + asked_price(o, won) <= o.max_outstanding, why,
                 f"{OFFER_AGAIN} --max-outstanding MALLA")
