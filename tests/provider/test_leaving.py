"""Calls that are left before their first token: a few are nothing, then their requester waits, longer each time."""

from __future__ import annotations

import pytest

from protocol.errors import Reason, Refused
from provider.flow.calling import call
from provider.flow.patience import Patience
from provider.leaving import FREE, LONGEST, one_less, one_more, wait_of
from provider.records.sessions import CallRefused, CallRow
from provider.records.work import Left
from tests.provider.session_world import INPUT, Payer
from tests.provider.shop import Shop
from tests.provider.test_calling import Desk

NOW = 1_000_000.0


def admit(desk: Desk) -> CallRow:
    """Each call with a voucher of one wei more than the last."""
    return desk.sessions.admit(desk.payer.ask(beside=desk.payer.calls), "chat", INPUT, desk.clock())


def leave(desk: Desk, count: int = 1, by_word: bool = False) -> None:
    """Calls whose requester goes away, or says that they may end, while the model still reads."""
    for _ in range(count):
        row = admit(desk)
        desk.backend.before_token = lambda: setattr(desk.clock, "now", desk.clock.now + 6)
        if by_word:
            desk.sessions.cancel_call(row.call_id)
        else:
            desk.replies.leave(row.call_id)
        assert call(desk.calling, row.call_id) is False
    desk.backend.before_token = lambda: None


@pytest.mark.parametrize(("calls", "since", "wait"), [
    (0, 0.0, 0), (FREE, 0.0, 0), (FREE + 1, 0.0, 2), (FREE + 1, 0.5, 2), (FREE + 1, 2.0, 0), (FREE + 2, 0.0, 4),
    (FREE + 4, 6.0, 10), (FREE + 20, 0.0, LONGEST), (10**6, 599.0, 1), (10**6, LONGEST, 0)])
def test_wait__so_many_left_so_long_ago__so_many_seconds(calls: int, since: float, wait: int) -> None:
    assert wait_of(Left(calls, NOW), NOW + since) == wait


def test_rule__half_of_all_calls_left__never_more_than_the_free_ones() -> None:
    left = Left(0, NOW)
    for _ in range(1000):
        left = one_less(one_more(left, NOW), NOW)
    assert left.calls == 0 and one_less(left, NOW).calls == 0


def test_rule__time__takes_one_off_every_ten_minutes() -> None:
    assert one_more(Left(5, NOW), NOW + LONGEST - 1).calls == 6
    assert one_more(Left(5, NOW), NOW + 3 * LONGEST).calls == 3
    assert one_more(Left(5, NOW), NOW + 99 * LONGEST).calls == 1
    assert one_more(Left(5, NOW), NOW - 5).calls == 6, "a clock that was set back forgives nothing"


def test_call__left_or_cancelled_before_a_token__counts(shop: Shop) -> None:
    desk = shop.desk
    leave(desk)
    leave(desk, by_word=True)
    assert desk.leavers.left(0)[desk.payer.signer.address.lower()].calls == 2


def test_call__failed_by_the_provider_or_left_after_a_token__does_not_count(shop: Shop) -> None:
    desk, row = shop.desk, admit(shop.desk)

    def refuse() -> None:
        raise Refused(Reason.UNKNOWN_SAMPLER, "This server serves greedy calls only.")

    desk.backend.before_token = refuse
    assert call(desk.calling, row.call_id) is False
    desk.backend.before_token = lambda: None
    desk.backend.tokens = (5, 6, 2)
    row = admit(desk)
    desk.replies.on_send = lambda identity: desk.replies.left.add(row.call_id)
    assert call(desk.calling, row.call_id) is True
    assert desk.leavers.rows == {}


def test_ask__too_many_left__429_before_the_voucher_is_taken_and_others_are_served(shop: Shop) -> None:
    """R128: a stranger gets no more prefills for nothing."""
    desk = shop.desk
    leave(desk, FREE)
    desk.clock.now += 1
    desk.leavers.note_left(desk.payer.signer.address, desk.clock())
    before = shop.sessions.session_totals(shop.payer.id)
    answer = shop.ask(shop.payer.ask(beside=shop.payer.calls))
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "left_unpaid")
    assert answer.headers["Retry-After"] == "2"
    assert shop.sessions.session_totals(shop.payer.id) == before
    other = Payer(nonce=9)
    patience = Patience(desk.leavers, desk.clock)
    patience.require("0x" + "77" * 20)
    with pytest.raises(CallRefused):
        patience.require(other.signer.address)
    desk.clock.now += 2
    assert shop.ask(shop.payer.ask(beside=shop.payer.calls)).status_code == 200
    assert desk.leavers.rows[shop.payer.signer.address.lower()].calls == FREE, "a call that ended takes one back"


@pytest.fixture
def shop() -> Shop:
    return Shop()
