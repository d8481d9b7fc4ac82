"""Sessions: a reserved cap from its opening until what no voucher claims has returned."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from protocol.economics import needed_stake
from protocol.messages import offer_digest
from protocol.types import Outcome, SessionState
from protocol.units import TOKEN
from tests.contracts.expect import NOBODY, at, numbers, refused
from tests.contracts.market import DEPOSIT, STAKE, Market
from tests.contracts.nouns import OpenedSession
from tests.contracts.sessions import CAP


def send(market: Market, arguments: tuple[Any, ...]) -> Any:
    return market.escrow.openSession(*arguments, {"from": market.requesters[0].account})


def another(opened: OpenedSession) -> OpenedSession:
    """A session that nobody opened: the same preimage but for its nonce."""
    session = dataclasses.replace(opened.session, nonce=999)
    return dataclasses.replace(opened, session=session)


def id_of(market: Market, opened: OpenedSession) -> bytes:
    return bytes(market.escrow.sessionIdOf(opened.tuple))


def test_open_session__of_no_money__is_refused(market: Market) -> None:
    with refused("ZeroAmount"):
        send(market, market.session_arguments(market.offer(), cap=0))


@pytest.mark.parametrize("duration", [0, 7_201])
def test_open_session__for_no_time_or_too_long__is_refused(market: Market, duration: int) -> None:
    """R38: at most maxSession until anyone may close it."""
    with refused("DurationOutOfBounds", duration, 1, market.terms.max_session):
        send(market, market.session_arguments(market.offer(), duration=duration))


def test_open_session__on_an_offer_that_gives_calls_away__is_refused(market: Market) -> None:
    with refused("ZeroPrice"):
        send(market, market.session_arguments(market.offer(input_price=0, output_price=0)))


def test_open_session__with_a_call_that_no_reserve_could_hold__is_refused(market: Market) -> None:
    """R38: the largest call is kept to the wei, so the stake that it asks for is never cut short."""
    terms = dataclasses.replace(market.terms, slash_bps=10_000, challenger_bps=0, detection_bps=9_999)
    market.escrow.setTerms(list(dataclasses.astuple(terms)), {"from": market.as_governor})
    owner, tokens = market.providers[0].owner, 2**32 - 1
    least = 2**96 // tokens + 1
    for price, error in ((least, "OutstandingTooHigh"), (least - 1, "")):
        needed = needed_stake(price * tokens, 10_000, 0, 9_999)
        market.fund(owner, market.staking, needed)
        market.staking.stake(needed, {"from": owner.account})
        offer = market.offer(input_price=price, output_price=0, max_input_tokens=tokens)
        if error:
            with refused(error, owner.address, price * tokens, 2**96 - 1):
                market.open_session(offer=offer)
        else:
            assert market.open_session(offer=offer).session.largest_call == price * tokens


def test_open_session__on_an_offer_that_does_not_stand__is_refused(market: Market) -> None:
    """R38: as a job is."""
    offer, provider = market.offer(), market.providers[0]
    arguments = market.session_arguments(offer)
    forged = market.stranger.signer.sign(offer_digest(market.domain, offer))
    with refused("OfferSignatureInvalid", offer.provider, provider.node.address, market.stranger.address):
        send(market, (arguments[0], forged, *arguments[2:]))
    market.escrow.revokeOffers(2, {"from": provider.owner.account})
    with refused("OfferIsRevoked", offer.provider, 1, 2):
        send(market, arguments)
    at(offer.expiry)
    with refused("OfferExpired", offer.expiry, offer.expiry):
        send(market, arguments)


def test_open_session__with_a_frozen_provider__is_refused(market: Market) -> None:
    batch = market.committed()
    market.freeze(batch)
    with refused("ProviderIsFrozen", market.providers[0].owner.address, batch.id):
        market.open_session()


def test_open_session__with_a_stake_that_does_not_deter_a_call__is_refused(market: Market) -> None:
    """R38: the stake must deter cheating on the largest call of the offer, whatever the cap."""
    opened, owner = market.open_session(), market.providers[0].owner
    rates = (market.terms.slash_bps, market.terms.challenger_bps, market.terms.detection_bps)
    needed = needed_stake(opened.session.largest_call, *rates)
    market.staking.unstake(STAKE - needed + 1, {"from": owner.account})
    with refused("StakeDoesNotDeter", owner.address, needed - 1, needed):
        market.open_session(cap=1)


def test_open_session__beyond_the_balance__is_refused(market: Market) -> None:
    with refused("BalanceTooLow", market.requesters[0].address, DEPOSIT, DEPOSIT + market.terms.open_fee):
        market.open_session(cap=DEPOSIT)


def test_open_session__twice_with_one_nonce_in_one_second__is_refused(market: Market) -> None:
    """R38: an id opens at most once."""
    arguments = market.session_arguments(market.offer())
    sent = send(market, arguments)
    at(sent.timestamp)
    with refused("SessionExists", bytes(sent.events["SessionOpened"]["sessionId"])):
        send(market, arguments)


def test_open_session__reserves_the_cap_and_nothing_of_the_provider(market: Market) -> None:
    """R38: a cap takes the requester's money only; neither stake, nor reserve, nor exposure moves."""
    before = market.snapshot()
    arguments = market.session_arguments(market.offer(max_outstanding=1))
    sent = send(market, arguments)
    fee = market.terms.open_fee
    assert market.changes(before) == {"requester 0": -CAP - fee, "fees": fee}
    event = sent.events["SessionOpened"]
    assert (event["cap"], event["key"], event["endsAt"]) == (CAP, NOBODY, sent.timestamp + 3_000)
    parties = market.requesters[0].address, market.providers[0].owner.address
    assert (event["requester"], event["provider"]) == parties
    record = numbers(market.escrow.session(event["sessionId"]))
    assert record == (SessionState.OPEN, CAP, 0, sent.timestamp + 3_000, 1)


def test_session_id__of_the_contract__is_that_of_the_protocol(market: Market) -> None:
    opened = market.open_session()
    assert id_of(market, opened) == opened.id


def test_top_up__of_nothing__is_refused(market: Market) -> None:
    with refused("ZeroAmount"):
        market.top_up(market.open_session(), 0)


def test_top_up__by_anybody_else__is_refused(market: Market) -> None:
    opened = market.open_session()
    with refused("NotRequester", opened.id, market.stranger.address):
        market.escrow.topUpSession(opened.tuple, 1, {"from": market.stranger.account})


def test_top_up__of_a_session_that_is_closing_or_unknown__is_refused(market: Market) -> None:
    opened = market.open_session()
    unknown = another(opened)
    with refused("WrongSessionState", id_of(market, unknown), SessionState.NONE):
        market.top_up(unknown, 1)
    market.close_session(opened)
    with refused("WrongSessionState", opened.id, SessionState.CLOSING):
        market.top_up(opened, 1)


def test_top_up__adds_to_the_cap(market: Market) -> None:
    """R38: to the wei, out of the free balance."""
    opened = market.open_session()
    before = market.snapshot()
    event = market.top_up(opened, 7).events["SessionToppedUp"]
    assert (event["added"], event["cap"]) == (7, CAP + 7)
    assert market.changes(before) == {"requester 0": -7}
    assert market.escrow.session(opened.id)[1] == CAP + 7


def test_close__by_a_stranger_before_its_end__is_refused(market: Market) -> None:
    """R39: anyone only from endsAt on."""
    opened = market.open_session()
    at(opened.ends_at - 1)
    with refused("SessionNotOver", opened.id, opened.ends_at):
        market.close_session(opened, market.stranger)


def test_close__twice__is_refused(market: Market) -> None:
    """R39: the claim delay of a session begins once."""
    opened = market.open_session()
    market.close_session(opened)
    with refused("WrongSessionState", opened.id, SessionState.CLOSING):
        market.close_session(opened, market.providers[0].owner)


@pytest.mark.parametrize("who", ["requester", "owner", "node", "stranger"])
def test_close__by_either_side_or_by_anyone_after_its_end__begins_the_claim_delay(
    market: Market, who: str
) -> None:
    """R39: closing moves no money; vouchers can be committed for claimDelay more."""
    opened, provider = market.open_session(), market.providers[0]
    people = {"requester": market.requesters[0], "owner": provider.owner, "node": provider.node}
    if who == "stranger":
        at(opened.ends_at)
    before = market.snapshot()
    sent = market.close_session(opened, people.get(who, market.stranger))
    until = sent.timestamp + market.terms.claim_delay
    assert sent.events["SessionClosing"]["claimUntil"] == until
    assert market.changes(before) == {}
    assert numbers(market.escrow.session(opened.id)) == (SessionState.CLOSING, CAP, 0, until, 1)


def test_finish__of_an_open_or_unknown_session__is_refused(market: Market) -> None:
    opened = market.open_session()
    with refused("WrongSessionState", opened.id, SessionState.OPEN):
        market.finish_session(opened)
    unknown = another(opened)
    with refused("WrongSessionState", id_of(market, unknown), SessionState.NONE):
        market.finish_session(unknown)


def test_finish__a_second_before_the_claim_delay_ends__is_refused(market: Market) -> None:
    """R39: half-open, as every limit."""
    opened = market.open_session()
    until = market.close_session(opened).timestamp + market.terms.claim_delay
    at(until - 1)
    with refused("SessionNotOver", opened.id, until):
        market.finish_session(opened)


def test_finish__after_the_claim_delay__returns_what_no_voucher_claims(market: Market) -> None:
    """R39: to its requester, by anyone, once."""
    opened = market.open_session()
    market.commit([], vouchers=[market.voucher(opened, 3 * TOKEN)])
    until = market.close_session(opened).timestamp + market.terms.claim_delay
    before = market.snapshot()
    at(until)
    event = market.finish_session(opened).events["SessionClosed"]
    assert (event["committed"], event["refunded"]) == (3 * TOKEN, CAP - 3 * TOKEN)
    assert market.changes(before) == {"requester 0": CAP - 3 * TOKEN}
    with refused("WrongSessionState", opened.id, SessionState.CLOSED):
        market.finish_session(opened)


@pytest.mark.parametrize("closing", [False, True])
def test_finish__of_a_convicted_provider__needs_no_delay(market: Market, closing: bool) -> None:
    """R39: a conviction ends the sessions of its provider at once; R20: and returns what it had committed."""
    opened = market.open_session()
    batch = market.commit([], vouchers=[market.voucher(opened, 3 * TOKEN)])
    if closing:
        market.close_session(opened)
    market.convict(batch, Outcome.NOT_OPENED)
    before = market.snapshot()
    market.finish_session(opened)
    assert market.changes(before) == {"requester 0": CAP - 3 * TOKEN}
    assert market.free(market.requesters[0]) == DEPOSIT - market.terms.open_fee


def test_finish__of_a_session_opened_after_the_conviction__waits(market: Market) -> None:
    """R39: a conviction reaches what was opened until its second."""
    at(market.convict(market.committed()).timestamp + 1)
    opened = market.open_session()
    with refused("WrongSessionState", opened.id, SessionState.OPEN):
        market.finish_session(opened)
