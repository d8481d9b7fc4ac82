"""Offers: what may be offered, the files that keep them, and how they reach every oracle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protocol.errors import BadInput, ConfigInvalid
from protocol.messages import offer_digest
from protocol.signing import recover
from protocol.units import UINT96_MAX, Seconds, Wei
from provider.edges.fakes import DOMAIN
from provider.edges.offer_files import OfferFiles
from provider.flow.delivery import deliver
from provider.flow.offers import (
    REPUBLISH_SECONDS,
    Terms,
    make_offer,
    publish_offers,
    sign_offer,
    take_in_offers,
)
from tests.provider.world import OWNER, SERVED, World

GOOD = Terms(Wei(10), Wei(100), 1024, 256, Seconds(60), Wei(10**18), Seconds(3600))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_price": 0, "output_price": 0}, "Both prices are 0"),
        ({"input_price": UINT96_MAX + 1}, "The input price is"),
        ({"output_price": -1}, "The output price is"),
        ({"max_outstanding": UINT96_MAX + 1}, "The ceiling on open reserves"),
        ({"max_input_tokens": 0}, "The most input tokens are 0"),
        ({"max_output_tokens": 2**32}, "The most output tokens are"),
        ({"min_duration": 901}, "The least duration is 901 s"),
        ({"valid_for": 59}, "valid for 59 s"),
    ],
)
def test_make__terms_out_of_bounds__refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message) as caught:
        make_offer(OWNER, SERVED, replace(GOOD, **changes), 1_000, 900)
    assert caught.value.fix


def test_make__good_terms__an_offer_that_the_node_key_signs() -> None:
    world = World()
    offer = make_offer(OWNER, SERVED, GOOD, 1_000, 900)
    assert (offer.model, offer.nonce, offer.expiry) == (SERVED.model, 1_000_000, 4_600)
    signed = sign_offer(offer, DOMAIN, world.keys)
    assert recover(offer_digest(DOMAIN, offer), signed.signature) == world.keys.address


def test_publish__expired__nowhere() -> None:
    world = World()
    world.clock.now = 2.0**40
    assert publish_offers(world.publishing, world.members) == 0


def test_publish__standing__at_every_oracle_once_and_again_after_a_while() -> None:
    world = World()
    assert publish_offers(world.publishing, world.members) == 4
    assert deliver(world.delivering, world.members) == 4
    assert publish_offers(world.publishing, world.members) == 0
    assert deliver(world.delivering, world.members) == 0
    world.clock.now += REPUBLISH_SECONDS + 1
    publish_offers(world.publishing, world.members)
    assert deliver(world.delivering, world.members) == 4
    assert {signed for _, signed in world.oracles.offers} == {world.offer}


def test_take_in__file_removed__not_published_any_more_but_still_known() -> None:
    world = World()
    take_in_offers(world.journal, DOMAIN, [], OWNER)
    assert publish_offers(world.publishing, world.members) == 0
    assert world.journal.offer(world.offer_digest) == world.offer


def test_take_in__offer_of_another_owner__ignored() -> None:
    world = World()
    other = sign_offer(world.terms(provider=world.keys.address, nonce=7), DOMAIN, world.keys)
    take_in_offers(world.journal, DOMAIN, [world.offer, other], OWNER)
    assert world.journal.offers(active_only=True) == [world.offer]


def test_files__broken_file__named_with_its_fix(tmp_path: Path) -> None:
    (tmp_path / "offers").mkdir()
    (tmp_path / "offers" / "5.json").write_text("{")
    with pytest.raises(ConfigInvalid, match=r"offers/5\.json cannot be used") as caught:
        OfferFiles(tmp_path).standing()
    assert "set the offer again" in caught.value.fix


def test_files__unknown_nonce__refused_naming_the_known_ones(tmp_path: Path) -> None:
    files = OfferFiles(tmp_path)
    files.write(World().offer)
    with pytest.raises(ConfigInvalid, match="nonce 9") as caught:
        files.remove(9)
    assert caught.value.fix == "Standing offers: 1."


def test_files__written_and_removed__round_trip(tmp_path: Path) -> None:
    files, offer = OfferFiles(tmp_path), World().offer
    assert files.standing() == []
    files.write(offer)
    files.write(offer)
    assert files.standing() == [offer] and files.find(1) == offer
    files.remove(1)
    assert files.standing() == []
