from __future__ import annotations

import pytest

from protocol.types import JobState
from tests.contracts.expect import refused
from tests.contracts.market import Market


def test_revoke__by_a_stranger__is_refused(market: Market) -> None:
    with refused("UnknownNodeKey", market.stranger.address):
        market.escrow.revokeOffers(1, {"from": market.stranger.account})


def test_revoke__by_a_rotated_key__is_refused(market: Market) -> None:
    old = market.providers[0].node
    market.rotate(0)
    with refused("UnknownNodeKey", old.address):
        market.escrow.revokeOffers(1, {"from": old.account})


@pytest.mark.parametrize("below", [6, 7])
def test_revoke__of_what_is_revoked_already__is_refused(market: Market, below: int) -> None:
    owner = market.providers[0].owner
    market.escrow.revokeOffers(7, {"from": owner.account})
    with refused("OffersRevokedAlready", owner.address, 7):
        market.escrow.revokeOffers(below, {"from": owner.account})


@pytest.mark.parametrize("who", ["owner", "node"])
def test_revoke__by_owner_or_node__revokes_all_offers_below_a_number_of_that_provider_only(
    market: Market, who: str
) -> None:
    """R7: and leaves the offers from that number on."""
    owner, sender = market.providers[0].owner, getattr(market.providers[0], who).account
    event = market.escrow.revokeOffers(7, {"from": sender}).events["OffersRevoked"]
    assert (event["provider"], event["below"]) == (owner.address, 7)
    assert [market.escrow.isOfferRevoked(owner.address, nonce) for nonce in (0, 6, 7)] == [True, True, False]
    assert not market.escrow.isOfferRevoked(market.providers[1].owner.address, 6)
    assert market.escrow.providerRecord(owner.address)[4] == 7
    assert market.job_state(market.open(offer=market.offer(nonce=7)))[0] is JobState.OPEN


def test_offer__of_a_rotated_key__opens_nothing_more(market: Market) -> None:
    """R7: the provider's present node key."""
    offer = market.offer()
    arguments = market.open_arguments(offer)
    fresh = market.rotate(0)
    with refused(
        "OfferSignatureInvalid", offer.provider, fresh.node.address, market.providers[0].node.address
    ):
        market.escrow.openJob(*arguments, {"from": market.requesters[0].account})
