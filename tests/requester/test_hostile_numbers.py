"""A provider that gives its calls other numbers than their places, or many more of them; sessions in odd moments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protocol.errors import ChainRefused, Unavailable
from protocol.units import Wei
from requester.flow.calls import CallEvent, CallFailed, run_call
from requester.flow.closing import tend
from requester.flow.taking_up import take_up
from requester.ports.sessions import ProviderSaid
from requester.records.sessions import CallStage, Limits, Phase
from tests.requester.fake_reply import FakeReply
from tests.requester.fake_session_chain import OPEN_FEE
from tests.requester.sessions_world import CallWorld


@pytest.fixture
def world(tmp_path: Path) -> CallWorld:
    return CallWorld(tmp_path, Limits(calls_ahead=3))


def test_call__number_beyond_all_calls__is_a_fault_and_is_never_paid_in_a_later_voucher(
        world: CallWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """R118: in no head no audit could draw it, and every later voucher would pay it."""
    honest = world.providers[0].close_call

    def ahead(session: Any, call: Any) -> dict[str, Any] | None:
        end = honest(session, call)
        return None if end is None else {**end, "number": end["number"] + 7}

    monkeypatch.setattr(world.providers[0], "close_call", ahead)
    world.call(streams=False)
    (file,) = [one for one in world.store.sessions() if one.offer.offer.provider == world.providers[0].address]
    (call,) = world.store.calls(file.session_id)
    assert (call.stage, file.totals().calls) == (CallStage.LOST, 0)
    assert world.desk.bans.of(world.providers[0].address).faults == 1
    tend(world.desk)
    assert Phase.CLOSING in [one.phase for one in world.store.sessions()]


def test_settle__provider_that_claims_a_billion_calls__is_asked_for_those_that_can_be(
        world: CallWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = world.providers[0]
    provider.mode, provider.after = "stops", 2
    honest = provider.read_session
    monkeypatch.setattr(provider, "read_session", lambda *asked: replace(honest(*asked), calls=10**9))
    monkeypatch.setattr(provider, "read_call", lambda *asked: provider.asked.append("read_call") or "garbage")
    world.call()
    assert provider.asked.count("read_call") == 1


def test_take_up__signed_since_its_list_was_read__goes_on_from_what_lies_on_disk(
        world: CallWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """R117: another gateway that ends just then has signed more than the list says."""
    world.call()
    old = world.store.sessions()
    world.call()
    desk = world.restart()
    fresh = world.store.sessions
    reads: Iterator[Any] = iter([lambda: old])
    monkeypatch.setattr(world.store, "sessions", lambda: next(reads, fresh)())
    (live,) = take_up(desk)
    assert live.file.totals().calls == 2
    list(run_call(desk, world.wanted()))
    assert world.session().standing.accepted.calls == 3


def test_max_spend__openings_that_are_not_seen_in_time__count(
        world: CallWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(_tx: object) -> object:
        raise Unavailable("not mined")

    world.chain.escrow = world.chain.tokens
    before = world.desk.budget()
    monkeypatch.setattr(world.wallet, "wait", late)
    with pytest.raises(CallFailed):
        world.call()
    monkeypatch.undo()
    (opened,) = world.chain.sessions.values()
    assert world.desk.budget() == before - opened.cap - OPEN_FEE
    assert len(take_up(world.desk)) == 1
    assert world.desk.budget() == before - opened.cap - OPEN_FEE, "counted once"


def test_open__provider_slow_to_quote__keeps_no_other_call_from_opening(world: CallWorld) -> None:
    seen = []
    honest = world.providers[0].ask_quote

    def slow(*arguments: Any) -> Any:
        seen.append(world.desk.opening.locked())
        return honest(*arguments)

    world.providers[0].ask_quote = slow  # type: ignore[method-assign]
    world.call()
    assert seen == [False]


def test_tend__one_session_that_cannot_be_closed__others_are(world: CallWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.call()
    world.call(filter=f"provider={world.providers[1].address}")
    first, second = world.desk.sessions()
    first.stopped = second.stopped = "over"
    honest = world.desk.chain.close_session_call

    def refuse(session: Any) -> Any:
        if session == first.file.session:
            raise ChainRefused("Paused", {}, "No.")
        return honest(session)

    monkeypatch.setattr(world.desk.chain, "close_session_call", refuse)
    with pytest.raises(ChainRefused):
        tend(world.desk)
    assert (first.file.phase, second.file.phase) == (Phase.OPEN, Phase.CLOSING)


def test_reply__never_started_after_an_error__is_asked_about_before_it_counts_as_nothing(
        world: CallWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway of the provider's may say 502 for a call that was taken: it has a number then."""
    provider = world.providers[0]
    honest = provider.start_call

    def taken_and_failed(*arguments: Any) -> FakeReply:
        reply = honest(*arguments)
        provider.start_call = honest  # type: ignore[method-assign]
        list(reply)
        raise ProviderSaid(502, "bad_gateway", "The upstream failed.")

    monkeypatch.setattr(provider, "start_call", taken_and_failed)
    world.call()
    (live,) = [one for one in world.desk.sessions() if one.provider == provider.address]
    assert live.file.totals().calls == 1
    assert live.meter.room < Wei(live.meter.cap)


def test_call__provider_that_does_not_stop__is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = CallWorld(tmp_path, Limits(calls_ahead=3, silence=2.0))
    provider = world.providers[0]
    for one in world.providers:
        one.words = (65,) * 600
    monkeypatch.setattr(provider, "cancel_call", lambda *_: None)
    events: list[CallEvent] = []
    with pytest.raises(CallFailed) as caught:
        for event in run_call(world.desk, world.wanted(max_output_tokens=600), lambda: len(events) > 4):
            events.append(event)
    assert [attempt.message for attempt in caught.value.attempts] == ["It goes on though it was asked to stop."]
    assert world.providers[1].asked == [], "nobody pays another one for what is to stop"
    (call,) = world.session().calls.values()
    assert len(call.produced) < 40
