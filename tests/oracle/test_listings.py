"""Listings: where a provider answers sessions is what its node key signed last."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oracle.flow.listings import CLOCK_SKEW, LONGEST, accept_listing, list_listings
from protocol.chain.records import ProviderStake
from protocol.encoding import ZERO, keccak, to_hex
from protocol.errors import Malformed, Reason, Refused, SignatureInvalid
from protocol.listing import Listing, SignedListing, listing_digest
from protocol.messages import Domain
from protocol.sealing import public_key
from protocol.signing import Signer
from protocol.units import Wei
from tests.oracle.world import DOMAIN, NOW, World


def listed(world: World, signer: Signer | None = None, domain: Domain = DOMAIN, **changes: Any) -> SignedListing:
    said = replace(Listing(world.owner.address, "http://127.0.0.1:9000", "EU", "NVIDIA L4", 24_000, 90, 8, NOW,
                           NOW + 3600), **changes)
    return SignedListing(said, (signer or world.node_signer).sign(listing_digest(domain, said)))


def refusal(world: World, signed: SignedListing) -> Reason:
    with pytest.raises(Refused) as refused:
        accept_listing(world.node, signed)
    return refused.value.reason


@pytest.mark.parametrize("changes", [
    {"url": "ftp://host"}, {"url": "http://"}, {"url": "http://user:word@host/"}, {"url": "http://" + "x" * 200},
    {"url": "http://[::1"}, {"url": "http://host:99999"}, {"url": "http://:word@host"}, {"url": "http://host/\r\nX: y"},
    {"region": "x" * 65}, {"device": "a\nb"}, {"listed_at": NOW + CLOCK_SKEW + 1, "expiry": NOW + 9_999},
    {"listed_at": NOW, "expiry": NOW}, {"expiry": NOW + LONGEST + 1}, {"memory_mib": 2**32},
])  # fmt: skip
def test_listing__that_no_requester_could_use__is_malformed(world: World, changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        accept_listing(world.node, listed(world, **changes))
    assert list_listings(world.node, None) == []


def test_listing__expired__is_refused(world: World) -> None:
    assert refusal(world, listed(world, listed_at=NOW - 100, expiry=NOW)) is Reason.OFFER_EXPIRED


def test_listing__of_nobody_registered__is_refused(world: World) -> None:
    """R116: of registered providers only."""
    stranger = Signer(keccak(b"stranger"))
    assert refusal(world, listed(world, stranger, provider=stranger.address)) is Reason.UNKNOWN_PROVIDER


def test_listing__signed_by_another_or_for_another_chain__is_refused(world: World) -> None:
    """R116: by the present node key, for this chain and escrow."""
    assert refusal(world, listed(world, Signer(keccak(b"stranger")))) is Reason.WRONG_SIGNER
    assert refusal(world, listed(world, world.owner)) is Reason.WRONG_SIGNER
    assert refusal(world, listed(world, domain=Domain(1, DOMAIN.contract))) is Reason.WRONG_SIGNER
    with pytest.raises(SignatureInvalid):
        accept_listing(world.node, SignedListing(listed(world).listing, b"\xff" * 65))


def test_listing__older_than_the_known_one__is_stale_and_changes_nothing(world: World) -> None:
    """R116: the latest counts, in whichever order they come."""
    accept_listing(world.node, listed(world, listed_at=NOW + 10, url="http://new:1"))
    assert refusal(world, listed(world)) is Reason.STALE
    (shown,) = list_listings(world.node, None)
    assert shown["listing"]["url"] == "http://new:1"


def test_listing__another_of_the_same_second__is_a_replay(world: World) -> None:
    accept_listing(world.node, listed(world))
    assert refusal(world, listed(world, region="US")) is Reason.REPLAY
    assert list_listings(world.node, None)[0]["listing"]["region"] == "EU"


def test_listing__again_and_renewed__is_shown_once(world: World) -> None:
    accept_listing(world.node, listed(world))
    accept_listing(world.node, listed(world))
    accept_listing(world.node, listed(world, listed_at=NOW + 60, tokens_per_second=50))
    shown = list_listings(world.node, world.owner.address)
    assert [row["listing"]["tokens_per_second"] for row in shown] == [50]
    assert shown[0]["signature"] == to_hex(listed(world, listed_at=NOW + 60, tokens_per_second=50).signature)
    assert list_listings(world.node, world.requester.address) == []


def test_listing__expires_or_its_key_is_rotated__is_no_longer_shown(world: World) -> None:
    """R116: not longer than it was signed for, nor than its key speaks for its provider."""
    accept_listing(world.node, listed(world))
    other = Signer(keccak(b"new node key"))
    known = world.chain.stakes[world.owner.address]
    world.chain.stakes[world.owner.address] = ProviderStake(Wei(1), Wei(0), other.address, public_key(b"p" * 32), ZERO)
    assert list_listings(world.node, None) == []
    world.chain.stakes[world.owner.address] = known
    assert len(list_listings(world.node, None)) == 1
    world.clock.now += 3600
    assert list_listings(world.node, None) == []
