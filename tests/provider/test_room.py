"""Whether calls can be taken, as the api knows it between two looks at the journal."""

from __future__ import annotations

import pytest

from provider.api import room as entry
from provider.api.room import TRUSTED, Room
from provider.records.sessions import CallRefused
from tests.provider.session_world import NOW
from tests.provider.shop import Shop


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic second, to be moved by the test."""
    at = [1000.0]
    monkeypatch.setattr(entry.time, "monotonic", lambda: at[0])
    return at


def fill(shop: Shop) -> None:
    for _ in range(shop.streams):
        shop.sessions.admit(shop.payer.ask(beside=10_000 * shop.payer.calls), "chat", 7, NOW)


def test_look__first_call__asks(shop: Shop, passed: list[float]) -> None:
    fill(shop)
    with pytest.raises(CallRefused, match="taken"):
        Room(shop.streams).look(shop.admission)


def test_look__last_answer_was_a_refusal__asks_again_at_once(shop: Shop, passed: list[float]) -> None:
    room = Room(shop.streams)
    shop.desk.clock.now += 60
    with pytest.raises(CallRefused, match="no model in memory"):
        room.look(shop.admission)
    shop.desk.clock.now -= 60
    room.look(shop.admission)


def test_look__young_answer__is_trusted_until_it_is_old(shop: Shop, passed: list[float]) -> None:
    room = Room(shop.streams)
    room.look(shop.admission)
    shop.desk.clock.now += 60  # the worker is gone
    passed[0] += TRUSTED - 1
    room.look(shop.admission)
    passed[0] += 1
    with pytest.raises(CallRefused, match="no model in memory"):
        room.look(shop.admission)


def test_look_beside_the_calls__finds_the_worker_gone__the_next_call_hears_it(shop: Shop, passed: list[float]) -> None:
    room = Room(shop.streams)
    room.look(shop.admission)
    shop.desk.clock.now += 60
    room.look_again(shop.admission)  # a moment after the last look: not yet
    room.look(shop.admission)
    passed[0] += 1
    room.look_again(shop.admission)
    with pytest.raises(CallRefused, match="no model in memory"):
        room.look(shop.admission)
