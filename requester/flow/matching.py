"""Choosing an offer: filters that can explain themselves, then a draw in which cheaper offers weigh more.

Of each provider its cheapest offer takes part; its weight is 1 / price² of this very job. Stake only gates: it must
deter cheating on the job's price.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from protocol.errors import Reason, Refused
from protocol.messages import Domain
from protocol.units import Address
from requester.flow.filters import Candidate, Wanted, list_filters, price_of
from requester.ports.jobs import Terms


@dataclass(frozen=True)
class Removed:
    """How many offers a filter took away, in words too."""

    name: str
    count: int
    why: str


def choose_offer(candidates: Sequence[Candidate], wanted: Wanted, terms: Terms, domain: Domain, now: int,
                 pick: float) -> Candidate:
    """The offer to open with. `pick` is a random number in [0, 1).

    Errors: Refused, with the reason of the filter that removed the last offers and a count for every filter. BUSY
    means that only room for one more reserve is missing, which time may bring.
    """
    left, removed = list(candidates), []
    reason = Reason.NO_PROVIDER
    for step in list_filters(wanted, terms, domain, now):
        gone = [c for c in left if not step.keeps(c)]
        left = [c for c in left if step.keeps(c)]
        if gone:
            removed.append(Removed(step.name, len(gone), step.why(gone)))
            reason = step.reason
        if not left:
            break
    if not left:
        raise Refused(reason, _explain(wanted, len(candidates), removed), _fix(reason, wanted))
    return _draw(_best_of_each(left, wanted), wanted, pick)


def _best_of_each(candidates: Sequence[Candidate], wanted: Wanted) -> list[Candidate]:
    """The cheapest offer of each provider: more offers of one may not be more chances."""
    best: dict[Address, Candidate] = {}
    for candidate in candidates:
        known = best.setdefault(candidate.offer.offer.provider, candidate)
        if price_of(candidate, wanted) < price_of(known, wanted):
            best[candidate.offer.offer.provider] = candidate
    return list(best.values())


def _draw(candidates: Sequence[Candidate], wanted: Wanted, pick: float) -> Candidate:
    # Fractions: wei squared overflows what a float tells apart, and the draw must not depend on rounding.
    weights = [Fraction(1, price_of(c, wanted) ** 2) for c in candidates]
    mark = Fraction(pick) * sum(weights)
    for candidate, weight in zip(candidates, weights, strict=True):
        mark -= weight
        if mark < 0:
            return candidate
    return candidates[-1]


def _explain(wanted: Wanted, count: int, removed: Sequence[Removed]) -> str:
    if not count:
        return f"No oracle knows an offer for the model {wanted.model_name}."
    listed = ", ".join(f"{item.count} {item.why}" for item in removed)
    return f"None of {count} offers fits the job: {listed}."


def _fix(reason: Reason, wanted: Wanted) -> str:
    return {
        Reason.PRICE_OVER_CAP: "Raise --max-price, or ask for fewer --max-tokens.",
        Reason.OFFER_EXPIRED: "Wait until a provider publishes a new offer.",
        Reason.TOO_MANY_TOKENS: "Shorten the prompt or ask for fewer --max-tokens.",
        Reason.UNKNOWN_SAMPLER: "Ask with temperature 0, or for another model.",
        Reason.BUSY: "Try again when a running job has ended.",
    }.get(reason, "Ask for another provider, or none in particular." if wanted.provider
             else "See what is offered with `malla request offers`.")
