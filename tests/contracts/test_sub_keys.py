"""Sub-keys: keys that sign a requester's vouchers, within an amount, a time and models."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from protocol.encoding import keccak
from protocol.types import SessionState
from protocol.units import TOKEN
from tests.contracts.expect import NOBODY, at, now, numbers, refused
from tests.contracts.market import Market
from tests.contracts.nouns import Person, person, voucher_tuple
from tests.contracts.sessions import CAP

MODEL = keccak(b"model")


@pytest.fixture
def key(market: Market) -> Person:
    return person(f"sub-key {market.number()}")


def authorise(market: Market, address: str, cap: int = CAP, ends_at: int = 2**39, models: Any = ()) -> Any:
    sender = {"from": market.requesters[0].account}
    return market.escrow.authoriseKey(address, cap, ends_at, list(models), sender)


def revoke(market: Market, key: Person, requester: int = 0) -> Any:
    return market.escrow.revokeKey(key.address, {"from": market.requesters[requester].account})


def used(market: Market, key: Person) -> int:
    return int(market.escrow.keyRecord(market.requesters[0].address, key.address)[1])


def test_authorise__nobody_or_oneself__is_refused(market: Market) -> None:
    own = market.requesters[0].address
    for address in (NOBODY, own):
        with refused("KeyNotAuthorised", own, address):
            authorise(market, address)


def test_authorise__a_second_time__is_refused(market: Market, key: Person) -> None:
    """R44: also after it was revoked: nobody's old vouchers come to life again."""
    authorise(market, key.address)
    for _ in range(2):
        with refused("KeyExists", market.requesters[0].address, key.address):
            authorise(market, key.address)
        revoke(market, key)


def test_authorise__until_now__is_refused(market: Market, key: Person) -> None:
    moment = now() + 5
    at(moment)
    with refused("KeyExpired", market.requesters[0].address, key.address, moment):
        authorise(market, key.address, ends_at=moment)


def test_authorise__for_seventeen_models__is_refused(market: Market, key: Person) -> None:
    with refused("TooManyModels", 17, 16):
        authorise(market, key.address, models=[keccak(bytes([n])) for n in range(17)])


def test_authorise__keeps_the_amount_the_time_and_the_models(market: Market, key: Person) -> None:
    """R44: for each requester on its own."""
    models = [keccak(bytes([n])) for n in range(16)]
    event = authorise(market, key.address, 7, now() + 60, models).events["KeyAuthorised"]
    mine, other = (requester.address for requester in market.requesters)
    assert numbers(market.escrow.keyRecord(mine, key.address)) == (7, 0, event["endsAt"], False)
    assert all(market.escrow.isModelAllowed(mine, key.address, model) for model in models)
    assert not market.escrow.isModelAllowed(mine, key.address, MODEL)
    assert not market.escrow.isModelAllowed(other, key.address, models[0])
    assert numbers(market.escrow.keyRecord(other, key.address)) == (0, 0, 0, False)


def test_open__for_a_key_that_was_never_authorised__is_refused(market: Market, key: Person) -> None:
    with refused("KeyNotAuthorised", market.requesters[0].address, key.address):
        market.open_session(key=key)


def test_open__for_a_key_of_another_requester__is_refused(market: Market, key: Person) -> None:
    market.authorise(key, requester=1)
    with refused("KeyNotAuthorised", market.requesters[0].address, key.address):
        market.open_session(key=key)


def test_open__for_another_model__is_refused(market: Market, key: Person) -> None:
    """R44: within its models."""
    market.authorise(key, models=[keccak(b"another")])
    with refused("ModelNotAllowed", key.address, MODEL):
        market.open_session(key=key)


def test_open__at_the_keys_end__is_refused(market: Market, key: Person) -> None:
    market.authorise(key, seconds=50)
    ends_at = int(market.escrow.keyRecord(market.requesters[0].address, key.address)[2])
    at(ends_at)
    with refused("KeyExpired", market.requesters[0].address, key.address, ends_at):
        market.open_session(key=key)


def test_open_and_top_up__beyond_the_keys_cap__are_refused(market: Market, key: Person) -> None:
    """R44: caps of its sessions use up its cap, whatever vouchers it signs."""
    market.authorise(key, cap=CAP + 5, models=[MODEL])
    opened = market.open_session(key=key)
    with refused("KeyCapTooLow", market.requesters[0].address, key.address, 5, 6):
        market.open_session(cap=6, key=key)
    with refused("KeyCapTooLow", market.requesters[0].address, key.address, 5, 6):
        market.top_up(opened, 6)
    market.top_up(opened, 5)
    assert used(market, key) == CAP + 5


def test_open_and_top_up__for_a_revoked_key__are_refused(market: Market, key: Person) -> None:
    """R44: at once."""
    market.authorise(key)
    opened = market.open_session(key=key)
    revoke(market, key)
    for attempt in (lambda: market.open_session(cap=1, key=key), lambda: market.top_up(opened, 1)):
        with refused("KeyCapTooLow", market.requesters[0].address, key.address, 0, 1):
            attempt()


def test_finish__of_a_keys_session__gives_back_what_it_did_not_spend(market: Market, key: Person) -> None:
    """R44: what a session returns counts as unused."""
    market.authorise(key)
    opened = market.open_session(key=key)
    market.commit([], vouchers=[market.voucher(opened, 2 * TOKEN)])
    at(market.close_session(opened).timestamp + market.terms.claim_delay)
    market.finish_session(opened)
    assert market.session_state(opened) is SessionState.CLOSED
    assert used(market, key) == 2 * TOKEN


@pytest.mark.parametrize("signer", ["key", "requester"])
def test_voucher__of_a_keys_session__by_the_key_or_its_requester__is_paid(
    market: Market, key: Person, signer: str
) -> None:
    market.authorise(key)
    opened = market.open_session(key=key)
    who = key if signer == "key" else market.requesters[0]
    batch = market.commit([], vouchers=[market.voucher(opened, TOKEN, signer=who)])
    assert batch.amount == TOKEN


def test_voucher__by_a_key_in_a_session_without_it__is_refused(market: Market, key: Person) -> None:
    """R44: a key signs only for sessions that were opened for it."""
    market.authorise(key)
    opened = market.open_session()
    with refused("VoucherSignatureInvalid", opened.id, key.address):
        market.commit([], vouchers=[market.voucher(opened, 1, signer=key)])


def test_voucher__at_the_keys_end__is_refused_but_not_the_requesters(market: Market, key: Person) -> None:
    """R44: half-open; the requester's own signature has no end."""
    market.authorise(key, seconds=100)
    opened = market.open_session(key=key)
    ends_at = int(market.escrow.keyRecord(market.requesters[0].address, key.address)[2])
    at(ends_at)
    with refused("KeyExpired", market.requesters[0].address, key.address, ends_at):
        market.commit([], vouchers=[market.voucher(opened, 1)])
    at(ends_at + 1)
    assert market.commit([], vouchers=[market.voucher(opened, 1, signer=market.requesters[0])]).amount == 1


def test_revoke__of_a_key_that_was_never_authorised__is_refused(market: Market, key: Person) -> None:
    market.authorise(key)
    with refused("KeyNotAuthorised", market.requesters[1].address, key.address):
        revoke(market, key, requester=1)


def test_revoke__takes_effect_after_the_claim_delay(market: Market, key: Person) -> None:
    """R44: a voucher that the provider has already can be committed until then; revoking again changes nothing."""
    market.authorise(key, seconds=9_000)
    opened = market.open_session(key=key)
    voucher, later = market.voucher(opened, 1), market.voucher(opened, 2)
    sent = revoke(market, key)
    until = sent.timestamp + market.terms.claim_delay
    assert sent.events["KeyRevoked"]["endsAt"] == until
    assert revoke(market, key).events["KeyRevoked"]["endsAt"] == until
    at(until - 1)
    market.commit([], vouchers=[voucher])
    at(until)
    with refused("KeyExpired", market.requesters[0].address, key.address, until):
        market.commit([], vouchers=[later])


def test_revoke__near_its_end__never_lengthens_it(market: Market, key: Person) -> None:
    market.authorise(key, seconds=60)
    ends_at = int(market.escrow.keyRecord(market.requesters[0].address, key.address)[2])
    assert revoke(market, key).events["KeyRevoked"]["endsAt"] == ends_at


def test_revoke__under_new_terms__leaves_the_delay_that_open_sessions_rely_on(
    market: Market, key: Person
) -> None:
    """R44, R49: the longest claim delay of all terms so far; a shorter one reaches no open position."""
    market.authorise(key, seconds=9_000)
    market.open_session(key=key)
    shorter = dataclasses.replace(market.terms, claim_delay=market.terms.claim_delay - 50)
    market.escrow.setTerms(list(dataclasses.astuple(shorter)), {"from": market.as_governor})
    sent = revoke(market, key)
    assert sent.events["KeyRevoked"]["endsAt"] == sent.timestamp + market.terms.claim_delay


def test_voucher_digest__of_the_contract__is_that_of_the_protocol(market: Market) -> None:
    opened = market.open_session()
    voucher = market.voucher(opened, 5)
    arguments = (opened.id, voucher.amount, voucher.units, voucher.calls, voucher.head, voucher.in_flight)
    digest = bytes(market.escrow.voucherDigest(*arguments))
    assert opened.requester.signer.sign(digest) == voucher.signature
    assert len(voucher_tuple(voucher)) == 8
