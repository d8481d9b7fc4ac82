"""Choosing an offer: every filter refuses with its reason and count, cheaper offers weigh more, stake only gates."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocol.economics import needed_stake
from protocol.encoding import keccak
from protocol.errors import Reason, Refused
from protocol.sampling import GREEDY, Drawing
from protocol.types import Sampler
from protocol.units import TOKEN, Address, Wei
from requester.client import Client
from requester.flow.filters import Candidate, Wanted, price_of
from requester.flow.matching import choose_offer
from tests.requester.fake_chain import TERMS
from tests.requester.fakes import MODEL, PROFILE, START, signer
from tests.requester.world import World

GREEDY_ONLY = Wanted(MODEL, "Tiny-1M", 10, 20, profiles={PROFILE: Drawing((GREEDY,), 0)})
WANTED = Wanted(MODEL, "Tiny-1M", 10, 20, profiles={PROFILE: Drawing()})

OTHER = Address("0x" + "22" * 20)


@pytest.fixture
def world() -> World:
    return World()


def candidate(world: World, revoked: bool = False, standing: dict[str, Any] | None = None, **offer: Any) -> Candidate:
    held = replace(world.chain.standing(world.owner.address), **(standing or {}))
    return Candidate(world.make_offer(**offer), held, revoked)


def choose(world: World, candidates: list[Candidate], wanted: Wanted = WANTED, pick: float = 0.0) -> Candidate:
    return choose_offer(candidates, wanted, TERMS, world.domain, START, pick)


REFUSALS: list[tuple[Reason, dict[str, Any], Wanted, str]] = [
    (Reason.NO_PROVIDER, {"model": keccak(b"other")}, WANTED, "1 are of another model"),
    (Reason.UNKNOWN_PROFILE, {"profile": keccak(b"other")}, WANTED, "calibration profile that is not known"),
    (Reason.UNKNOWN_SAMPLER, {}, replace(GREEDY_ONLY, sampler=Sampler("gumbel", 1, 700)), "not know temperature 0.7"),
    (Reason.UNKNOWN_SAMPLER, {}, replace(GREEDY_ONLY, sampler=Sampler(GREEDY, 0, min_tokens=3)), "0 with min_tokens 3"),
    (Reason.NO_PROVIDER, {}, replace(WANTED, provider=Address("0x" + "22" * 20)), "1 are of providers not wanted"),
    (Reason.NO_PROVIDER, {}, replace(WANTED, avoid=frozenset({signer(50).address})), "1 are of providers not wanted"),
    (Reason.WRONG_SIGNER, {"standing": {"node_key": signer(3).address}}, WANTED, "not signed by"),
    (Reason.WRONG_SIGNER, {"standing": {"node_key": None}}, WANTED, "not signed by"),
    (Reason.OFFER_EXPIRED, {"expiry": START}, WANTED, "1 are expired"),
    (Reason.OFFER_REVOKED, {"revoked": True}, WANTED, "1 are revoked"),
    (Reason.TOO_MANY_TOKENS, {"max_input_tokens": 9}, WANTED, "do not take 10 input and 20 output tokens"),
    (Reason.TOO_MANY_TOKENS, {"max_output_tokens": 19}, WANTED, "do not take"),
    (Reason.NO_PROVIDER, {"min_duration": 31}, replace(WANTED, duration=30), "cannot keep the deadline"),
    (Reason.NO_PROVIDER, {}, replace(WANTED, duration=901), "cannot keep the deadline"),
    (Reason.PRICE_OVER_CAP, {}, replace(WANTED, max_price=Wei(10**15)), "0.001 MALLA (the cheapest 0.021 MALLA)"),
    (Reason.NO_PROVIDER, {"input_price": Wei(0), "output_price": Wei(0)}, WANTED, "ask for nothing"),
    (Reason.NO_PROVIDER, {"standing": {"frozen": True}}, WANTED, "frozen for fraud"),
    (Reason.NO_PROVIDER, {"standing": {"active_stake": Wei(7 * 10**17)}}, WANTED, "stake does not deter"),
    (Reason.BUSY, {"standing": {"reserved": Wei(50 * TOKEN)}}, WANTED, "no room for one more"),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "made", "wanted", "words"), REFUSALS)
def test_choose__nothing_fits__names_the_filter_that_removed_it(
    world: World, reason: Reason, made: dict[str, Any], wanted: Wanted, words: str
) -> None:
    with pytest.raises(Refused) as caught:
        choose(world, [candidate(world, **made)], wanted)
    assert caught.value.reason is reason and words in caught.value.message and caught.value.fix


def test_choose__several_filters__counts_each(world: World) -> None:
    offers = [candidate(world, expiry=START), candidate(world, expiry=START), candidate(world, revoked=True)]
    with pytest.raises(Refused) as caught:
        choose(world, offers)
    assert "None of 3 offers" in caught.value.message
    assert "2 are expired, 1 are revoked" in caught.value.message


def test_choose__no_offer_at_all__names_the_model(world: World) -> None:
    with pytest.raises(Refused, match="No oracle knows an offer for the model Tiny-1M"):
        choose(world, [])


def test_choose__stake_exactly_enough__fits(world: World) -> None:
    # a slash of 50 %, of which a tenth may be the cheat's own, and one conviction in twenty, for 0.021 tokens
    needed = needed_stake(21 * 10**15, 5_000, 1_000, 500)
    enough = candidate(world, standing={"active_stake": Wei(needed)})
    assert choose(world, [enough]) is enough
    with pytest.raises(Refused, match="deter"):
        choose(world, [candidate(world, standing={"active_stake": Wei(needed - 1)})])


def test_choose__price_exactly_the_cap__fits(world: World) -> None:
    one = candidate(world)
    assert choose(world, [one], replace(WANTED, max_price=price_of(one, WANTED))) is one


def test_choose__weight__is_one_over_the_price_squared(world: World) -> None:
    cheap = candidate(world)
    dear = candidate(world, input_price=Wei(2 * 10**14), output_price=Wei(2 * 10**15), provider=OTHER)
    picked = [choose(world, [dear, cheap], pick=i / 1000) for i in range(1000)]
    assert sum(one is dear for one in picked) == 200  # 1/4 of the weight of the other: a fifth


def test_choose__many_offers_of_one_provider__are_one_chance(world: World) -> None:
    many = [candidate(world, nonce=i, output_price=Wei(10**15 + (i != 20))) for i in range(32)]
    other = candidate(world, provider=OTHER)
    picked = [choose(world, [*many, other], pick=i / 100) for i in range(100)]
    assert {id(one) for one in picked} == {id(many[20]), id(other)}
    assert sum(one is other for one in picked) == 50


def test_choose__more_stake__weighs_nothing(world: World) -> None:
    plain, rich = candidate(world), candidate(world, standing={"active_stake": Wei(10**6 * TOKEN)}, provider=OTHER)
    picked = [choose(world, [rich, plain], pick=i / 100) for i in range(100)]
    assert sum(one is rich for one in picked) == 50


def test_submit__one_oracle_hides_the_offer__it_is_found_at_another(world: World) -> None:
    for oracle in world.oracles[:3]:
        oracle.offers = []
    Client(world.market).submit("Hello?", max_tokens=8)
    assert world.chain.calls == ["deposit", "open"]


def test_submit__model_not_offered__says_what_is(world: World) -> None:
    world.publish(world.make_offer(model=keccak(b"other")))
    with pytest.raises(Refused, match="1 are of another model"):
        Client(world.market).submit("Hello?", max_tokens=8)


def test_submit__no_oracle_answers__names_them(world: World) -> None:
    for oracle in world.oracles:
        oracle.down = True
    with pytest.raises(Refused, match="No oracle answers") as caught:
        Client(world.market).submit("Hello?", max_tokens=8)
    assert caught.value.reason is Reason.NOT_READY


@pytest.mark.parametrize(("options", "words"), [
    ({"max_tokens": 0}, "output limit is 0"),
    ({"max_tokens": 999}, "do not fit into the 1000"),
])  # fmt: skip
def test_submit__impossible_limits__are_refused(world: World, options: dict[str, int], words: str) -> None:
    with pytest.raises(Exception, match=words):
        Client(world.market).submit("Hello?", **options)  # type: ignore[arg-type]


def test_submit__prompt_too_long__is_refused_with_the_limit(world: World) -> None:
    with pytest.raises(Exception, match="limit is 65536"):
        Client(world.market).submit("x" * 70_000)


def test_submit__provider_busy__waits_for_room(world: World) -> None:
    standing = world.chain.standing(world.owner.address)
    full, free = replace(standing, reserved=Wei(50 * TOKEN)), standing
    world.chain.standings[world.owner.address] = full
    world.acts = [lambda: None, lambda: world.chain.standings.update({world.owner.address: free})]
    Client(world.market).submit("Hello?", max_tokens=8, room_wait=30)
    assert world.chain.calls == ["deposit", "open"]
