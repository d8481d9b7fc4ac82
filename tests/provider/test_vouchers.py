"""The rule of vouchers, as a store of sessions applies it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.calls import QUANTUM, next_head
from protocol.economics import payment
from protocol.encoding import keccak
from protocol.messages import Domain
from protocol.signing import Signer
from protocol.transcript import spec_digest
from protocol.types import SessionState
from protocol.units import Digest
from protocol.vouchers import CLAIM_MARGIN
from provider.edges.fake_sessions import FakeSessions
from provider.records.sessions import CallRefused
from provider.records.work import Lease
from tests.provider.session_world import CAP, HOLDER, INPUT, NOW, OFFER, Payer, opened, run

SUB_KEY = Signer(keccak(b"sub-key"))


def refusal(sessions: FakeSessions, request: object) -> CallRefused:
    with pytest.raises(CallRefused) as caught:
        sessions.admit(request, "chat", INPUT, NOW)  # type: ignore[arg-type]
    assert sessions.calls_in_flight() == 0
    return caught.value


def test_admit__unknown_session__404_and_try_again() -> None:
    payer = Payer()
    error = refusal(FakeSessions(), payer.ask())
    assert (error.status, error.code, error.retry_after) == (404, "session_unknown", 1)


def test_admit__one_wei_short_of_a_quantum__402() -> None:
    """R108: a new call needs a voucher that leaves its input and one quantum of output beyond what is owed."""
    payer = Payer()
    sessions = opened(payer)
    error = refusal(sessions, payer.request(payer.sign(payer.needs() - 1)))
    assert (error.status, error.code) == (402, "not_covered")
    assert "Sign 1 wei more" in error.fix
    assert sessions.admit(payer.request(payer.sign(payer.needs())), "chat", INPUT, NOW).granted == 20


def test_admit__voucher_replayed__409_with_the_totals() -> None:
    """R109: the same voucher pays for no second call, however much it leaves."""
    payer = Payer()
    sessions = opened(payer)
    voucher = payer.sign(CAP)
    payer.see(run(sessions, sessions.admit(payer.request(voucher), "chat", INPUT, NOW)))
    error = refusal(sessions, payer.request(voucher))
    assert (error.status, error.code) == (409, "voucher_stale")
    assert error.totals is not None and error.totals.owed == payer.known
    assert error.totals.accepted.amount == CAP


def test_admit__same_nonce__409_replay() -> None:
    payer = Payer()
    sessions = opened(payer)
    first = payer.ask()
    payer.see(run(sessions, sessions.admit(first, "chat", INPUT, NOW)))
    again = replace(first, voucher=payer.sign(CAP, in_flight=(spec_digest(first.spec),)))
    assert refusal(sessions, again).code == "replay"


def test_accept__lowered_without_more_calls__409() -> None:
    """R109: a voucher may fall only when its calls grow."""
    payer = Payer()
    sessions = opened(payer)
    sessions.accept_voucher(payer.sign(5_000), NOW)
    with pytest.raises(CallRefused) as caught:
        sessions.accept_voucher(payer.sign(4_999), NOW)
    assert (caught.value.status, caught.value.code) == (409, "voucher_stale")
    assert sessions.accept_voucher(payer.sign(5_000), NOW).accepted.amount == 5_000


def test_accept__fewer_calls__409() -> None:
    payer = Payer()
    sessions = opened(payer)
    before = payer.known
    payer.see(run(sessions, sessions.admit(payer.ask(), "chat", INPUT, NOW)))
    sessions.accept_voucher(payer.sign(payer.known.amount), NOW)
    with pytest.raises(CallRefused, match="the last one taken said"):
        sessions.accept_voucher(payer.sign(CAP, before), NOW)


@pytest.mark.parametrize("change", ["head", "units", "ahead"])
def test_accept__other_head_tokens_or_calls__409_wrong_head(change: str) -> None:
    """R109: head and tokens are the provider's after so many calls."""
    payer = Payer()
    sessions = opened(payer)
    payer.see(run(sessions, sessions.admit(payer.ask(), "chat", INPUT, NOW)))
    right = payer.known
    wrong = {"head": replace(right, head=Digest(next_head(right.head, bytes(32)))),
             "units": replace(right, units=right.units + 1), "ahead": replace(right, calls=2)}[change]
    with pytest.raises(CallRefused) as caught:
        sessions.accept_voucher(payer.sign(right.amount, wrong), NOW)
    assert (caught.value.status, caught.value.code) == (409, "wrong_head")


def test_accept__over_cap__402() -> None:
    payer = Payer()
    sessions = opened(payer, cap=9_999)
    with pytest.raises(CallRefused) as caught:
        sessions.accept_voucher(payer.sign(10_000), NOW)
    assert (caught.value.status, caught.value.code) == (402, "over_cap")
    assert sessions.accept_voucher(payer.sign(9_999), NOW).accepted.amount == 9_999


@pytest.mark.parametrize("domain", [Domain(1, Payer().domain.contract), Domain(31337, Payer().signer.address)])
def test_accept__signed_for_another_chain_or_escrow__403(domain: Domain) -> None:
    """R109: a voucher counts on its own chain and escrow only."""
    payer = Payer()
    with pytest.raises(CallRefused) as caught:
        opened(payer).accept_voucher(payer.sign(5_000, domain=domain), NOW)
    assert (caught.value.status, caught.value.code) == (403, "wrong_signer")


def test_accept__stranger_or_broken_signature__403() -> None:
    payer = Payer()
    sessions = opened(payer)
    for voucher in (payer.sign(5_000, by=SUB_KEY), replace(payer.sign(5_000), signature=b"short"),
                    replace(payer.sign(5_000), signature=bytes(64) + b"\x1b")):
        with pytest.raises(CallRefused) as caught:
            sessions.accept_voucher(voucher, NOW)
        assert (caught.value.status, caught.value.code) == (403, "wrong_signer")


@pytest.mark.parametrize("key_ends_at", [0, int(NOW), int(NOW) + CLAIM_MARGIN])
def test_accept__key_revoked_or_expired__403_and_the_requester_still_signs(key_ends_at: int) -> None:
    """R109: a session's key counts until it is revoked or expires."""
    payer = Payer(sub_key=SUB_KEY)
    sessions = opened(payer, key_ends_at=key_ends_at)
    with pytest.raises(CallRefused) as caught:
        sessions.accept_voucher(payer.sign(5_000), NOW)
    assert (caught.value.status, caught.value.code) == (403, "key_revoked")
    assert sessions.accept_voucher(payer.sign(5_000, by=payer.signer), NOW).accepted.amount == 5_000


def test_accept__key_that_stands__is_taken() -> None:
    payer = Payer(sub_key=SUB_KEY)
    sessions = opened(payer, key_ends_at=int(NOW) + CLAIM_MARGIN + 1)
    assert sessions.accept_voucher(payer.sign(5_000), NOW).accepted.amount == 5_000


def test_closing__session__takes_vouchers_until_its_end_and_no_call() -> None:
    payer = Payer()
    sessions = opened(payer)
    row = sessions.rows[payer.id]
    row.standing = replace(row.standing, state=SessionState.CLOSING, ends_at=int(NOW) + CLAIM_MARGIN + 5)
    assert refusal(sessions, payer.ask()).code == "session_over"
    assert sessions.accept_voucher(payer.sign(5_000), NOW).accepted.amount == 5_000
    with pytest.raises(CallRefused) as caught:
        sessions.accept_voucher(payer.sign(6_000), NOW + 5)
    assert caught.value.code == "session_over"


def test_race__two_clients_on_the_same_totals__one_wins_and_the_other_learns_the_totals() -> None:
    """R109: two clients that sign from the same totals do not share one advance."""
    payer = Payer()
    sessions = opened(payer)
    first, second = payer.ask(), payer.ask()
    sessions.admit(first, "chat", INPUT, NOW)
    with pytest.raises(CallRefused) as caught:
        sessions.admit(second, "chat", INPUT, NOW)
    assert caught.value.code == "voucher_stale"
    totals = caught.value.totals
    assert totals is not None and totals.held == payment(INPUT, 20, OFFER.input_price, OFFER.output_price)
    sessions.admit(payer.ask(beside=totals.held), "chat", INPUT, NOW)
    assert sessions.calls_in_flight() == 2


def test_close__exact_while_another_call_runs__stays_above_what_that_call_holds() -> None:
    """R108: a closing voucher may take back an advance, but nothing that a call in flight was granted."""
    payer = Payer()
    sessions = opened(payer)
    one = sessions.admit(payer.ask(), "chat", INPUT, NOW)
    two = sessions.admit(payer.ask(beside=payer.needs()), "chat", INPUT, NOW)
    payer.see(run(sessions, one))
    with pytest.raises(CallRefused) as caught:
        sessions.accept_voucher(payer.sign(payer.known.amount), NOW)
    assert caught.value.code == "not_covered"
    exact = payer.known.amount + payment(INPUT, two.granted, OFFER.input_price, OFFER.output_price)
    assert sessions.accept_voucher(payer.sign(exact), NOW).accepted.amount == exact


def test_allowed__coverage_used_up__waits_until_a_voucher_renews() -> None:
    payer = Payer()
    sessions = opened(payer)
    call = sessions.admit(payer.ask(max_output_tokens=2000), "chat", INPUT, NOW)
    sessions.claim_call(call.call_id, Lease(HOLDER, NOW + 30), NOW)
    made = call.granted
    while (allowed := sessions.allowed(call.call_id, HOLDER, made, NOW)) > made:
        made = allowed
    assert made == QUANTUM
    received = payment(INPUT, made + 10, OFFER.input_price, OFFER.output_price)
    sessions.accept_voucher(payer.sign(received), NOW)
    assert sessions.allowed(call.call_id, HOLDER, made, NOW) == made + 10
