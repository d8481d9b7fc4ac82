"""Vouchers: what a provider claims from a session, each wei at most once by any path and in any order."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from protocol.economics import fee, needed_stake
from protocol.encoding import keccak
from protocol.messages import Domain, voucher_digest
from protocol.types import BatchState, InFlightClaim, Outcome, RefundReason, SessionState, Voucher
from protocol.units import TOKEN
from tests.contracts.expect import at, numbers, refused
from tests.contracts.market import DEPOSIT, STAKE, Market
from tests.contracts.nouns import OpenedSession, voucher_tuple
from tests.contracts.sessions import CAP

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Of the curve: (r, n - s) with the other recovery bit signs the same digest."""


def send(market: Market, *vouchers: tuple[Any, ...], provider: int = 0) -> Any:
    return market.escrow.commitBatch([], list(vouchers), [], {"from": market.providers[provider].node.account})


def claim(market: Market, *vouchers: Voucher) -> Any:
    return send(market, *(voucher_tuple(voucher) for voucher in vouchers))


def record(market: Market, opened: OpenedSession) -> tuple[int, int]:
    """(cap, committed)"""
    return numbers(market.escrow.session(opened.id)[1:3])  # type: ignore[return-value]


def test_voucher__by_another_provider__is_refused(market: Market) -> None:
    """R40: only the session's provider claims."""
    opened = market.open_session()
    with refused("NotProvider", opened.id, market.providers[1].node.address):
        send(market, voucher_tuple(market.voucher(opened, 1)), provider=1)


def test_voucher__of_a_session_that_nobody_opened__is_refused(market: Market) -> None:
    opened = market.open_session()
    forged = dataclasses.replace(opened.session, largest_call=0)
    voucher = dataclasses.replace(market.voucher(opened, 1), session=forged)
    digest = bytes(market.escrow.sessionIdOf(voucher_tuple(voucher)[0]))
    with refused("WrongSessionState", digest, SessionState.NONE):
        claim(market, voucher)


def test_voucher__when_the_claim_delay_is_over__is_refused(market: Market) -> None:
    """R39: half-open: in the second in which the rest can return."""
    opened = market.open_session()
    voucher = market.voucher(opened, 1)
    until = market.close_session(opened).timestamp + market.terms.claim_delay
    at(until)
    with refused("ClaimsTooLate", opened.id, until):
        claim(market, voucher)


def test_voucher__in_the_last_second_of_the_claim_delay__is_committed(market: Market) -> None:
    opened = market.open_session()
    until = market.close_session(opened).timestamp + market.terms.claim_delay
    at(until - 1)
    claim(market, market.voucher(opened, 5))
    assert record(market, opened) == (CAP, 5)


def test_voucher__of_a_closed_session__is_refused(market: Market) -> None:
    opened = market.open_session()
    at(market.close_session(opened).timestamp + market.terms.claim_delay)
    market.finish_session(opened)
    with refused("WrongSessionState", opened.id, SessionState.CLOSED):
        claim(market, market.voucher(opened, 1))


def test_voucher__of_a_provider_convicted_since_the_opening__is_refused(market: Market) -> None:
    """R20: a conviction reaches every session that was open."""
    opened = market.open_session()
    convicted_at = market.convict(market.committed()).timestamp
    with refused("SessionOfConvictedProvider", opened.id, convicted_at):
        claim(market, market.voucher(opened, 1))


def test_voucher__above_the_cap__is_refused(market: Market) -> None:
    """R40: never more than the requester reserved."""
    opened = market.open_session()
    with refused("VoucherOverCap", opened.id, CAP + 1, CAP):
        claim(market, market.voucher(opened, CAP + 1))


def test_voucher__without_a_head__is_refused(market: Market) -> None:
    """R40: a claim names the transcripts that an audit replays."""
    with refused("ZeroDigest"):
        claim(market, market.voucher(market.open_session(), 1, head=bytes(32)))


@pytest.mark.parametrize("field", ["amount", "units", "calls", "head", "in_flight", "session"])
def test_voucher__with_any_field_changed__is_refused(market: Market, field: str) -> None:
    """R40: the signature binds session, amount, units, calls, head and the calls in flight."""
    opened, other = market.open_session(), market.open_session()
    voucher = market.voucher(opened, 10)
    digest = keccak(b"other")
    changes = {"amount": 11, "units": 301, "calls": 2, "head": digest, "in_flight": digest, "session": other.session}
    forged = dataclasses.replace(voucher, **{field: changes[field]})
    with pytest.raises(Exception, match="VoucherSignatureInvalid"):
        market.commit([], vouchers=[forged], claims=[InFlightClaim(0, 10, 0, ())] if field == "in_flight" else [])


@pytest.mark.parametrize("place", ["chain", "contract"])
def test_voucher__signed_for_another_place__is_refused(market: Market, place: str) -> None:
    """R40: it binds chain and contract."""
    opened = market.open_session()
    chain = market.domain.chain_id + (place == "chain")
    there = Domain(chain, market.domain.contract if place == "chain" else str(market.court.address))
    plain = market.voucher(opened, 10)
    signature = opened.requester.signer.sign(voucher_digest(there, opened.id, plain))
    with pytest.raises(Exception, match="VoucherSignatureInvalid"):
        claim(market, dataclasses.replace(plain, signature=signature))


def test_voucher__by_a_stranger__is_refused(market: Market) -> None:
    opened = market.open_session()
    with refused("VoucherSignatureInvalid", opened.id, market.stranger.address):
        claim(market, market.voucher(opened, 10, signer=market.stranger))


@pytest.mark.parametrize("kind", ["high s", "zero"])
def test_voucher__with_a_malleated_signature__is_refused(market: Market, kind: str) -> None:
    """R40: a compact signature has one form (EIP-2098): a high s does not fit, and nothing recovers to nobody."""
    opened = market.open_session()
    *body, r, vs = voucher_tuple(market.voucher(opened, 10))
    low = int.from_bytes(vs, "big") & (2**255 - 1)
    turned = (ORDER - low) & (2**255 - 1)
    flipped = turned | (1 - (vs[0] >> 7)) << 255
    forged = (r, flipped.to_bytes(32, "big")) if kind == "high s" else (bytes(32), bytes(32))
    with pytest.raises(Exception, match="VoucherSignatureInvalid"):
        send(market, (*body, *forged))


def test_voucher__again_or_lower__adds_nothing_and_is_refused(market: Market) -> None:
    """R41: a voucher pays what it adds to the last one; never twice, in whatever order."""
    opened = market.open_session()
    low, high = market.voucher(opened, 10), market.voucher(opened, 20)
    claim(market, high)
    for voucher in (high, low):
        with refused("VoucherAddsNothing", opened.id, voucher.amount, 20):
            claim(market, voucher)
    with refused("VoucherAddsNothing", opened.id, 20, 20):
        claim(market, market.voucher(opened, 20, calls=2, head=keccak(b"another head")))


def test_voucher__twice_in_a_batch__is_refused(market: Market) -> None:
    opened = market.open_session()
    voucher = market.voucher(opened, 10)
    with refused("VoucherAddsNothing", opened.id, 10, 10):
        claim(market, voucher, voucher)


def test_voucher__after_its_batch_was_forfeited__is_refused(market: Market) -> None:
    """R41: not even when what it claimed went back."""
    opened = market.open_session()
    voucher = market.voucher(opened, 10)
    batch = market.commit([], vouchers=[voucher])
    market.convict(batch)
    with pytest.raises(Exception, match="SessionOfConvictedProvider"):
        claim(market, voucher)


def test_voucher__dearer_than_the_stake_deters__is_refused(market: Market) -> None:
    """R42: what deters is asked again at the commitment: the largest call, or less if the voucher adds less."""
    opened, owner = market.open_session(), market.providers[0].owner
    rates = (market.terms.slash_bps, market.terms.challenger_bps, market.terms.detection_bps)
    needed = needed_stake(opened.session.largest_call, *rates)
    market.staking.unstake(STAKE - needed + 1, {"from": owner.account})
    with refused("StakeDoesNotDeter", owner.address, needed - 1, needed):
        claim(market, market.voucher(opened, CAP))
    claim(market, market.voucher(opened, opened.session.largest_call - TOKEN))


def test_vouchers__of_one_session_in_one_batch__pay_each_what_it_adds(market: Market) -> None:
    """R41: partial payment never burns the rest: what is not claimed yet can be claimed later."""
    opened = market.open_session()
    before = market.snapshot()
    batch = market.commit([], vouchers=[market.voucher(opened, 3 * TOKEN), market.voucher(opened, 5 * TOKEN)])
    assert [entry.amount for entry in batch.entries] == [3 * TOKEN, 2 * TOKEN]
    assert market.changes(before) == {"exposure": 5 * TOKEN}
    market.settle(batch)
    rest = market.commit([], vouchers=[market.voucher(opened, CAP)])
    market.settle(rest)
    fees = fee(5 * TOKEN, market.terms.fee_bps) + fee(CAP - 5 * TOKEN, market.terms.fee_bps)
    assert market.changes(before) == {"provider 0": CAP - fees, "fees": fees}
    assert record(market, opened) == (CAP, CAP)


def test_vouchers_and_jobs__in_one_batch__are_paid_together(market: Market) -> None:
    """R40: a line of a voucher is marked by its zero answer digest, and its head is what an audit replays."""
    opened, job = market.open_session(requester=1), market.open()
    before = market.snapshot()
    voucher = market.voucher(opened, TOKEN, units=9, calls=4)
    batch = market.commit([job], [job.job.price], vouchers=[voucher])
    event = market.commits[batch.id].events["VouchersCommitted"]
    assert (event["batchId"], [tuple(row) for row in event["claims"]]) == (batch.id, [(TOKEN, 9, 4)])
    assert batch.entries[1] == market.voucher_entry(voucher, TOKEN)
    price = job.job.price
    assert market.changes(before) == {"exposure": TOKEN, "reserved 0": -price}
    sent = market.settle(batch)
    taken = fee(price + TOKEN, market.terms.fee_bps)
    assert market.changes(before) == {
        "provider 0": price + TOKEN - taken,
        "fees": taken,
        "exposure": -price,
        "reserved 0": -price,
    }
    settled = sent.events["VouchersSettled"]
    assert (settled["batchId"], settled["paid"]) == (batch.id, TOKEN)


def test_voucher__by_default__is_paid_because_it_is_signed_evidence(market: Market) -> None:
    """R43: without any decision and without storage receipts."""
    opened, job = market.open_session(), market.open(1)
    before = market.snapshot()
    batch = market.commit([job], vouchers=[market.voucher(opened, TOKEN)])
    at(market.default_from(batch))
    market.mature_by_default(batch)
    taken, price = fee(TOKEN, market.terms.fee_bps), job.job.price
    changed = {"provider 0": TOKEN - taken, "requester 1": price, "fees": taken}
    assert market.changes(before) == changed | {"exposure": -price, "reserved 0": -price}


@pytest.mark.parametrize("outcome", [Outcome.FRAUD, Outcome.NOT_OPENED])
def test_voucher__of_a_forfeited_batch__returns_what_it_added(market: Market, outcome: Outcome) -> None:
    """R43: to the requester's free balance; with the rest of the cap it is whole again."""
    opened = market.open_session()
    paid, bad = (market.commit([], vouchers=[market.voucher(opened, n * TOKEN)]) for n in (1, 3))
    market.settle(paid)
    sent = market.convict(bad, outcome)
    reason = RefundReason.FRAUD if outcome is Outcome.FRAUD else RefundReason.NOT_OPENED
    event = sent.events["VoucherRefunded"]
    assert (event["amount"], event["reason"]) == (2 * TOKEN, reason)
    market.finish_session(opened)
    assert market.free(market.requesters[0]) == DEPOSIT - market.terms.open_fee - TOKEN
    assert market.batch_state(bad)[0] is BatchState.FORFEITED
