"""Sessions: reserved within limits, once for one need, topped up in time, closed, finished, taken up after a crash."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from protocol.errors import ChainRefused
from protocol.units import TOKEN, Wei
from requester.flow.calls import CallFailed, Ended, run_call
from requester.flow.closing import close_all, close_session, tend
from requester.records.sessions import Limits, Phase
from tests.requester.fake_session_chain import CLAIM_DELAY, OPEN_FEE
from tests.requester.sessions_world import CallWorld

CALL = (6 + 4 * 8) * 10**14
"""Reserve of the world's call at the first provider, wei."""


@pytest.fixture
def world(tmp_path: Path) -> CallWorld:
    return CallWorld(tmp_path, Limits(calls_ahead=3))


def spent(world: CallWorld) -> int:
    return sum(found.cap for found in world.chain.sessions.values())


def test_open__refused_by_the_escrow__another_offer_is_tried_and_nothing_is_reserved(world: CallWorld) -> None:
    world.chain.refuse = ChainRefused("StakeDoesNotDeter", {}, "The stake does not deter.")
    with pytest.raises(CallFailed) as caught:
        world.call()
    assert [a.code for a in caught.value.attempts] == ["offer_refused"] * 2
    assert {file.phase for file in world.store.sessions()} == {Phase.ABANDONED}
    assert all(world.desk.bans.of(p.address).failures == 0 for p in world.providers)


def test_open__paused_escrow__is_503_and_not_tried_elsewhere(world: CallWorld) -> None:
    world.chain.refuse = ChainRefused("Paused", {}, "The escrow is paused.")
    with pytest.raises(CallFailed) as caught:
        world.call()
    assert caught.value.status == 503
    assert len(world.store.sessions()) == 1


def test_open__first_call__deposits_what_is_missing_and_reserves_some_calls_ahead(world: CallWorld) -> None:
    """R117: A desk reserves no more than its limits allow, and closes what it no longer uses."""
    before = world.chain.tokens
    world.call()
    (file,) = world.store.sessions()
    assert (file.phase, file.cap) == (Phase.OPEN, 3 * CALL)
    assert before - world.chain.tokens == 3 * CALL + OPEN_FEE
    assert world.chain.calls == ["deposit", "open_session"]


def test_open__second_call__uses_the_same_session_and_waits_for_no_block(world: CallWorld) -> None:
    world.call()
    world.call()
    assert world.chain.calls == ["deposit", "open_session"]
    assert world.session().standing.owed.calls == 2


def test_open__provider_that_moved__is_reached_at_its_new_address(world: CallWorld) -> None:
    world.call()
    world.providers[0].url = "http://provider-elsewhere"
    world.listings[0] = world.make_listing(world.providers[0], "EU", listed_at=int(world.time) + 1)
    world.publish()
    world.desk.directory.forget()
    clients = {provider.url: provider for provider in world.providers}
    world.desk.provider = clients.__getitem__
    world.call()
    assert world.session().standing.owed.calls == 2


def test_open__many_threads_at_once__one_session_and_every_call_signed(world: CallWorld) -> None:
    """Two calls that begin at once share a session; a voucher that was overtaken is signed again."""
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            list(run_call(world.desk, world.wanted()))
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert world.chain.calls.count("open_session") == 1
    session = world.session()
    assert session.standing.owed.calls == 12
    assert session.standing.accepted == session.standing.owed


def test_open__not_seen_by_the_provider_yet__is_waited_for(world: CallWorld) -> None:
    world.providers[0].unseen = 3
    (end,) = [event for event in world.call() if isinstance(event, Ended)]
    assert end.attempts == ()


def test_top_up__before_the_cap_is_used_up__beside_the_calls(world: CallWorld) -> None:
    for _ in range(9):
        world.call()
    (file,) = world.store.sessions()
    assert world.chain.calls.count("open_session") == 1
    assert world.chain.calls.count("top_up") >= 1
    assert file.cap == world.chain.sessions[file.session_id].cap >= world.session().standing.owed.amount
    assert spent(world) - world.session().standing.owed.amount <= 5 * CALL, "not far more than is needed"


def test_limits__max_spend__is_never_passed(tmp_path: Path) -> None:
    world = CallWorld(tmp_path, Limits(calls_ahead=2, max_spend=Wei(4 * CALL)))
    made = 0
    with pytest.raises(CallFailed) as caught:
        for _ in range(40):
            world.call()
            made += 1
    assert caught.value.code == "spend_limit"
    assert spent(world) <= 4 * CALL
    assert made >= 6, "a call that ended early leaves room for others"


def test_limits__session_cap__bounds_what_lies_unused(tmp_path: Path) -> None:
    world = CallWorld(tmp_path, Limits(calls_ahead=50, session_cap=Wei(2 * CALL)))
    for _ in range(10):
        world.call()
        assert spent(world) - world.session().standing.owed.amount <= 2 * CALL


def test_limits__calls_at_once__wait_for_each_other_instead_of_failing(tmp_path: Path) -> None:
    world = CallWorld(tmp_path, Limits(calls_ahead=1, session_cap=Wei(CALL)))
    first = run_call(world.desk, world.wanted())
    next(first)
    done: list[object] = []
    second = threading.Thread(target=lambda: done.extend(run_call(world.desk, world.wanted())))
    second.start()
    list(first)
    second.join(20)
    assert isinstance(done[-1], Ended)
    assert world.session().standing.owed.calls == 2


def test_close__idle__exact_voucher_then_chain_then_what_is_left_returns(world: CallWorld) -> None:
    world.call()
    world.pause(world.limits.idle + 1)
    tend(world.desk)
    (found,) = world.chain.sessions.values()
    assert found.state == "CLOSING"
    found.committed = world.session().standing.accepted.amount
    tend(world.desk)
    assert found.state == "CLOSING", "the claim delay is not over"
    world.pause(CLAIM_DELAY)
    tend(world.desk)
    (file,) = world.store.sessions()
    assert (found.state, file.phase) == ("CLOSED", Phase.CLOSED)
    assert file.refunded == found.cap - found.committed
    assert world.desk.sessions() == []
    assert world.chain.escrow == found.cap - found.committed


def test_close__near_its_end__takes_no_new_call_and_another_session_opens(world: CallWorld) -> None:
    world.call()
    world.pause(3600 - 100)
    tend(world.desk)
    world.call()
    assert [found.state for found in world.chain.sessions.values()] == ["CLOSING", "OPEN"]


def test_close__provider_gone__still_closes(world: CallWorld) -> None:
    world.call()
    world.providers[0].mode = "down"
    assert close_all(world.desk) == []
    assert [found.state for found in world.chain.sessions.values()] == ["CLOSING"]


def test_close__closed_by_the_provider_already__is_no_error(world: CallWorld) -> None:
    world.call()
    (found,) = world.chain.sessions.values()
    found.state, found.ends_at = "CLOSING", world.chain.time + CLAIM_DELAY
    (live,) = world.desk.sessions()
    close_session(world.desk, live)
    assert live.file.phase is Phase.CLOSING


def test_key__with_a_cap_of_its_own__pays_from_its_own_sessions_only(world: CallWorld) -> None:
    """R119: An API key's calls are paid from sessions of its own sub-key, up to the cap that the escrow holds."""
    with pytest.raises(CallFailed) as caught:
        world.call(key_id="key_1")
    assert (caught.value.status, caught.value.code) == (403, "key_over")
    sub = world.wallet.signer_of("key_1").address
    world.chain.carry_out(world.chain.authorise_key_call(sub, Wei(2 * CALL), int(world.time) + 3600, []))
    world.call()
    world.call(key_id="key_1")
    keys = [found.session.key for found in world.chain.sessions.values()]
    assert keys[1] == sub != keys[0]
    assert world.chain.keys[sub].used <= 2 * CALL
    with pytest.raises(CallFailed) as caught:
        for _ in range(20):
            world.call(key_id="key_1")
    assert caught.value.code == "key_cap_used"
    assert world.chain.keys[sub].used <= 2 * CALL
    world.call()


def test_key__revoked__is_refused_and_the_wallet_goes_on(world: CallWorld) -> None:
    sub = world.wallet.signer_of("key_1").address
    world.chain.carry_out(world.chain.authorise_key_call(sub, Wei(TOKEN), int(world.time) + 3600, []))
    world.call(key_id="key_1")
    world.chain.carry_out(world.chain.revoke_key_call(sub))
    world.pause(CLAIM_DELAY + 1)
    world.providers[0].sessions.clear()  # it reads the key's end again
    with pytest.raises(CallFailed) as caught:
        world.call(key_id="key_1")
    assert (caught.value.status, caught.value.code) == (403, "key_over")
    world.call()
