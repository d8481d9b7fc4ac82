"""A call from a wish to its signed end, at providers that do their work, and at those that do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocol.envelope import SignedTotals, open_request
from protocol.units import TOKEN, Wei
from requester.edges.session_store import SessionDatabase
from requester.flow.bans import banned_for
from requester.flow.calls import Attempt, Began, CallEvent, CallFailed, Ended, Tokens, Waiting, run_call
from requester.records.sessions import CallStage, Limits
from tests.requester.sessions_world import CallWorld

LONG = tuple([65] * 600)


@pytest.fixture
def world(tmp_path: Path) -> CallWorld:
    return CallWorld(tmp_path)


def ids_of(events: list[CallEvent]) -> list[int]:
    return [i for event in events if isinstance(event, Tokens) for i in event.ids]


def ended(events: list[CallEvent]) -> Ended:
    assert isinstance(events[-1], Ended)
    return events[-1]


@pytest.mark.parametrize("mode", ["wrong_leaf", "wrong_count", "too_many", "after_stop", "garbage"])
def test_call__work_that_does_not_hold__is_never_signed_and_bans(world: CallWorld, mode: str) -> None:
    """R118: A head over a leaf that the requester did not recompute is never signed."""
    world.providers[0].mode = mode
    events = world.call(streams=False)
    first, second = world.providers
    assert [a.provider for a in ended(events).attempts] == [first.address]
    assert ended(events).provider == second.address
    session = world.session()
    assert {voucher.calls for voucher in session.vouchers} == {0}, "no voucher names its head"
    assert banned_for(world.desk.bans.of(first.address), world.clock()) > 3600
    (live,) = [live for live in world.desk.sessions() if live.provider == first.address]
    assert live.stopped
    (call,) = world.store.calls(live.session_id)
    assert call.stage is CallStage.LOST


def test_call__wrong_leaf_after_tokens_were_shown__fails_and_asks_nobody_else(world: CallWorld) -> None:
    world.providers[0].mode = "wrong_leaf"
    with pytest.raises(CallFailed) as caught:
        world.call()
    assert (caught.value.status, caught.value.code) == (502, "provider_fault")
    assert world.providers[1].asked == []


@pytest.mark.parametrize(("mode", "code"), [
    ("down", "unavailable"), ("silent", "broke_off"), ("error_500", "internal"), ("bad_quote", "quote_invalid"),
    ("refuses", "input_tokens"), ("busy", "busy")])
def test_call__provider_that_never_begins__another_does_it(world: CallWorld, mode: str, code: str) -> None:
    world.providers[0].mode = mode
    events = world.call()
    assert [(a.provider, a.code) for a in events if isinstance(a, Attempt)] == [(world.providers[0].address, code)]
    assert ended(events).provider == world.providers[1].address
    assert ids_of(events) == [72, 105, 2]


def test_call__tried_provider__is_never_asked_twice(world: CallWorld) -> None:
    for provider in world.providers:
        provider.mode = "error_500"
    with pytest.raises(CallFailed) as caught:
        world.call(attempts=9)
    assert caught.value.status == 502
    assert [a.provider for a in caught.value.attempts] == [p.address for p in world.providers]
    assert [p.asked.count("call") for p in world.providers] == [1, 1]


def test_call__everybody_busy__is_429_with_a_wait_and_no_mark(world: CallWorld) -> None:
    for provider in world.providers:
        provider.mode = "busy"
    with pytest.raises(CallFailed) as caught:
        world.call()
    assert (caught.value.status, caught.value.code, caught.value.retry_after) == (429, "busy", 2.0)
    assert all(world.desk.bans.of(p.address).failures == 0 for p in world.providers)


def test_call__everybody_says_it_is_our_fault__is_400_and_counts_against_nobody(world: CallWorld) -> None:
    for provider in world.providers:
        provider.mode = "refuses"
    with pytest.raises(CallFailed) as caught:
        world.call()
    assert caught.value.status == 400
    assert all(world.desk.bans.of(p.address).failures == 0 for p in world.providers)


@pytest.mark.parametrize("mode", ["stops", "gives_up", "ends_early", "altered", "no_end"])
def test_call__stream_that_ends_half_way__goes_on_elsewhere_and_pays_what_arrived(world: CallWorld, mode: str) -> None:
    world.providers[0].mode, world.providers[0].after = mode, 2
    for provider in world.providers:
        provider.words = (72, 105, 33, 2)
    events = world.call()
    assert ids_of(events) == [72, 105, 33, 2], "nothing is shown twice"
    assert len(ended(events).attempts) == 1
    session = world.session()
    assert session.standing.accepted == session.standing.owed
    arrived = {"stops": 2, "gives_up": 2, "ends_early": 2, "altered": 2, "no_end": 4}[mode]
    assert session.standing.owed.amount == 6 * 10**14 + arrived * 4 * 10**14


def test_call__second_provider_that_contradicts_what_was_shown__is_not_mixed_in(world: CallWorld) -> None:
    world.providers[0].mode, world.providers[0].after = "stops", 2
    world.providers[1].words = (72, 106, 2)
    with pytest.raises(CallFailed) as caught:
        world.call()
    assert [a.code for a in caught.value.attempts] == ["broke_off", "differs"]


def test_call__closed_by_its_caller__is_cancelled_and_pays_what_arrived(world: CallWorld) -> None:
    world.providers[0].words, world.providers[0].shows_ids = LONG, False
    events = run_call(world.desk, world.wanted(max_output_tokens=600))
    for event in events:
        if isinstance(event, Tokens):
            break
    events.close()  # type: ignore[attr-defined]
    session = world.session()
    assert session.standing.owed.calls == 1
    assert session.standing.accepted == session.standing.owed
    assert session.standing.owed.amount == (6 + 4 * 1) * 10**14


def test_call__told_to_stop__ends_with_its_cost(world: CallWorld) -> None:
    world.providers[0].words = LONG
    shown: list[CallEvent] = []
    for event in run_call(world.desk, world.wanted(max_output_tokens=600), lambda: len(ids_of(shown)) >= 5):
        shown.append(event)
    assert ended(shown).finish == "cancelled"
    assert ended(shown).output_tokens == len(ids_of(shown)) == 5
    assert ended(shown).attempts == ()


def test_call__longer_than_a_quantum__is_renewed_before_it_has_to_wait(world: CallWorld) -> None:
    world.providers[0].words = LONG
    events = world.call(max_output_tokens=600)
    assert ended(events).output_tokens == 600
    assert not any(isinstance(event, Waiting) for event in events[2:-1])
    vouchers = world.session().vouchers
    offer = world.offers[0].offer
    assert vouchers[0].amount == 6 * offer.input_price + 256 * offer.output_price, "one quantum ahead, no more"
    assert len(vouchers) >= 4


def test_call__lost_before_its_first_token__costs_nothing(world: CallWorld) -> None:
    world.providers[0].mode, world.providers[0].after = "stops", 0
    world.call()
    (file,) = [file for file in world.store.sessions() if file.url == world.providers[0].url]
    (call,) = world.store.calls(file.session_id)
    assert call.stage is CallStage.VOID
    world.pause(100)
    world.providers[0].mode = "good"
    assert ended(world.call(order=(world.providers[0].address,))).provider == world.providers[0].address
    assert world.session().standing.owed.calls == 1


def test_call__not_streamed__shows_nothing_before_its_end_is_signed(world: CallWorld) -> None:
    events = world.call(streams=False)
    assert [type(event).__name__ for event in events if not isinstance(event, Waiting)] == [
        "Began", "Tokens", "Tokens", "Tokens", "Ended"]
    world.providers[0].mode = "stops"
    assert ids_of(world.call(streams=False)) == [72, 105, 2]


def test_call__every_voucher__is_on_disk_before_it_is_sent(world: CallWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    provider, seen = world.providers[0], []
    provider.words = LONG
    outside = SessionDatabase(world.folder)
    started, sent = provider.start_call, provider.send_voucher

    def signed_on_disk() -> object:
        (file,) = outside.sessions()
        return file.signed

    def start(kind: str, session_id: bytes, sealed: bytes) -> object:
        request = open_request(sealed, provider.secret)
        seen.append(request.voucher == signed_on_disk())
        assert [call.nonce for call in outside.calls(session_id)] == [request.spec.nonce]
        return started(kind, session_id, sealed)

    def send(totals: SignedTotals) -> object:
        seen.append(totals == signed_on_disk())
        return sent(totals)

    monkeypatch.setattr(provider, "start_call", start)
    monkeypatch.setattr(provider, "send_voucher", send)
    world.call(max_output_tokens=600)
    assert len(seen) > 3 and all(seen)


def test_call__began__says_the_most_that_it_can_cost(world: CallWorld) -> None:
    began = next(event for event in world.call() if isinstance(event, Began))
    assert (began.most, began.input_tokens) == ((6 + 4 * 8) * 10**14, 6)


@pytest.mark.parametrize(("changes", "status", "word"), [
    ({"filter": "vra>3"}, 400, "'vra'"), ({"max_output_tokens": 0}, 400, "0 tokens"),
    ({"max_output_tokens": 2000}, 400, "do not fit"), ({"messages": ()}, 400, "0"), ({"kind": "song"}, 400, "song"),
    ({"audit": "nobody"}, 400, "nobody"), ({"audit": "canary-only"}, 400, "no audit class"),
    ({"max_price": Wei(1)}, 422, "2 cost more than"),
    ({"filter": "region in [JP]"}, 422, "2 do not fit 'region in [JP]'"),
    ({"max_output_tokens": 601}, 422, "2 do not take")])
def test_call__that_cannot_be__says_why(world: CallWorld, changes: dict, status: int, word: str) -> None:
    with pytest.raises(CallFailed) as caught:
        world.call(**changes)
    assert caught.value.status == status
    assert word in caught.value.message
    assert world.chain.calls == []


def test_call__beyond_the_spending_limit__is_402_before_anything_is_sent(tmp_path: Path) -> None:
    world = CallWorld(tmp_path, Limits(max_spend=Wei(TOKEN // 1000)))
    with pytest.raises(CallFailed) as caught:
        world.call()
    assert (caught.value.status, caught.value.code) == (402, "spend_limit")
    assert "--max-spend" in caught.value.message
    assert world.chain.calls == []


def test_call__poor_wallet__is_402(world: CallWorld) -> None:
    world.chain.tokens = 1
    with pytest.raises(CallFailed) as caught:
        world.call()
    assert (caught.value.status, caught.value.code) == (402, "balance_too_low")


def test_call__banned_everywhere__says_when_to_come_back(world: CallWorld) -> None:
    for provider in world.providers:
        provider.mode = "down"
    for _ in range(2):
        with pytest.raises(CallFailed) as caught:
            world.call()
    assert (caught.value.status, caught.value.code) == (503, "no_capacity")
    assert 20 < (caught.value.retry_after or 0) <= 30
