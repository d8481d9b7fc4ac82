"""Who gets a call: each filter with what it took, then the published weight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from protocol.encoding import keccak
from protocol.sampling import PLAIN, Drawing
from protocol.types import Sampler
from protocol.units import TOKEN, Wei
from requester.flow.calls import CallFailed
from requester.flow.choosing import explain_choice, order_of
from requester.flow.directory import is_public
from requester.flow.providers import Choice, draw
from requester.records.sessions import Marks
from tests.requester.fakes import CHOICE, START, FakeModels
from tests.requester.sessions_world import CallWorld


@pytest.fixture
def world(tmp_path: Path) -> CallWorld:
    return CallWorld(tmp_path)


def choose(world: CallWorld, **changes: object) -> Choice:
    world.publish()
    world.desk.directory.forget()
    return explain_choice(world.desk, order_of(world.desk, world.wanted(**changes)))


def alter_offer(world: CallWorld, **changes: object) -> None:
    world.offers[0] = world.make_offer(world.providers[0], 10**14, **changes)


def alter_standing(world: CallWorld, **changes: object) -> None:
    standings, who = world.chain.standings, world.providers[0].address
    standings[who] = replace(standings[who], **changes)


def forge(world: CallWorld) -> None:
    world.offers[0] = replace(world.offers[0], signature=world.providers[1].node.sign(keccak(b"x")))


CASES: list[tuple[str, Callable[[CallWorld], None], dict[str, object]]] = [
    ("model", lambda w: alter_offer(w, model=keccak(b"other")), {}),
    ("profile", lambda w: alter_offer(w, profile=keccak(b"other")), {}),
    ("signature", forge, {}),
    ("expiry", lambda w: alter_offer(w, expiry=START - 1), {}),
    ("listing", lambda w: w.listings.pop(0), {}),
    ("listing", lambda w: w.listings.__setitem__(0, w.make_listing(w.providers[0], "EU", expiry=START - 1)), {}),
    ("listing", lambda w: w.listings.__setitem__(0, replace(w.listings[0], signature=w.listings[1].signature)), {}),
    ("tokens", lambda w: alter_offer(w, max_input_tokens=5), {}),
    ("frozen", lambda w: alter_standing(w, frozen=True), {}),
    ("stake", lambda w: alter_standing(w, active_stake=Wei(TOKEN)), {}),
    ("region in [US]", lambda w: None, {"filter": "region in [US]"}),
    ("price>500", lambda w: None, {"filter": "price>500"}),
]


@pytest.mark.parametrize(("name", "alter", "changes"), CASES, ids=[f"{i}-{case[0]}" for i, case in enumerate(CASES)])
def test_choose__one_that_does_not_fit__is_taken_away_by_its_filter(
        world: CallWorld, name: str, alter: Callable[[CallWorld], None], changes: dict[str, object]) -> None:
    alter(world)
    choice = choose(world, **changes)
    assert [(item.name, item.count) for item in choice.removed] == [(name, 1)]
    assert [one.seller.provider for one in choice.weighed] == [world.providers[1].address]
    assert "1 of 2 offers fit: 1 " in choice.explain("Tiny-1M")


@pytest.mark.parametrize(("sampler", "fits"), [
    (PLAIN, 2), (Sampler("gumbel", 1, 1000), 1), (Sampler("greedy", 0, min_tokens=2), 1)])
def test_choose__profile_that_was_not_calibrated_for_the_sampler__is_passed_over_and_said(
        world: CallWorld, monkeypatch: pytest.MonkeyPatch, sampler: Sampler, fits: int) -> None:
    """A provider of such a profile refuses the call, and would be asked in vain."""
    greedy = keccak(b"of a server")
    known = replace(CHOICE, profiles={**CHOICE.profiles, greedy: Drawing(("greedy",), 0)})
    monkeypatch.setattr(FakeModels, "find", lambda *_: known)
    alter_offer(world, profile=greedy)
    choice = choose(world, sampler=sampler)
    assert len(choice.weighed) == fits
    assert fits == 2 or choice.removed[0].name == "sampler"
    assert fits == 2 or "does not know temperature" in choice.explain("Tiny-1M")


def test_choose__nobody_draws_it__422_that_says_so(world: CallWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    known = replace(CHOICE, profiles=dict.fromkeys(CHOICE.profiles, Drawing(("greedy",), 0)))
    monkeypatch.setattr(FakeModels, "find", lambda *_: known)
    with pytest.raises(CallFailed, match="does not know temperature 1 with min_tokens 4") as caught:
        world.call(sampler=Sampler("gumbel", 1, 1000, min_tokens=4))
    assert caught.value.status == 422 and "temperature 0" in caught.value.fix
    assert world.chain.calls == []


@pytest.mark.parametrize(("url", "public"), [
    ("http://127.0.0.1:8545", False), ("http://localhost:80", False), ("http://[::1]:1", False),
    ("http://10.0.0.1", False), ("http://192.168.1.1", False), ("http://169.254.169.254", False),
    ("http://gpu.local", False), ("http://gpu", False),
    ("http://localhost.", False), ("http://127.1", False), ("http://0x7f.0.0.1", False), ("http://gpu.local.", False),
    ("https://gpu.example.org", True), ("http://8.8.8.8:9000", True), ("http://[2606:4700::1]:1", True)])
def test_listing__address_of_a_private_network__is_not_called_but_on_a_test_network(url: str, public: bool) -> None:
    assert is_public(url) is public


def test_choose__nobody_left__names_every_filter_with_its_number(world: CallWorld) -> None:
    alter_standing(world, frozen=True)
    choice = choose(world, filter="vram>=24 region=EU")
    assert choice.explain("Tiny-1M") == ("None of 2 offers fits the call: 1 are of providers frozen for fraud, "
                                         "1 do not fit 'region=EU'.")


def test_choose__no_oracle_answers__is_503(world: CallWorld) -> None:
    for oracle in world.oracles:
        oracle.down = True
    with pytest.raises(CallFailed) as caught:
        choose(world)
    assert caught.value.status == 503


def test_choose__one_oracle_hides_offers__the_others_tell(world: CallWorld) -> None:
    world.publish()
    world.oracles[0].offers, world.oracles[0].listings = [], []
    world.oracles[1].down = True
    choice = explain_choice(world.desk, order_of(world.desk, world.wanted()))
    assert len(choice.weighed) == 2


def test_choose__later_listing__counts(world: CallWorld) -> None:
    world.listings.append(world.make_listing(world.providers[0], "JP", listed_at=START + 5))
    assert len(choose(world, filter="region=JP").weighed) == 1


def test_choose__several_offers_of_one__its_cheapest_alone_takes_part(world: CallWorld) -> None:
    world.offers.append(world.make_offer(world.providers[0], 5 * 10**13, nonce=2))
    choice = choose(world)
    assert len(choice.weighed) == 2
    assert choice.weighed[0].price == (6 + 4 * 8) * 5 * 10**13


def test_weight__is_reliability_times_speed_by_price_squared(world: CallWorld) -> None:
    first, second = choose(world).weighed
    assert first.weight == 4 * second.weight, "half the price"
    world.desk.bans.note_success(first.seller.provider, world.clock(), 10.0)
    slower = choose(world).weighed[0]
    assert slower.weight == first.weight / 2, "half the speed, as measured"
    world.desk.bans._keep(Marks(first.seller.provider, world.clock(), failures=1.0, speed=10.0))
    assert choose(world).weighed[0].weight == slower.weight / 2, "half as reliable"


def test_draw__odds__follow_the_weights(world: CallWorld) -> None:
    weighed = choose(world).weighed
    marks = [draw(weighed, pick / 1000).seller.provider for pick in range(1000)]
    assert marks.count(weighed[0].seller.provider) == 800
    assert sum(Fraction(one.weight) for one in weighed) > 0


def test_choose__open_session__is_preferred_to_a_new_one(world: CallWorld) -> None:
    world.pick = 0.99
    world.call()
    world.pick = 0.0
    world.call()
    assert world.chain.calls.count("open_session") == 1
    assert world.providers[0].asked == []
