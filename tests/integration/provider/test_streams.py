"""Replies over a real broker."""

from __future__ import annotations

import asyncio
import threading

import pytest

from protocol.encoding import keccak
from protocol.errors import Unavailable
from provider.edges.stream_reader import RedisInlet
from provider.edges.streams import REPLIES, RedisOutlet
from provider.ports.replies import Entry, Event
from scripts.testnet.engines import Valkey, valkey
from scripts.testnet.watching import wait_until

CALLS = [keccak(bytes([number])) for number in range(8)]


def entries(call: bytes, count: int = 50) -> list[Entry]:
    return [*(Entry(Event.PART, f"{call.hex()} {i}") for i in range(count)), Entry(Event.END, "end")]


async def read_all(inlet: RedisInlet, call: bytes) -> list[Entry]:
    return [entry async for batch in inlet.read(call) for entry in batch]


def test_replies__of_many_calls_at_once__each_complete_and_in_order(broker: Valkey) -> None:
    outlet, inlet = RedisOutlet(broker.url), RedisInlet(broker.url)

    def write(call: bytes) -> None:
        for entry in entries(call):
            outlet.send(call, [entry])

    async def run() -> list[list[Entry]]:
        early = [threading.Thread(target=write, args=(call,)) for call in CALLS[:4]]
        for thread in early:
            thread.start()
            thread.join()
        late = [threading.Thread(target=write, args=(call,)) for call in CALLS[4:]]
        for thread in late:
            thread.start()
        found = await asyncio.gather(*(read_all(inlet, call) for call in CALLS))
        await inlet.close()
        return list(found)

    assert asyncio.run(run()) == [entries(call) for call in CALLS]
    outlet.flush()
    assert int(outlet._redis.xlen(REPLIES)) < 51 * 8  # type: ignore[arg-type]
    outlet.close()


def test_requester_gone__the_worker_is_told(broker: Valkey) -> None:
    outlet, inlet = RedisOutlet(broker.url), RedisInlet(broker.url)
    alive = [Entry(Event.ALIVE)]
    assert outlet.send(CALLS[0], alive) and outlet.send(CALLS[1], alive)
    outlet.flush()

    def left() -> bool:
        inlet.leave(CALLS[0])
        return not outlet.send(CALLS[0], alive)

    assert wait_until(left, 180)
    assert outlet.send(CALLS[1], alive)
    outlet.close()


def test_broker_gone__worker_and_route_are_told() -> None:
    with valkey() as broker:
        outlet, inlet = RedisOutlet(broker.url), RedisInlet(broker.url)
        outlet.send(CALLS[0], [Entry(Event.ALIVE)])
        outlet.flush()
    with pytest.raises(Unavailable):
        asyncio.run(read_all(inlet, CALLS[0]))

    def told() -> bool:
        try:
            outlet.send(CALLS[0], [Entry(Event.ALIVE)])
        except Unavailable:
            return True
        return False

    assert wait_until(told, 180)
    inlet.leave(CALLS[0])  # does not raise
    outlet.close()


def test_close__while_it_listens__its_threads_end_before_their_connection(
        broker: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    failed: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    outlet = RedisOutlet(broker.url)
    outlet.send(CALLS[0], [Entry(Event.ALIVE)])
    outlet.close()
    assert [thread.is_alive() for thread in outlet._threads] == [False, False] and failed == []
