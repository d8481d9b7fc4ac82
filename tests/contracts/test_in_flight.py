"""Claims on vouchers that name calls in flight: nothing in advance, nothing above what is signed, nothing twice."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.calls import claimed_head, in_flight_digest, link
from protocol.economics import fee
from protocol.encoding import keccak
from protocol.types import BatchState, InFlightClaim, Outcome, SessionState, Voucher
from protocol.units import TOKEN, Digest, Wei
from tests.contracts.expect import at, numbers, refused
from tests.contracts.market import DEPOSIT, Market
from tests.contracts.nouns import OpenedSession
from tests.contracts.sessions import CAP

SPECS = tuple(sorted(keccak(b"spec %d" % n) for n in range(3)))
LINKS = tuple(link(spec, keccak(b"leaf of" + spec)) for spec in SPECS)


def advance(market: Market, opened: OpenedSession, amount: int, units: int = 300, calls: int = 1) -> Voucher:
    """A voucher that pays for three calls in flight beyond its own."""
    return market.voucher(opened, amount, units, calls, in_flight=in_flight_digest(SPECS))


def claim(amount: int, units: int = 0, links: tuple[Digest, ...] = (), voucher: int = 0) -> InFlightClaim:
    return InFlightClaim(voucher, Wei(amount), units, links)


def commit(market: Market, voucher: Voucher, *claims: InFlightClaim) -> Any:
    return market.commit([], vouchers=[voucher], claims=claims)


def told(market: Market, batch: Any) -> list[tuple[int, ...]]:
    """What `VouchersCommitted` says: (amount, units, calls) of each voucher."""
    return [numbers(row) for row in market.commits[batch.id].events["VouchersCommitted"]["claims"]]


def committed(market: Market, opened: OpenedSession) -> int:
    return int(market.escrow.session(opened.id)[2])


def test_voucher_with_calls_in_flight__without_a_claim__is_refused(market: Market) -> None:
    """R123: what is signed in advance is never paid as it stands."""
    opened = market.open_session()
    with refused("ClaimMissing", opened.id):
        commit(market, advance(market, opened, 10))


def test_claim__above_its_voucher__is_refused(market: Market) -> None:
    """R40: never more than the requester signed."""
    opened = market.open_session()
    with refused("ClaimOverVoucher", opened.id, 11, 10):
        commit(market, advance(market, opened, 10), claim(11, links=LINKS))


def test_claim__of_a_voucher_over_the_cap__is_refused(market: Market) -> None:
    """R40: the cap bounds what is signed, also where less is claimed."""
    opened = market.open_session()
    with refused("VoucherOverCap", opened.id, CAP + 1, CAP):
        commit(market, advance(market, opened, CAP + 1), claim(5))


def test_links__of_a_voucher_that_names_nothing__are_refused(market: Market) -> None:
    """R123: a call is claimed beyond a voucher only where the requester named specs."""
    opened = market.open_session()
    with refused("NothingInFlight", opened.id):
        commit(market, market.voucher(opened, 10), claim(10, links=LINKS[:1]))


def test_claim__that_adds_nothing__is_refused(market: Market) -> None:
    """R41: neither nothing, nor the same once more, whatever links stand with it."""
    opened = market.open_session()
    with refused("VoucherAddsNothing", opened.id, 0, 0):
        commit(market, advance(market, opened, 10), claim(0))
    commit(market, advance(market, opened, 10), claim(7, 20, LINKS[:1]))
    for again in (claim(7, 20, LINKS[:1]), claim(7, 20, LINKS), claim(6)):
        with refused("VoucherAddsNothing", opened.id, again.amount, 7):
            commit(market, advance(market, opened, 10), again)


def test_claims__twice_in_one_batch__are_refused(market: Market) -> None:
    """R41: two vouchers of one session, each with the same claim."""
    opened = market.open_session()
    voucher = advance(market, opened, 10)
    with refused("VoucherAddsNothing", opened.id, 7, 7):
        market.commit([], vouchers=[voucher, voucher], claims=[claim(7), claim(7, voucher=1)])


@pytest.mark.parametrize(
    ("places", "told_as"), [((1, 0), (1, 0)), ((0, 0), (1, 0)), ((2,), (0, 2)), ((0, 1, 9), (2, 9))]
)
def test_claims__that_fit_no_voucher__are_refused(
    market: Market, places: tuple[int, ...], told_as: tuple[int, int]
) -> None:
    """R123: in the order of the vouchers, at most one for each, none beyond them."""
    vouchers = [market.voucher(market.open_session(), 10) for _ in range(2)]
    with refused("ClaimMisplaced", *told_as):
        market.commit([], vouchers=vouchers, claims=[claim(9, voucher=place) for place in places])


def test_claim__without_any_voucher__is_refused(market: Market) -> None:
    with refused("ClaimMisplaced", 0, 0):
        market.commit([market.open()], claims=[claim(9)])


@pytest.mark.parametrize(("units", "calls"), [(2**64 - 1, 1), (0, 2**32 - 1)])
def test_claim__whose_totals_overflow__is_refused(market: Market, units: int, calls: int) -> None:
    opened = market.open_session()
    with pytest.raises(Exception, match="overflow"):
        commit(market, advance(market, opened, 10, units=1, calls=calls), claim(9, units, LINKS[:1]))


def test_claim__without_links__pays_the_ended_calls_and_leaves_the_rest(market: Market) -> None:
    """R123, R41: the head is the voucher's; what is in flight is claimed by a later voucher, and paid once."""
    opened = market.open_session()
    before = market.snapshot()
    first = commit(market, advance(market, opened, 5 * TOKEN, 300, 1), claim(2 * TOKEN))
    assert told(market, first) == [(2 * TOKEN, 300, 1)]
    assert first.entries[0].leaf == advance(market, opened, 5 * TOKEN).head
    assert market.changes(before) == {"exposure": 2 * TOKEN}
    later = commit(market, market.voucher(opened, 3 * TOKEN, 500, 2))
    assert (told(market, later), later.entries[0].amount) == ([(3 * TOKEN, 500, 2)], TOKEN)
    market.settle(first)
    market.settle(later)
    fees = fee(2 * TOKEN, market.terms.fee_bps) + fee(TOKEN, market.terms.fee_bps)
    assert market.changes(before) == {"provider 0": 3 * TOKEN - fees, "fees": fees}
    assert committed(market, opened) == 3 * TOKEN


def test_claim__with_links__fixes_each_call_in_the_committed_head(market: Market) -> None:
    """R123: h = keccak(head, inFlight), then h = keccak(h, link) for each; units and calls of the links are added."""
    opened = market.open_session()
    before = market.snapshot()
    voucher = advance(market, opened, 5 * TOKEN, 300, 4)
    batch = commit(market, voucher, claim(4 * TOKEN, 21, LINKS[:2]))
    head = keccak(keccak(keccak(voucher.head + voucher.in_flight) + LINKS[0]) + LINKS[1])
    assert batch.entries[0].leaf == head == claimed_head(voucher.head, voucher.in_flight, LINKS[:2])
    assert told(market, batch) == [(4 * TOKEN, 321, 6)]
    sent = market.settle(batch)
    assert sent.events["VouchersSettled"]["paid"] == 4 * TOKEN
    at(market.close_session(opened).timestamp + market.terms.claim_delay)
    market.finish_session(opened)
    taken = fee(4 * TOKEN, market.terms.fee_bps)
    assert market.changes(before) == {"provider 0": 4 * TOKEN - taken, "fees": taken, "requester 0": CAP - 4 * TOKEN}
    assert market.session_state(opened) is SessionState.CLOSED


def test_claim__of_all_that_is_signed__is_paid(market: Market) -> None:
    """R40: to the last wei, once."""
    opened = market.open_session()
    commit(market, advance(market, opened, CAP), claim(CAP, 1, LINKS))
    assert committed(market, opened) == CAP
    with refused("VoucherAddsNothing", opened.id, CAP, CAP):
        commit(market, market.voucher(opened, CAP, calls=9, head=keccak(b"later")))


def test_claim__below_a_voucher_that_names_nothing__is_paid_as_claimed(market: Market) -> None:
    opened = market.open_session()
    batch = commit(market, market.voucher(opened, 10, 300, 1), claim(8))
    assert (told(market, batch), committed(market, opened)) == ([(8, 300, 1)], 8)


def test_claims__in_a_batch_of_all_kinds__meet_their_own_voucher(market: Market) -> None:
    """R123: a job, then vouchers without and with calls in flight, of two sessions."""
    opened, other, job = market.open_session(), market.open_session(requester=1), market.open()
    vouchers = [market.voucher(other, 10), advance(market, opened, 20), market.voucher(other, 30, 400, 2),
                advance(market, opened, 40, 350, 2)]
    batch = market.commit([job], vouchers=vouchers, claims=[claim(11, voucher=1), claim(35, 5, LINKS, 3)])
    assert [entry.amount for entry in batch.entries[1:]] == [10, 11, 20, 24]
    assert told(market, batch) == [(10, 300, 1), (11, 300, 1), (30, 400, 2), (35, 355, 5)]
    linked = claimed_head(vouchers[3].head, vouchers[3].in_flight, LINKS)
    assert [entry.leaf for entry in batch.entries[1:]] == [*(its.head for its in vouchers[:3]), linked]
    market.settle(batch)
    assert (committed(market, other), committed(market, opened)) == (30, 35)


def test_claim__of_a_forfeited_batch__returns_what_it_added(market: Market) -> None:
    """R43: the requester gets back what the claim took, not what it signed."""
    opened = market.open_session()
    batch = commit(market, advance(market, opened, 5 * TOKEN), claim(3 * TOKEN, 9, LINKS[:1]))
    sent = market.convict(batch, Outcome.NOT_OPENED)
    assert sent.events["VoucherRefunded"]["amount"] == 3 * TOKEN
    market.finish_session(opened)
    assert market.free(market.requesters[0]) == DEPOSIT - market.terms.open_fee
    assert market.batch_state(batch)[0] is BatchState.FORFEITED
