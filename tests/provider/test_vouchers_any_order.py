"""The rule of vouchers over any order of events, and over any totals."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.calls import Totals
from protocol.economics import payment
from protocol.encoding import keccak
from protocol.units import Digest, Wei
from protocol.vouchers import GRANT
from provider.records.sessions import CallRefused
from provider.records.work import Lease
from tests.provider.session_world import CAP, HOLDER, INPUT, NOW, Payer, opened, run, work

STEPS = st.lists(st.tuples(st.sampled_from(["call", "more", "end", "fail", "close", "top"]), st.integers(0, 7),
                           st.integers(0, 3000)), max_size=60)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_vouchers__any_order_of_calls_and_vouchers__nothing_is_ever_unpaid(steps: list[tuple[str, int, int]]) -> None:
    """R108: what is owed and granted never exceeds the last voucher, which never exceeds the cap; a requester that
    signs the least for each step has promised at most one quantum beyond what each call was granted."""
    payer, flying = Payer(), []
    sessions = opened(payer, cap=400_000)
    for what, which, number in steps:
        now, chosen = sessions.rows[payer.id].standing, flying[which % len(flying)] if flying else None
        if what == "call":
            wanted = 1 + number % 600
            try:
                request = payer.request(payer.sign(now.owed.amount + now.held + payer.needs(wanted)), wanted)
                call = sessions.admit(request, "chat", INPUT, NOW)
                sessions.claim_call(call.call_id, Lease(HOLDER, NOW + 30), NOW)
                flying.append(call.call_id)
            except CallRefused as error:
                assert error.code in ("over_cap", "voucher_stale")
        elif what == "more" and chosen:
            call_now = sessions.calls[chosen]
            assert sessions.allowed(chosen, HOLDER, call_now.granted, NOW) <= call_now.granted + GRANT
        elif what == "end" and chosen:
            made = number % (sessions.calls[chosen].granted + 1)
            ended = sessions.finish_call(chosen, HOLDER, work(made, chosen.hex()), NOW)
            assert ended is not None
            payer.see(ended)
            flying.remove(chosen)
        elif what == "fail" and chosen:
            assert sessions.fail_call(chosen, "no output")
            flying.remove(chosen)
        elif what in ("close", "top"):
            amount = now.owed.amount + now.held + (number if what == "top" else 0)
            try:
                sessions.accept_voucher(payer.sign(amount), NOW)
            except CallRefused as error:
                assert error.code in ("voucher_stale", "over_cap")
        after = sessions.rows[payer.id].standing
        assert 0 <= after.owed.amount <= after.owed.amount + after.held <= max(after.accepted.amount, 0)
        assert after.accepted.amount <= after.cap
        assert after.held == sum(payment(INPUT, sessions.calls[i].granted, 10, 100) for i in flying)


@settings(max_examples=200, deadline=None)
@given(amount=st.integers(-5, 2 * CAP), units=st.integers(-1, 40), calls=st.integers(-1, 3), salt=st.binary(max_size=2))
def test_accept__any_totals__taken_only_if_they_are_the_provider_s(amount: int, units: int, calls: int,
                                                                  salt: bytes) -> None:
    """R109: whatever is signed, the store keeps totals that it could commit, or nothing changes."""
    payer = Payer()
    sessions = opened(payer)
    ends = [payer.known]
    for _ in range(2):
        payer.see(run(sessions, sessions.admit(payer.ask(), "chat", INPUT, NOW)))
        ends.append(payer.known)
    before = sessions.rows[payer.id].standing
    head = ends[calls].head if 0 <= calls < 3 and not salt else Digest(keccak(salt))
    said = Totals(Wei(amount), units, calls, head)
    try:
        voucher = replace(payer.sign(0), amount=Wei(amount), units=units, calls=calls, head=head)
        sessions.accept_voucher(payer.sign(amount, said) if min(amount, units, calls) >= 0 else voucher, NOW)
    except CallRefused:
        assert sessions.rows[payer.id].standing == before
    else:
        after = sessions.rows[payer.id].standing
        assert after.accepted == said
        assert said.head == ends[calls].head and said.units == ends[calls].units
        assert ends[calls].amount <= amount <= CAP and amount >= before.owed.amount
