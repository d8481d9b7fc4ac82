"""Hostile peers over HTTP, without a socket: silent, dripping, endless or packed answers keep up nobody else's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from oracle.edges import peers as peers_module
from oracle.edges.fakes import FakeClock
from oracle.edges.peers import HttpPeers
from oracle.records.work import Member, PeerAnswer
from protocol.errors import Unavailable
from protocol.limits import MAX_JSON_BODY
from tests.oracle.world import World

SIGNATURE = b"\x11" * 65
SIGNED = {"signature": "0x" + SIGNATURE.hex()}
PART = 64 * 1024


class Body(httpx.SyncByteStream):
    """An answer in parts; counts those that were read."""

    def __init__(self, part: bytes, parts: int, before: Callable[[], object] = lambda: None) -> None:
        self.part, self.parts, self.before, self.read = part, parts, before, 0

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self.parts):
            self.before()
            self.read += 1
            yield self.part


Hostile = Callable[[], httpx.Response]


@pytest.fixture
def over() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def connect(hostile: Hostile, clock: FakeClock | None = None) -> HttpPeers:
    """Peers of which that of seat 3 is hostile, and the others sign everything."""

    def answer(request: httpx.Request) -> httpx.Response:
        return hostile() if request.url.host[-1] == "3" else httpx.Response(200, json=SIGNED)

    return HttpPeers(httpx.MockTransport(answer), clock or FakeClock(0.0))


def members(world: World) -> list[Member]:
    return [world.chain.member(signer.address) for signer in world.signers]


def rulings(world: World, peers: HttpPeers, seconds: float = 0.3, cases: int = 2) -> list[tuple[int, int, PeerAnswer]]:
    """(seat, case, answer) as they come, the hostile peer being asked first."""
    asked: list[tuple[Member, dict[str, Any]]] = [
        (peer, {"case_id": case_id}) for peer in reversed(members(world)) for case_id in range(1, cases + 1)]
    seats = {signer.address: seat for seat, signer in enumerate(world.signers)}
    return [(seats[peer], case_id, answer) for peer, case_id, answer in peers.ask_rulings(asked, seconds)]


def honest(found: list[tuple[int, int, PeerAnswer]]) -> list[tuple[int, int]]:
    return sorted((seat, case_id) for seat, case_id, answer in found if answer.signature == SIGNATURE)


def wait_for_threads(peers: HttpPeers) -> None:
    while peers._lines._busy:
        threading.Event().wait(0.001)


EVERY_HONEST = [(seat, case_id) for seat in range(3) for case_id in (1, 2)]


def test_rulings__peer_that_answers_after_its_limit__all_others_are_heard(world: World, over: threading.Event) -> None:
    def wait() -> httpx.Response:
        over.wait()
        return httpx.Response(200, json=SIGNED)

    peers = connect(wait)
    found = rulings(world, peers)
    assert honest(found) == EVERY_HONEST and len(found) == len(EVERY_HONEST)
    over.set()  # what it says now belongs to nobody
    assert honest(rulings(world, peers))[:6] == EVERY_HONEST
    peers.close()


def test_rulings__peer_that_sends_10_mb__is_cut_off_and_asked_nothing_more(world: World) -> None:
    bodies: list[Body] = []

    def flood() -> httpx.Response:
        bodies.append(Body(b"x" * PART, 160))
        return httpx.Response(200, stream=bodies[-1])

    peers = connect(flood)
    found = rulings(world, peers)
    peers.close()
    assert honest(found) == EVERY_HONEST
    assert [(case_id, answer.silent) for seat, case_id, answer in found if seat == 3] == [(1, True)]
    assert [body.read for body in bodies] == [MAX_JSON_BODY // PART + 1], "not read to its end, not asked again"


def test_rulings__peer_that_drips_bytes__ends_with_its_limit(world: World, over: threading.Event,
                                                             monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes before httpx would give up; the whole answer may still not take longer than its limit."""
    monkeypatch.setattr(peers_module, "LONGEST", 0.05)
    body = Body(b" ", 500, lambda: over.wait(0.01))
    peers = connect(lambda: httpx.Response(200, stream=body))
    found = rulings(world, peers)
    wait_for_threads(peers)
    peers.close()
    assert honest(found) == EVERY_HONEST and body.read < body.parts


def test_rulings__packed_answer__is_not_unpacked(world: World) -> None:
    body = Body(b"x", 1)
    peers = connect(lambda: httpx.Response(200, headers={"content-encoding": "gzip"}, stream=body))
    found = rulings(world, peers)
    peers.close()
    assert honest(found) == EVERY_HONEST and body.read == 0


def test_rulings__case_that_is_not_final_there__the_next_case_is_asked_about(world: World) -> None:
    body = {"error": {"code": "not_ready", "message": "Case 1 is not final here yet."}}
    peers = connect(lambda: httpx.Response(503, json=body))
    found = rulings(world, peers)
    peers.close()
    said = [answer.refused for seat, _, answer in found if seat == 3]
    assert said == [{case_id: "Case 1 is not final here yet."} for case_id in (1, 2)]


def test_signatures__peer_that_hangs__counts_as_silent_and_is_left_alone_for_a_while(
        world: World, over: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers_module, "LONGEST", 0.1)
    clock, times = FakeClock(0.0), []

    def wait() -> httpx.Response:
        times.append(clock.now)
        over.wait()
        return httpx.Response(200, json=SIGNED)

    peers, others = connect(wait, clock), members(world)
    answers = peers.ask_signatures(others, {})
    assert [answers[peer.address].silent for peer in others] == [False, False, False, True]
    peers.ask_signatures(others, {})  # it is busy still, which counts as late
    over.set()
    wait_for_threads(peers)
    with pytest.raises(Unavailable, match="is asked again in 2 s"):
        peers.post(others[3], "/v1/peer/records", "key", {})
    assert times == [0.0]
    clock.now += 2
    assert not peers.ask_signatures(others, {})[others[3].address].silent and times == [0.0, 2.0]
    peers.close()
