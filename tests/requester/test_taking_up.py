"""Sessions after a crash: used again or brought to their end, by one process, and never opened twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocol.errors import ChainRefused, Unavailable
from protocol.units import TOKEN
from requester.flow.calls import CallFailed, Tokens, run_call
from requester.flow.closing import close_all, tend
from requester.flow.keeping import Keeper
from requester.flow.taking_up import take_up
from requester.records.sessions import CallStage, Limits, Phase
from tests.requester.fake_chain import Killed
from tests.requester.fake_session_chain import CLAIM_DELAY
from tests.requester.sessions_world import CallWorld


@pytest.fixture
def world(tmp_path: Path) -> CallWorld:
    return CallWorld(tmp_path, Limits(calls_ahead=3))


@pytest.mark.parametrize("when", ["crash_before", "crash_after"])
def test_take_up__killed_while_opening__the_session_is_used_and_not_opened_twice(world: CallWorld, when: str) -> None:
    setattr(world.wallet, when, True)
    with pytest.raises(Killed):
        world.call()
    setattr(world.wallet, when, False)
    desk = world.restart()
    (live,) = take_up(desk)
    assert live.file.phase is Phase.OPEN
    world.call()
    assert world.chain.calls.count("open_session") == 1


def test_take_up__killed_before_anything_was_signed__is_abandoned(world: CallWorld) -> None:
    world.chain.refuse = ChainRefused("Paused", {}, "The escrow is paused.")
    with pytest.raises(CallFailed):
        world.call()
    assert take_up(world.restart()) == []
    assert [file.phase for file in world.store.sessions()] == [Phase.ABANDONED]


@pytest.mark.parametrize(("shows_ids", "stage", "owed"), [
    (True, CallStage.ENDED, (6 + 4 * 3) * 10**14), (False, CallStage.LOST, None)])
def test_take_up__killed_in_the_middle_of_a_call__its_end_is_asked_for(
        world: CallWorld, shows_ids: bool, stage: CallStage, owed: int | None) -> None:
    provider = world.providers[0]
    provider.words, provider.shows_ids = (65, 66, 67, 68, 69, 2), shows_ids
    events = run_call(world.desk, world.wanted())
    shown = [event for event in (next(events) for _ in range(5)) if isinstance(event, Tokens)]
    assert len(shown) == 3
    world.desk.spawn = lambda work: None  # a process that is killed does nothing more
    desk = world.restart()
    (live,) = take_up(desk)
    (call,) = world.store.calls(live.session_id)
    assert call.stage is stage
    session = world.session()
    if owed is None:
        assert live.stopped and session.standing.accepted.calls == 0
        tend(desk)
        assert live.file.phase is Phase.CLOSING, "nothing that was reserved stays locked"
    else:
        assert session.standing.accepted == session.standing.owed
        assert session.standing.owed.amount == owed
        assert len(list(run_call(desk, world.wanted()))) > 3


def test_take_up__used_by_another_process__is_left_to_it(world: CallWorld) -> None:
    """Two gateways of one wallet never share a session."""
    world.call()
    second = world.start()
    assert take_up(second) == []
    list(run_call(second, world.wanted()))
    assert world.chain.calls.count("open_session") == 2
    assert len(take_up(world.desk)) == 0


def test_take_up__left_closing__is_finished(world: CallWorld) -> None:
    world.call()
    close_all(world.desk)
    desk = world.restart()
    world.pause(CLAIM_DELAY)
    take_up(desk)
    tend(desk)
    assert [found.state for found in world.chain.sessions.values()] == ["CLOSED"]


def test_keeper__stopped__closes_what_is_open(world: CallWorld) -> None:
    keeper = Keeper(world.desk, pace=0.01)
    keeper.start()
    world.call()
    assert keeper.stop() == []
    assert [found.state for found in world.chain.sessions.values()] == ["CLOSING"]


def test_open__transaction_not_mined__is_503_and_taken_up_later(
        world: CallWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(_tx: object) -> object:
        raise Unavailable("not mined")

    monkeypatch.setattr(world.wallet, "wait", late)
    world.chain.escrow = 10 * TOKEN
    with pytest.raises(CallFailed) as caught:
        world.call()
    assert caught.value.status == 503
    monkeypatch.undo()
    assert len(take_up(world.restart())) == 1
