"""The meter: what a session owes, what its next voucher says, when it is time for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.calls import (
    MAX_IN_FLIGHT,
    NOTHING_IN_FLIGHT,
    CallLine,
    begin,
    chain_heads,
    in_flight_digest,
    line_digest,
)
from protocol.encoding import keccak
from protocol.envelope import SignedTotals
from protocol.messages import Domain, session_id
from protocol.signing import recover
from protocol.types import Offer, Session, SessionState
from protocol.units import TOKEN, Address, Digest, Wei
from protocol.vouchers import Standing, VoucherRefused, on_chain, signer_of, take_voucher
from requester.errors import CapReached, TooManyCalls
from requester.flow.signed_totals import sign_totals
from requester.flow.vouchers import Meter
from tests.requester.fakes import MODEL, PROFILE, START, signer

OFFER = Offer(signer(50).address, MODEL, PROFILE, Wei(1), Wei(10), 10_000, 10_000, 5, Wei(TOKEN), 1, START + 1000)
DOMAIN = Domain(31337, Address("0x" + "11" * 20))
SESSION = Session(signer(7).address, OFFER.provider, keccak(b"offer"), Address("0x" + "00" * 20), Wei(1), START, 3)
ID = session_id(DOMAIN.chain_id, DOMAIN.contract, SESSION)


def meter(cap: int = 10**6, quantum: int = 100) -> Meter:
    return Meter(OFFER, Wei(cap), begin(ID), None, quantum)


def spec(nonce: int) -> Digest:
    return keccak(b"spec" + nonce.to_bytes(2, "big"))


def line(name: str, inputs: int, outputs: int) -> CallLine:
    return CallLine(keccak(name.encode()), inputs, outputs)


def sign(its: Meter, is_new: bool = False) -> SignedTotals:
    its.signed = sign_totals(its.following(is_new), its.named, ID, SESSION, DOMAIN, signer(7))
    return its.signed


def test_begin__more_than_the_cap_holds__is_refused_with_what_is_missing() -> None:
    its = meter(cap=1_000)
    its.begin(1, spec(1), 50, 50)
    with pytest.raises(CapReached) as caught:
        its.begin(2, spec(2), 50, 50)
    assert caught.value.missing == 100
    assert its.in_flight == 1


def test_following__calls_in_flight__covers_a_quantum_for_each() -> None:
    its = meter()
    its.begin(1, spec(1), 50, 1000)
    its.begin(2, spec(2), 20, 30)
    assert its.following().amount == (50 + 100 * 10) + (20 + 30 * 10)


def test_following__new_call_after_one_that_came_to_nothing__differs_from_the_last() -> None:
    its = meter()
    its.begin(1, spec(1), 50, 1000)
    first = sign(its, is_new=True)
    its.drop(1)
    its.begin(2, spec(2), 50, 1000)
    assert its.following(is_new=True).amount == first.amount + 1
    assert its.following().amount == first.amount, "a renewal may repeat it"


def test_following__ended_calls__is_exact_and_may_fall_below_the_last() -> None:
    its = meter()
    its.begin(1, spec(1), 50, 1000)
    covered = sign(its)
    its.end(1, spec(1), 1, line("a", 50, 3))
    closing = sign(its)
    assert closing.amount == 50 + 3 * 10 < covered.amount
    assert (closing.calls, closing.units, closing.head) == (1, 53, chain_heads(ID, [line_digest(line("a", 50, 3))]))


def test_end__numbers_out_of_order__the_head_waits_for_the_gap() -> None:
    its = meter()
    for nonce in (1, 2):
        its.begin(nonce, spec(nonce), 50, 1000)
    its.end(2, spec(2), 2, line("b", 50, 5))
    waiting = its.following()
    assert (waiting.calls, waiting.amount) == (0, (50 + 5 * 10) + (50 + 100 * 10))
    assert its.is_known(2) and not its.is_known(1)
    its.end(1, spec(1), 1, line("a", 50, 3))
    assert its.following().head == chain_heads(ID, [line_digest(line("a", 50, 3)), line_digest(line("b", 50, 5))])
    assert its.following().amount == 2 * 50 + 8 * 10


def test_receive__half_a_quantum_left__asks_for_the_next_voucher_once() -> None:
    its = meter(quantum=100)
    its.begin(1, spec(1), 50, 1000)
    sign(its)
    asked = [count for count in range(1, 120) if its.receive(1, count) and sign(its)]
    assert asked == [50, 100]


def test_receive__all_of_the_call_covered__never_asks_again() -> None:
    its = meter(quantum=100)
    its.begin(1, spec(1), 50, 80)
    sign(its)
    assert not any(its.receive(1, count) for count in range(1, 81))


def test_following__at_the_cap__never_passes_it() -> None:
    its = meter(cap=600)
    its.begin(1, spec(1), 50, 50)
    its.signed = sign_totals(its.following(), its.named, ID, SESSION, DOMAIN, signer(7))
    its.cap = Wei(100)
    assert its.following().amount == 100


def test_begin__more_calls_than_a_voucher_can_name__waits_for_an_end() -> None:
    its = meter(cap=10**9)
    for nonce in range(MAX_IN_FLIGHT):
        its.begin(nonce, spec(nonce), 50, 10)
    with pytest.raises(TooManyCalls, match="64 calls"):
        its.begin(99, spec(99), 50, 10)
    its.drop(0)
    its.begin(99, spec(99), 50, 10)
    assert len(its.named) == MAX_IN_FLIGHT


def test_named__calls_in_flight_early_and_lost__until_the_head_has_them() -> None:
    """R123: a voucher names every call that it may pay beyond its head, and none that the provider never took."""
    its = meter()
    assert sign(its).in_flight == () and on_chain(SESSION, sign(its)).in_flight == NOTHING_IN_FLIGHT
    for nonce in (1, 2, 3, 4):
        its.begin(nonce, spec(nonce), 50, 100)
    its.drop(4)
    assert sign(its).in_flight == tuple(sorted(map(spec, (1, 2, 3))))
    its.end(2, spec(2), 2, line("b", 50, 5))
    its.drop(3, lost=spec(3))
    waiting = sign(its)
    assert waiting.in_flight == tuple(sorted(map(spec, (1, 2, 3)))) and waiting.calls == 0
    its.end(1, spec(1), 1, line("a", 50, 3))
    closing = sign(its)
    assert (closing.calls, closing.in_flight) == (2, (spec(3),)), "a lost call may have a number that is never learnt"
    assert on_chain(SESSION, closing).in_flight == in_flight_digest([spec(3)]) == keccak(spec(3))


def test_named__after_a_restart__the_voucher_is_the_same() -> None:
    """R123: what a voucher names comes back with the calls that its journal has."""
    its, again = meter(), meter()
    for nonce in (1, 2, 3):
        its.begin(nonce, spec(nonce), 50, 100)
    its.end(2, spec(2), 2, line("b", 50, 5))
    its.drop(3, lost=spec(3))
    signed = sign(its)
    again.signed = signed
    again.end(2, spec(2), 2, line("b", 50, 5))
    again.drop(3, lost=spec(3))
    again.resume(1, spec(1), 50, 100)
    assert sign(again) == signed


def test_sign__voucher__recovers_to_its_signer_on_this_chain_only() -> None:
    its = meter()
    its.begin(1, spec(1), 50, 1000)
    signed = sign(its)
    assert signer_of(SESSION, signed, DOMAIN) == signer(7).address
    assert signer_of(SESSION, signed, Domain(1, DOMAIN.contract)) != signer(7).address
    assert len(signed.signature) == 65 and recover(keccak(b"other"), signed.signature) != signer(7).address


@given(st.lists(st.tuples(st.sampled_from("bred"), st.integers(0, 5), st.integers(1, 400)), max_size=40))
def test_following__any_order_of_calls__the_provider_takes_every_voucher(steps: list[tuple[str, int, int]]) -> None:
    """Begin, receive, end, drop in any order: each voucher passes the provider's own rule, and pays what is owed."""
    its = meter(cap=10**9)
    standing = Standing(SESSION, SessionState.OPEN, Wei(10**9), START + 10_000, 0, begin(ID), begin(ID), Wei(0))
    totals, open_calls, number, ended = [begin(ID)], {}, 0, {}
    for kind, nonce, count in steps:
        if kind == "b" and nonce not in open_calls:
            open_calls[nonce] = 0
            its.begin(nonce, spec(nonce), 7, 400)
        elif kind == "r" and nonce in open_calls:
            open_calls[nonce] = max(count, open_calls[nonce])
            its.receive(nonce, open_calls[nonce])
        elif kind == "e" and open_calls.get(nonce):
            number += 1
            its.end(nonce, spec(nonce), number, line(f"{number}", 7, open_calls.pop(nonce)))
            totals.append(its.finished)
            ended[number] = spec(nonce)
        elif kind == "d" and nonce in open_calls:
            its.drop(nonce)
            del open_calls[nonce]
        signed = sign(its)
        owed = totals[-1]
        try:
            beyond = [*map(spec, open_calls), *(named for place, named in ended.items() if place > signed.calls)]
            standing = take_voucher(Standing(SESSION, SessionState.OPEN, standing.cap, standing.ends_at, 0, owed,
                                             standing.accepted, Wei(0)), signed, totals[signed.calls], beyond, DOMAIN,
                                    START)
        except VoucherRefused as refused:
            raise AssertionError(f"{refused.word}: {refused.message}") from refused
        assert signed.amount >= owed.amount
    assert Digest(its.finished.head) == totals[-1].head
