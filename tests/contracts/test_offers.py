from __future__ import annotations

import pytest

from tests.contracts.expect import refused
from tests.contracts.market import Market


def test_revoke__by_a_stranger__is_refused(market: Market) -> None:
    with refused("UnknownNodeKey", market.stranger.address):
        market.escrow.revokeOffer(1, {"from": market.stranger.account})


def test_revoke__by_a_rotated_key__is_refused(market: Market) -> None:
    old = market.providers[0].node
    market.rotate(0)
    with refused("UnknownNodeKey", old.address):
        market.escrow.revokeOffer(1, {"from": old.account})


@pytest.mark.parametrize("who", ["owner", "node"])
def test_revoke__by_owner_or_node__revokes_that_nonce_of_that_provider_only(market: Market, who: str) -> None:
    owner = market.providers[0].owner
    event = market.escrow.revokeOffer(7, {"from": getattr(market.providers[0], who).account}).events[
        "OfferRevoked"
    ]
    assert (event["provider"], event["nonce"]) == (owner.address, 7)
    assert market.escrow.isOfferRevoked(owner.address, 7)
    assert not market.escrow.isOfferRevoked(owner.address, 8)
    assert not market.escrow.isOfferRevoked(market.providers[1].owner.address, 7)


def test_offer__of_a_rotated_key__opens_nothing_more(market: Market) -> None:
    """R7: the provider's present node key."""
    offer = market.offer()
    arguments = market.open_arguments(offer)
    fresh = market.rotate(0)
    with refused(
        "OfferSignatureInvalid", offer.provider, fresh.node.address, market.providers[0].node.address
    ):
        market.escrow.openJob(*arguments, {"from": market.requesters[0].account})
