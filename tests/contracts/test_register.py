from __future__ import annotations

import dataclasses

import pytest

from protocol.encoding import keccak
from protocol.messages import Domain, node_key_digest
from protocol.units import TOKEN
from tests.contracts.expect import NOBODY, now, refused
from tests.contracts.market import STAKE, Market
from tests.contracts.nouns import Provider, person

SEAL = keccak(b"seal")


@pytest.fixture
def newcomer(market: Market) -> Provider:
    return Provider(market.stranger, person("newcomer's node"))


def register(market: Market, who: Provider, signature: bytes | None = None, seal: bytes = SEAL) -> object:
    signature = market.consent(who) if signature is None else signature
    return market.staking.register(who.node.address, seal, bytes(32), signature, {"from": who.owner.account})


def test_register__twice__is_refused(market: Market) -> None:
    with refused("AlreadyRegistered", market.providers[0].owner.address):
        register(market, Provider(market.providers[0].owner, person("second node")))


def test_register__without_a_node_key__is_refused(market: Market) -> None:
    with refused("ZeroNodeKey"):
        market.staking.register(NOBODY, SEAL, bytes(32), b"", {"from": market.stranger.account})


def test_register__without_an_encryption_key__is_refused(market: Market, newcomer: Provider) -> None:
    with refused("ZeroEncryptionKey"):
        register(market, newcomer, seal=bytes(32))


def test_register__a_key_of_another_provider__is_refused(market: Market) -> None:
    """R25: it never speaks for two."""
    taken = market.providers[0]
    thief = Provider(market.stranger, taken.node)
    with refused("NodeKeyAlreadyUsed", taken.node.address, taken.owner.address):
        register(market, thief)


def test_register__a_key_that_consented_to_somebody_else__is_refused(
    market: Market, newcomer: Provider
) -> None:
    """R25: consent names the owner."""
    for_another = dataclasses.replace(newcomer, owner=market.requesters[0])
    with pytest.raises(Exception, match="NodeKeySignatureInvalid"):
        register(market, newcomer, signature=market.consent(for_another))


def test_register__consent_for_another_chain__is_refused(market: Market, newcomer: Provider) -> None:
    """R25: consent names the chain."""
    there = Domain(market.staking_domain.chain_id + 1, market.staking_domain.contract)
    digest = node_key_digest(there, newcomer.owner.address, newcomer.node.address)
    with pytest.raises(Exception, match="NodeKeySignatureInvalid"):
        register(market, newcomer, signature=newcomer.node.signer.sign(digest))


def test_register__malformed_consent__is_refused(market: Market, newcomer: Provider) -> None:
    with refused("NodeKeySignatureInvalid", newcomer.node.address, NOBODY):
        register(market, newcomer, signature=b"short")


def test_register__with_consent__makes_the_key_speak_for_the_owner(
    market: Market, newcomer: Provider
) -> None:
    sent = register(market, newcomer)
    event = sent.events["ProviderRegistered"]  # type: ignore[attr-defined]
    assert (event["provider"], event["nodeKey"]) == (newcomer.owner.address, newcomer.node.address)
    assert market.staking.providerOf(newcomer.node.address) == newcomer.owner.address
    assert market.staking.nodeKeyOf(newcomer.owner.address) == newcomer.node.address
    assert tuple(market.staking.speakerOf(newcomer.node.address)) == (newcomer.owner.address, 0)
    assert tuple(market.staking.standingOf(newcomer.owner.address)) == (newcomer.node.address, 0)
    period = market.staking.keyPeriod(newcomer.node.address)
    assert tuple(period) == (newcomer.owner.address, sent.timestamp, 0)  # type: ignore[attr-defined]
    record = market.staking.provider(newcomer.owner.address)
    assert [int(value) for value in record[:2]] == [0, 0]
    assert bytes(record[3]) == SEAL


def test_rotate__before_registering__is_refused(market: Market, newcomer: Provider) -> None:
    arguments = (newcomer.node.address, SEAL, market.consent(newcomer))
    with refused("NotRegistered", newcomer.owner.address):
        market.staking.rotateNodeKey(*arguments, {"from": newcomer.owner.account})


def test_rotate__by_the_node_key__is_refused(market: Market) -> None:
    node = market.providers[0].node
    with refused("NotRegistered", node.address):
        market.staking.rotateNodeKey(market.stranger.address, SEAL, b"", {"from": node.account})


def test_rotate__back_to_an_old_key__is_refused(market: Market) -> None:
    """R25: a key has one period, so that a date tells for whom it spoke."""
    provider = market.providers[0]
    market.rotate(0)
    arguments = (provider.node.address, SEAL, market.consent(provider))
    with refused("NodeKeyAlreadyUsed", provider.node.address, provider.owner.address):
        market.staking.rotateNodeKey(*arguments, {"from": provider.owner.account})


def test_rotate__to_a_fresh_key__ends_the_old_period_and_keeps_the_stake(market: Market) -> None:
    provider, before = market.providers[0], market.snapshot()
    fresh = market.rotate(0)
    old = market.staking.keyPeriod(provider.node.address)
    new = market.staking.keyPeriod(fresh.node.address)
    assert old[0] == new[0] == provider.owner.address
    assert int(old[2]) == int(new[1]) > 0 and new[2] == 0
    assert market.staking.providerOf(provider.node.address) == NOBODY
    assert tuple(market.staking.speakerOf(provider.node.address)) == (NOBODY, 0)
    assert tuple(market.staking.speakerOf(fresh.node.address)) == (provider.owner.address, STAKE)
    assert market.staking.nodeKeyOf(provider.owner.address) == fresh.node.address
    assert market.changes(before) == {}


def test_keys__while_paused__are_registered_and_rotated(market: Market, newcomer: Provider) -> None:
    """R55: a pause stops no key."""
    market.staking.pause(now() + 1_000, {"from": market.guardian.account})
    assert "ProviderRegistered" in register(market, newcomer).events  # type: ignore[attr-defined]
    fresh = market.rotate(0)
    assert market.staking.nodeKeyOf(fresh.owner.address) == fresh.node.address


def test_rotate__with_a_job_open__lets_the_new_key_commit_it(market: Market) -> None:
    opened = market.open()
    fresh = market.rotate(0)
    market.escrow.commitBatch(market.commitments([opened]), [], [], {"from": fresh.node.account})
    assert market.escrow.batchCount() == 1


def test_metadata__before_registering__is_refused(market: Market) -> None:
    with refused("NotRegistered", market.stranger.address):
        market.staking.setMetadata(SEAL, {"from": market.stranger.account})


def test_metadata__of_the_owner__is_replaced(market: Market) -> None:
    owner = market.providers[0].owner
    event = market.staking.setMetadata(SEAL, {"from": owner.account}).events["MetadataChanged"]
    assert event["provider"] == owner.address
    assert bytes(market.staking.provider(owner.address)[4]) == SEAL


def test_key_of_an_owner__that_is_a_provider_itself__revokes_its_own_offers(market: Market) -> None:
    """A provider that lets itself be named as another's node key still speaks for itself."""
    one, two = market.providers
    both = Provider(two.owner, one.owner)
    arguments = (one.owner.address, SEAL, market.consent(both))
    market.staking.rotateNodeKey(*arguments, {"from": two.owner.account})
    event = market.escrow.revokeOffers(3, {"from": one.owner.account}).events["OffersRevoked"]
    assert event["provider"] == one.owner.address
    assert market.token.balanceOf(one.owner.address) > TOKEN
