"""What a run may spend holds all of it: open fees, and top-ups whose block was not seen in time, which go out once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from protocol.encoding import keccak
from protocol.errors import ChainRefused, Unavailable
from protocol.units import TOKEN, Digest, Wei
from requester.flow.calls import CallFailed, run_call
from requester.flow.desk import Live
from requester.flow.room import top_up
from requester.flow.taking_up import take_up
from requester.ports.jobs import Mined
from requester.records.sessions import Limits
from tests.requester.fake_session_chain import OPEN_FEE, SessionWallet
from tests.requester.sessions_world import CallWorld

PRICE = Wei(TOKEN // 10)


class SlowWallet(SessionWallet):
    """Top-ups are sent, and no block has them until `mine` or `drop`; a block may revert them."""

    waiting: dict[Digest, bytes]
    ends: dict[Digest, str]
    reverts = False

    def send(self, call: Any, before_send: Callable[[Digest, bytes], None] | None = None) -> Digest:
        if call[0] != "top_up":
            return super().send(call, before_send)
        raw = f"top_up-{len(self.pool)}".encode()
        self.pool[raw] = call
        if before_send is not None:
            before_send(keccak(raw), raw)
        self.waiting[keccak(raw)] = raw
        return keccak(raw)

    def mine(self) -> None:
        for tx_hash, raw in self.waiting.items():
            self.ends[tx_hash] = "reverted" if self.reverts else "mined"
            if not self.reverts:
                self._carry_out(raw)
        self.waiting.clear()

    def drop(self) -> None:
        """Another transaction takes the nonce."""
        self.ends |= dict.fromkeys(self.waiting, "replaced")
        self.waiting.clear()

    def resend(self, raw: bytes) -> bool:
        return self.ends.get(keccak(raw)) != "replaced"

    def wait(self, tx_hash: Digest) -> Mined:
        if tx_hash in self.waiting:
            raise Unavailable("It is not in a block after 90 s.")
        if self.ends.get(tx_hash) == "reverted":
            raise ChainRefused("WrongSessionState", {}, "The session is CLOSING.")
        return super().wait(tx_hash)


@pytest.fixture
def world(tmp_path: Path) -> CallWorld:
    made = CallWorld(tmp_path, Limits(calls_ahead=1))
    made.call()
    made.wallet.__class__ = SlowWallet
    made.wallet.waiting, made.wallet.ends = {}, {}  # type: ignore[attr-defined]
    made.wallet.pool.clear()
    made.chain.calls.clear()
    return made


def only(world: CallWorld) -> Live:
    (live,) = world.desk.sessions()
    return live


def sent(world: CallWorld) -> int:
    return sum(raw.startswith(b"top_up") for raw in world.wallet.pool)


def ask_more(world: CallWorld) -> None:
    """Room for a call that needs this much more than there is: what is topped up is its whole price."""
    top_up(world.desk, only(world), wished(world))


def wished(world: CallWorld) -> Wei:
    return Wei(only(world).meter.room + PRICE)


def test_budget__of_a_run__counts_the_open_fee(tmp_path: Path) -> None:
    world = CallWorld(tmp_path)
    before = world.desk.budget()
    world.call()
    assert only(world).meter.cap > 0
    assert world.desk.budget() == before - only(world).meter.cap - OPEN_FEE


def test_open__limit_holds_the_call_and_not_the_fee__is_refused(tmp_path: Path) -> None:
    world = CallWorld(tmp_path, Limits(calls_ahead=1))
    world.call()
    (needed,) = (value[0].cap for kind, value in world.wallet.pool.values() if kind == "open_session")
    for limit, opened in ((needed + OPEN_FEE - 1, 0), (needed + OPEN_FEE, 1)):
        other = CallWorld(tmp_path / str(limit), Limits(calls_ahead=1, max_spend=Wei(limit)))
        if opened:
            other.call()
        else:
            with pytest.raises(CallFailed, match="after an open fee"):
                list(run_call(other.desk, other.wanted()))
        assert other.chain.calls.count("open_session") == opened


def test_open__refused_by_the_chain__no_fee_is_counted(tmp_path: Path) -> None:
    world = CallWorld(tmp_path)
    before = world.desk.budget()
    world.chain.refuse = ChainRefused("SessionsPaused", {}, "Paused.")
    with pytest.raises(CallFailed):
        world.call()
    assert world.desk.budget() == before


def test_top_up__not_seen_in_time__is_not_sent_again_and_counts(world: CallWorld) -> None:
    """R117: what is signed is on disk before it is sent, and two top-ups for one need are never on their way."""
    before, cap, amount = world.desk.budget(), only(world).meter.cap, wished(world)
    for _ in range(3):
        with pytest.raises(Unavailable):
            ask_more(world)
    assert sent(world) == 1 and only(world).meter.cap == cap
    assert world.desk.budget() == before - amount
    world.wallet.mine()  # type: ignore[attr-defined]
    ask_more(world)
    assert (sent(world), only(world).meter.cap, only(world).file.top_up_raw) == (1, cap + amount, b"")
    assert world.desk.budget() == before - amount


@pytest.mark.parametrize("end", ["drop", "revert"])
def test_top_up__never_came_to_be__another_is_sent(world: CallWorld, end: str) -> None:
    wallet: Any = world.wallet
    with pytest.raises(Unavailable):
        ask_more(world)
    wallet.reverts = end == "revert"
    wallet.drop() if end == "drop" else wallet.mine()
    with pytest.raises(Unavailable):
        ask_more(world)
    assert sent(world) == 2 and world.chain.calls.count("top_up") == 0
    wallet.reverts = False
    wallet.mine()
    ask_more(world)
    assert world.chain.calls.count("top_up") == 1


def test_top_up__process_ends_before_its_block__is_known_to_the_next_one(world: CallWorld) -> None:
    amount = wished(world)
    with pytest.raises(Unavailable):
        ask_more(world)
    desk = world.restart()
    (live,) = take_up(desk)
    assert live.file.top_up == amount
    assert desk.budget() == world.limits.max_spend - (live.meter.cap - live.base) - amount
    with pytest.raises(Unavailable):
        ask_more(world)
    world.wallet.mine()  # type: ignore[attr-defined]
    ask_more(world)
    assert sent(world) == 1


def test_session_file__of_a_version_without_top_ups__is_read(world: CallWorld) -> None:
    (before,) = world.store.sessions()
    with sqlite3.connect(world.folder / "sessions" / "sessions.sqlite3") as database:
        ((body,),) = database.execute("SELECT body FROM sessions")
        value = {name: field for name, field in json.loads(body).items() if not name.startswith("top_up")}
        database.execute("UPDATE sessions SET body = ?", [json.dumps(value, separators=(",", ":"), sort_keys=True)])
    assert world.store.sessions() == [before]
