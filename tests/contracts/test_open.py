from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from protocol.economics import deters, needed_stake, reserve
from protocol.encoding import keccak
from protocol.messages import offer_digest
from protocol.types import Outcome
from protocol.units import BPS_ONE, TOKEN
from tests.contracts.expect import NOBODY, at, now, numbers, refused
from tests.contracts.market import DEPOSIT, INPUT_PRICE, OUTPUT_PRICE, STAKE, Market


def send(market: Market, arguments: tuple[Any, ...], requester: int = 0) -> Any:
    return market.escrow.openJob(*arguments, {"from": market.requesters[requester].account})


def test_open__offer_at_its_expiry__is_refused(market: Market) -> None:
    """R7: not expired."""
    offer = market.offer(expiry=now() + 100)
    at(offer.expiry)
    with refused("OfferExpired", offer.expiry, offer.expiry):
        send(market, market.open_arguments(offer))


def test_open__a_second_before_the_expiry__opens(market: Market) -> None:
    offer = market.offer(expiry=now() + 100)
    at(offer.expiry - 1)
    assert "JobOpened" in send(market, market.open_arguments(offer)).events


@pytest.mark.parametrize("revoker", ["owner", "node"])
def test_open__revoked_offer__is_refused(market: Market, revoker: str) -> None:
    """R7: not revoked."""
    offer = market.offer()
    market.escrow.revokeOffers(offer.nonce + 1, {"from": getattr(market.providers[0], revoker).account})
    with refused("OfferIsRevoked", offer.provider, offer.nonce, offer.nonce + 1):
        send(market, market.open_arguments(offer))


def test_open__offer_signed_by_another_node__is_refused(market: Market) -> None:
    """R7: signed by its own provider's key."""
    offer, other = market.offer(), market.providers[1].node
    signature = market.signed(offer, provider=1)
    with refused("OfferSignatureInvalid", offer.provider, market.providers[0].node.address, other.address):
        send(market, market.open_arguments(offer, signature=signature))


def test_open__price_changed_after_signing__is_refused(market: Market) -> None:
    """R7: every field of the offer is signed."""
    offer = market.offer()
    cheaper = dataclasses.replace(offer, output_price=1)
    before = market.snapshot()
    with pytest.raises(Exception, match="OfferSignatureInvalid"):
        send(market, market.open_arguments(cheaper, signature=market.signed(offer)))
    assert market.changes(before) == {}


def test_open__offer_of_another_contract__is_refused(market: Market) -> None:
    offer = market.offer()
    signature = market.providers[0].node.signer.sign(offer_digest(market.staking_domain, offer))
    with pytest.raises(Exception, match="OfferSignatureInvalid"):
        send(market, market.open_arguments(offer, signature=signature))


def test_open__malformed_signature_of_nobody__is_refused(market: Market) -> None:
    offer = market.offer(provider=0)
    unregistered = dataclasses.replace(offer, provider=market.stranger.address)
    with refused("OfferSignatureInvalid", market.stranger.address, NOBODY, NOBODY):
        send(market, market.open_arguments(unregistered, signature=b"\x00" * 65))


@pytest.mark.parametrize("tokens", [(1_001, 10), (10, 1_001), (0, 10), (10, 0)])
def test_open__tokens_out_of_the_offer__is_refused(market: Market, tokens: tuple[int, int]) -> None:
    """R7: the offer covers the tokens."""
    with refused("TokensOutOfOffer", tokens[0], 1_000, tokens[1], 1_000):
        send(market, market.open_arguments(market.offer(), tokens))


@pytest.mark.parametrize("duration", [99, 3_601])
def test_open__duration_out_of_bounds__is_refused(market: Market, duration: int) -> None:
    """R7: the offer covers the duration."""
    with refused("DurationOutOfBounds", duration, 100, market.terms.max_duration):
        send(market, market.open_arguments(market.offer(), duration=duration))


def test_open__free_offer__is_refused(market: Market) -> None:
    offer = market.offer(input_price=0, output_price=0)
    with refused("ZeroPrice"):
        send(market, market.open_arguments(offer))


def test_open__without_a_spec__is_refused(market: Market) -> None:
    arguments = list(market.open_arguments(market.offer()))
    arguments[2] = bytes(32)
    with refused("ZeroDigest"):
        send(market, tuple(arguments))


def test_open__over_the_ceiling_of_outstanding__is_refused(market: Market) -> None:
    """R8: one wei over the ceiling of the offer that opens."""
    price = reserve(100, 200, INPUT_PRICE, OUTPUT_PRICE)
    market.open()
    offer = market.offer(max_outstanding=2 * price - 1)
    with refused("OutstandingTooHigh", offer.provider, 2 * price, 2 * price - 1):
        send(market, market.open_arguments(offer))


def test_open__stake_below_the_deterrent__is_refused_at_one_wei(market: Market) -> None:
    """R9: to the wei, and what is unstaking does not count."""
    owner = market.providers[0].owner
    price = reserve(100, 200, INPUT_PRICE, OUTPUT_PRICE)
    rates = (market.terms.slash_bps, market.terms.challenger_bps, market.terms.detection_bps)
    needed = needed_stake(price, *rates)
    assert deters(needed, price, *rates) and not deters(needed - 1, price, *rates)
    market.staking.unstake(STAKE - needed + 1, {"from": owner.account})
    with refused("StakeDoesNotDeter", owner.address, needed - 1, needed):
        send(market, market.open_arguments(market.offer()))
    market.staking.stake(1, {"from": owner.account})
    assert "JobOpened" in send(market, market.open_arguments(market.offer())).events


def test_open__balance_without_the_open_fee__is_refused(market: Market) -> None:
    requester = market.requesters[0]
    price = reserve(100, 200, INPUT_PRICE, OUTPUT_PRICE)
    market.escrow.withdraw(DEPOSIT - price, {"from": requester.account})
    with refused("BalanceTooLow", requester.address, price, price + market.terms.open_fee):
        send(market, market.open_arguments(market.offer()))


def test_open__same_job_twice__is_refused(market: Market) -> None:
    """R3: opened at most once."""
    arguments = market.open_arguments(market.offer())
    job = send(market, arguments).events["JobOpened"]["jobId"]
    with refused("JobExists", bytes.fromhex(str(job)[2:])):
        send(market, arguments)


@pytest.mark.parametrize("outcome", [Outcome.FRAUD, Outcome.NOT_OPENED])
def test_open__frozen_provider__is_refused(market: Market, outcome: Outcome) -> None:
    """R18: no opening."""
    batch = market.committed()
    market.settle(batch, outcome=outcome)
    offer = market.offer()
    with refused("ProviderIsFrozen", offer.provider, batch.id):
        send(market, market.open_arguments(offer))


def test_open__while_paused__is_refused_until_the_pause_ends_by_itself(market: Market) -> None:
    until = now() + 100
    market.escrow.pause(until, {"from": market.guardian.account})
    at(until - 1)
    with refused("Paused", until):
        send(market, market.open_arguments(market.offer()))
    at(until)
    assert "JobOpened" in send(market, market.open_arguments(market.offer())).events


def covered(market: Market, amount: int) -> None:
    """Sets the slash ceiling so that the oracles' stake covers exactly `amount`, in whole gwei."""
    shares = int(market.committee.cover()) - amount
    ceiling = shares * BPS_ONE // market.terms.challenger_bps
    terms = dataclasses.replace(market.terms, slash_ceiling=ceiling)
    market.escrow.setTerms(dataclasses.astuple(terms), {"from": market.as_governor})
    assert market.escrow.coverage() == amount


def test_open__over_what_the_oracles_cover__is_refused_at_one_gwei(market: Market) -> None:
    """R49: a captured quorum could take no more than it would lose, and jobs fill half of that."""
    price = reserve(100, 200, INPUT_PRICE, OUTPUT_PRICE)
    covered(market, 2 * price - 2 * 10**9)
    with refused("ValueAtRisk", price, price - 10**9):
        send(market, market.open_arguments(market.offer()))
    covered(market, 2 * price)
    assert "JobOpened" in send(market, market.open_arguments(market.offer())).events
    assert market.escrow.exposure() == price


def test_open__good_offer__reserves_price_and_takes_the_open_fee(market: Market) -> None:
    """R6: the open fee joins the fees to be burned at once."""
    before = market.snapshot()
    opened = market.open(duration=1_000)
    price, fee = opened.job.price, market.terms.open_fee
    assert price == reserve(100, 200, INPUT_PRICE, OUTPUT_PRICE) == 100 * INPUT_PRICE + 200 * OUTPUT_PRICE
    assert market.changes(before) == {
        "requester 0": -price - fee,
        "reserved 0": price,
        "exposure": price,
        "fees": fee,
    }
    assert bytes(market.escrow.jobIdOf(opened.tuple)) == opened.id
    assert numbers(market.escrow.job(opened.id)) == (1, 0, opened.opened_at, opened.deadline, 0, 0, 1)


def test_open__good_offer__announces_every_field_of_the_job(market: Market) -> None:
    arguments = market.open_arguments(market.offer())
    event = send(market, arguments).events["JobOpened"]
    offer = market.offer()
    assert event["requester"] == market.requesters[0].address and event["provider"] == offer.provider
    assert (event["inputTokens"], event["maxOutputTokens"], event["nonce"]) == (100, 200, arguments[-1])
    assert event["price"] == 100 * INPUT_PRICE + 200 * OUTPUT_PRICE
    assert event["deadline"] == now() + 1_000
    assert bytes.fromhex(str(event["specDigest"])[2:]) == keccak(b"spec")


def test_offer_digest__of_the_contract__is_that_of_the_protocol(market: Market) -> None:
    offer = market.offer(max_outstanding=2**96 - 1, nonce=2**64 - 1, expiry=2**40 - 1)
    on_chain = bytes(market.escrow.offerDigest(dataclasses.astuple(offer)))
    assert on_chain == offer_digest(market.domain, offer)


def test_open__same_fields_by_another_requester__is_another_job(market: Market) -> None:
    arguments = market.open_arguments(market.offer())
    first = send(market, arguments, requester=0).events["JobOpened"]["jobId"]
    second = send(market, arguments, requester=1).events["JobOpened"]["jobId"]
    assert first != second
    assert market.escrow.providerRecord(market.providers[0].owner.address)[0] == 2 * (TOKEN + TOKEN // 10)
