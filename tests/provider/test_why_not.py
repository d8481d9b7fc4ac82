"""Why another got the work: each reason with its figures, in agreement with the filters of a requester."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import pytest

from protocol.encoding import ZERO, keccak
from protocol.errors import Reason, Refused
from protocol.listing import Listing
from protocol.messages import offer_digest
from protocol.sampling import Drawing
from protocol.types import CANARY_ONLY, Offer, SignedOffer
from protocol.units import TOKEN, Address, Digest, Seconds, Wei
from provider.edges.fakes import DOMAIN, FakeKeys
from provider.flow.lost_checks import Ours, list_checks
from provider.flow.why_not import WhyNot, explain, explain_lost
from provider.ports.lost import Kind, Standing, Won
from requester.flow.call_records import CallWanted
from requester.flow.filters import Candidate, Wanted, list_filters
from requester.flow.matching import choose_offer
from requester.flow.providers import choose_among
from requester.flow.sellers import Order, Seller
from requester.ports import jobs as ports

OPENED = 1_700_000_000
MODEL, PROFILE = keccak(b"model"), keccak(b"profile")
OWNER, RIVAL, THIRD = (Address("0x" + pair * 20) for pair in ("11", "22", "33"))
KEYS = FakeKeys()
PRICE = 10**15
STANDING = Standing(KEYS.address, Wei(100 * TOKEN), Wei(0), 0, 5_000, 1_000, 500, duration=300)
TERMS = ports.Terms(Wei(0), 5_000, 1_000, 500, Seconds(900), Seconds(600), Seconds(60))


def offer(provider: Address = OWNER, price: int = PRICE, keys: FakeKeys = KEYS, **changes: Any) -> SignedOffer:
    made = Offer(provider, MODEL, PROFILE, Wei(price), Wei(price), 100, 50, Seconds(60), Wei(50 * TOKEN),
                 (OPENED - 60) * 1000, OPENED + 3600)
    made = replace(made, **changes)
    return SignedOffer(made, keys.sign(offer_digest(DOMAIN, made)))


def job(price: int = 30 * PRICE, **changes: Any) -> Won:
    made = Won(Kind.JOB, Digest(keccak(b"job")), RIVAL, ZERO, MODEL, "Tiny-1M", Wei(price), OPENED, ZERO, 10, 20)
    return replace(made, **changes)


def session(**changes: Any) -> Won:
    return job(kind=Kind.SESSION, price=150 * PRICE, input_tokens=0, max_output_tokens=0, **changes)


def judge(won: Won, *offers: SignedOffer, rivals: tuple[SignedOffer, ...] = (), is_listed: bool = True,
          **standing: Any) -> WhyNot:
    return explain(won, Ours(offers, replace(STANDING, **standing), is_listed), rivals, DOMAIN)


def ask_requester(won: Won, one: SignedOffer, is_listed: bool, **standing: Any) -> tuple[str, Reason | None]:
    """The filter by which a requester itself would have removed the offer, and for jobs its reason."""
    held = replace(STANDING, **standing)
    theirs = ports.Standing(held.node_key, bytes(32), held.active_stake, held.reserved, bool(held.frozen_batch))
    revoked, kept_back = one.offer.nonce in held.revoked, won.audit == CANARY_ONLY
    if won.kind is Kind.JOB:
        wanted = Wanted(MODEL, "Tiny-1M", won.input_tokens, won.max_output_tokens, duration=held.duration,
                        profiles={PROFILE: Drawing()}, kept_back=kept_back)
        candidate = Candidate(one, theirs, revoked)
        first = next(f for f in list_filters(wanted, TERMS, DOMAIN, OPENED) if not f.keeps(candidate))
        with pytest.raises(Refused) as refused:
            choose_offer([candidate], wanted, TERMS, DOMAIN, OPENED, 0.0)
        assert refused.value.reason is first.reason
        return first.name, first.reason
    listing = Listing(OWNER, "http://p", "", "", 0, 1, 1, OPENED, OPENED + 9) if is_listed else None
    seller = Seller(one, ZERO, "Tiny-1M", theirs, revoked, held.node_key == KEYS.address, listing)
    return sift(seller)[-1], None


def sift(*sellers: Seller) -> list[str]:
    """The filters of a call that took sellers away, in their order."""
    call = CallWanted((("user", "hi"),), "Tiny-1M", 1)
    order = Order(call, ports.ModelChoice("Tiny-1M", MODEL, 1000, (2,), {PROFILE: Drawing()}), 1)
    return [removed.name for removed in choose_among(sellers, order, {}, TERMS, OPENED).removed]


BOTH: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("model", {"model": keccak(b"other")}, {}, "You had no standing offer for Tiny-1M."),
    ("signature", {}, {"node_key": RIVAL}, f"the chain names for you ({RIVAL})"),
    ("signature", {}, {"node_key": None}, "(none)"),
    ("expiry", {"expiry": OPENED}, {}, "had expired 0 s before"),
    ("expiry", {"expiry": OPENED - 7}, {}, "had expired 7 s before"),
    ("revoked", {}, {"revoked": frozenset({(OPENED - 60) * 1000})}, f"revoked offer {(OPENED - 60) * 1000}"),
    ("free", {"input_price": Wei(0), "output_price": Wei(0)}, {}, "asked for nothing"),
    ("frozen", {}, {"frozen_batch": 7}, "FRAUD for batch 7"),
    ("stake", {}, {"active_stake": Wei(TOKEN // 100)}, "stake of 0.01 MALLA does not deter"),
]  # fmt: skip
JOBS: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("tokens", {"max_input_tokens": 9}, {}, "10 input and 20 output tokens, your offer takes 9 and 50"),
    ("tokens", {"max_output_tokens": 19}, {}, "takes 100 and 19"),
    ("deadline", {"min_duration": Seconds(301)}, {}, "gave 300 s, your offer needs 301 s"),
    ("room", {}, {"reserved": Wei(50 * TOKEN)}, "50 MALLA were reserved with you already, and 0.03 more is over your"),
]  # fmt: skip
CASES = [(job(), case) for case in (*BOTH, *JOBS)] + [(session(), case) for case in BOTH]


@pytest.mark.parametrize(("won", "case"), CASES, ids=lambda value: value[0] if isinstance(value, tuple) else value.kind)
def test_explain__removed_by_a_filter__same_word_as_the_requester(won: Won, case: tuple[Any, ...]) -> None:
    name, changes, standing, words = case
    found = judge(won, offer(**changes), **standing)
    filter_name, reason = ask_requester(won, offer(**changes), True, **standing)
    assert found.name == filter_name == name and words in found.why
    assert reason is None or found.reason is reason
    assert (found.our_price, found.chance) == (None, None) and found.fix


def test_explain__session_and_no_listing__named_for_a_session_only() -> None:
    found = judge(session(), offer(), is_listed=False)
    assert (found.name, ask_requester(session(), offer(), False)[0]) == ("listing", "listing")
    assert "MALLA_PUBLIC_URL" in found.fix
    assert judge(job(), offer(), is_listed=False).name == "drawn"


def test_list_checks__jobs__in_the_order_of_the_requesters_filters_with_its_reasons() -> None:
    wanted = Wanted(MODEL, "Tiny-1M", 10, 20)
    theirs = [(f.name, f.reason) for f in list_filters(wanted, TERMS, DOMAIN, OPENED)]
    ours = [(c.name, c.reason) for c in list_checks(job(), Ours((), STANDING, True), DOMAIN)]
    not_ours = {"profile", "sampler", "provider", "price"}
    assert ours == [pair for pair in theirs if pair[0] not in not_ours]
    assert dict(theirs)["price"] is judge(job(price=PRICE), offer()).reason


def test_list_checks__sessions__in_the_order_of_the_requesters_filters() -> None:
    held = ports.Standing(KEYS.address, bytes(32), Wei(100 * TOKEN), Wei(0), False)
    listing = Listing(OWNER, "http://p", "", "", 0, 1, 1, OPENED, OPENED + 9)
    good = Seller(offer(), ZERO, "Tiny-1M", held, False, True, listing)
    bad = [
        replace(good, standing=replace(held, active_stake=Wei(0))), replace(good, standing=replace(held, frozen=True)),
        replace(good, offer=offer(price=0)), replace(good, listing=None), replace(good, revoked=True),
        replace(good, offer=offer(expiry=OPENED)), replace(good, is_signed=False),
        replace(good, offer=offer(model=keccak(b"other"))),
    ]
    assert [check.name for check in list_checks(session(), Ours((), STANDING, True), DOMAIN)] == sift(*bad)


def test_explain__order_kept_back__asks_for_four_times_the_stake() -> None:
    stake: dict[str, Any] = {"active_stake": Wei(2 * TOKEN)}
    assert judge(job(), offer(), **stake).name == "drawn"
    kept = job(audit=CANARY_ONLY)
    assert judge(kept, offer(), **stake).name == ask_requester(kept, offer(), True, **stake)[0] == "stake"


def test_explain__offer_made_later__said_by_how_much() -> None:
    found = judge(job(), offer(nonce=(OPENED + 30) * 1000))
    assert (found.name, found.reason) == ("model", Reason.NO_PROVIDER) and "30 s later" in found.why


def test_explain__two_offers__the_check_that_removed_the_last() -> None:
    assert judge(job(), offer(expiry=OPENED), offer(max_output_tokens=1)).name == "tokens"
    assert judge(job(), offer(expiry=OPENED), offer()).name == "drawn"


def test_explain__duration_unknown__deadline_is_not_blamed() -> None:
    assert judge(job(), offer(min_duration=Seconds(900)), duration=None).name == "drawn"


def test_explain__dearer__price_with_both_figures_and_the_chance() -> None:
    found = judge(job(), offer(price=2 * PRICE))
    assert (found.name, found.reason, found.chance) == ("price", Reason.PRICE_OVER_CAP, Fraction(1, 5))
    assert (found.our_price, found.winner_price) == (60 * PRICE, 30 * PRICE)
    for words in ("you asked 0.06 MALLA", "winner 0.03", "100 % more", "a chance of 20 % among 2", "cap"):
        assert words in found.why


def test_explain__dearer_and_frozen__the_sure_reason() -> None:
    assert judge(job(), offer(price=2 * PRICE), frozen_batch=3).name == "frozen"


def test_explain__nothing_against_us__drawn_with_the_odds_that_the_requester_draws_by() -> None:
    offers = [offer(), offer(RIVAL, 2 * PRICE), offer(THIRD, 3 * PRICE), offer(THIRD, 9 * PRICE)]
    never = [offer(Address("0x" + "44" * 20), max_input_tokens=1), offer(Address("0x" + "55" * 20), expiry=OPENED)]
    found = judge(job(price=60 * PRICE), offers[0], rivals=(*offers, *never))
    assert (found.name, found.reason) == ("drawn", Reason.NOT_DRAWN) and "among 3" in found.why
    held = ports.Standing(KEYS.address, bytes(32), Wei(100 * TOKEN), Wei(0), False)
    wanted = Wanted(MODEL, "Tiny-1M", 10, 20, profiles={PROFILE: Drawing()})
    drawn = [choose_offer([Candidate(one, held) for one in (*offers, *never)], wanted, TERMS, DOMAIN, OPENED, i / 200)
             for i in range(200)]
    ours = sum(one.offer.offer.provider == OWNER for one in drawn)
    assert found.chance is not None and abs(ours / 200 - found.chance) <= 1 / 200


def test_explain__session__priced_at_the_winners_largest_call() -> None:
    theirs = offer(RIVAL, max_input_tokens=1000, max_output_tokens=500)
    won = session(offer_digest=offer_digest(DOMAIN, theirs.offer))
    found = judge(won, offer(price=2 * PRICE), rivals=(theirs,))
    assert (found.name, found.our_price, found.winner_price) == ("price", 3000 * PRICE, 1500 * PRICE)
    unknown = judge(won, offer())
    assert (unknown.name, unknown.our_price, unknown.winner_price) == ("drawn", 150 * PRICE, 150 * PRICE)


@dataclass
class FakeMarket:
    """`provider.ports.lost.Market` of lists."""

    work: list[Won]
    own: list[SignedOffer]
    asked: list[str] = field(default_factory=list)
    domain = DOMAIN

    def won(self, limit: int) -> list[Won]:
        return self.work

    def own_offers(self) -> list[SignedOffer]:
        return self.own

    def offers_for(self, model: Digest) -> list[SignedOffer]:
        self.asked.append("offers")
        return self.own

    def is_listed(self) -> bool:
        self.asked.append("listing")
        return False

    def standing(self, won: Won, nonces: Any) -> Standing:
        return STANDING


def test_explain_lost__ours_and_other_models__left_out_and_the_newest_first() -> None:
    late = job(opened_at=OPENED + 5)
    mine, foreign = job(winner=OWNER), job(model=keccak(b"foreign"))
    market = FakeMarket([job(), mine, foreign, late], [offer(), offer(THIRD)])
    assert [one.won for one in explain_lost(market, OWNER, (), 20)] == [late, job()]
    assert [one.won for one in explain_lost(market, OWNER, (), 1)] == [late]
    assert market.asked == ["offers", "offers"]  # once a run, and no listing without a session


def test_explain_lost__no_offer_but_served__said() -> None:
    found = explain_lost(FakeMarket([job(), session()], []), OWNER, {MODEL}, 20)
    assert [one.name for one in found] == ["model", "model"]
