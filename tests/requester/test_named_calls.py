"""What the vouchers of a desk name: calls in flight and lost ones, the same after a restart, and nothing that ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocol.transcript import spec_digest
from protocol.units import Digest
from requester.flow.calls import CallFailed, Tokens, run_call
from requester.flow.room import PATIENCE
from requester.flow.taking_up import take_up
from requester.records.sessions import CallStage, Limits
from tests.requester.sessions_world import CallWorld


@pytest.fixture
def world(tmp_path: Path) -> CallWorld:
    return CallWorld(tmp_path, Limits(calls_ahead=3))


def test_vouchers__of_a_call__name_it_until_its_end_is_in_the_head(world: CallWorld) -> None:
    """R123: every voucher names the calls that it may pay beyond its head, and the exact one names none."""
    world.providers[0].words = (65, 66, 67, 68, 2)
    world.call()
    (call,) = world.store.calls(world.desk.sessions()[0].session_id)
    first, *_, last = world.session().vouchers
    assert (first.calls, first.in_flight) == (0, (spec_digest(call.spec),))
    assert (last.calls, last.in_flight) == (1, ())


def test_vouchers__call_that_its_provider_refused__is_named_no_more(world: CallWorld) -> None:
    world.call()
    live = world.desk.sessions()[0]
    for provider in world.providers:
        provider.mode = "refuses"
    with pytest.raises(CallFailed):
        world.call()
    assert world.store.calls(live.session_id)[-1].stage is CallStage.VOID
    assert len(live.meter.signed.in_flight) == 1 and live.meter.named == ()  # type: ignore[union-attr]
    assert world.desk.sign(live).in_flight == ()


@pytest.mark.parametrize("shows_ids", [True, False])
def test_take_up__call_in_flight__its_vouchers_name_the_same(world: CallWorld, shows_ids: bool) -> None:
    """R123: a gateway that is started again signs the same; a call that is lost stays named."""
    provider = world.providers[0]
    provider.words, provider.shows_ids = (65, 66, 67, 68, 69, 2), shows_ids
    events = run_call(world.desk, world.wanted())
    assert any(isinstance(next(events), Tokens) for _ in range(5))
    signed = world.desk.sessions()[0].meter.signed
    world.desk.spawn = lambda work: None  # a process that is killed does nothing more
    desk = world.restart()
    waiting: list[object] = []
    desk.spawn = waiting.append  # type: ignore[assignment]
    (live,) = take_up(desk)
    assert desk.sign(live) == signed
    (call,) = world.store.calls(live.session_id, CallStage.SENT)
    assert live.meter.named == (spec_digest(call.spec),)
    desk.spawn = lambda work: work()
    for settle in waiting:
        settle()  # type: ignore[operator]
    (call,) = world.store.calls(live.session_id)
    assert call.stage is (CallStage.ENDED if shows_ids else CallStage.LOST)
    assert live.meter.named == (() if shows_ids else (spec_digest(call.spec),))
    if not shows_ids:
        (again,) = take_up(world.restart())
        assert again.meter.named == (spec_digest(call.spec),), "as long as the session lives"


def test_call__more_than_a_voucher_can_name__goes_elsewhere_as_busy(world: CallWorld) -> None:
    world.call()
    live = world.desk.sessions()[0]
    for nonce in range(64):
        live.meter.drop(nonce, lost=Digest(nonce.to_bytes(32, "big")))
    began = world.time
    world.call()
    assert world.time - began >= PATIENCE and len(world.desk.sessions()) == 2
