"""The other oracles as functions, for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from oracle.records.work import Member, PeerAnswer
from protocol.errors import Unavailable
from protocol.units import Address


@dataclass
class FakePeers:
    """Peers as functions by address; an address without one is a silent peer. A ruling takes a peer the seconds of
    `delays`, one question after the other, and `wait` is told of the seconds that pass meanwhile."""

    posts: dict[str, Callable[[str, dict[str, Any]], None]] = field(default_factory=dict)
    reveals: dict[str, Callable[[int], bytes | None]] = field(default_factory=dict)
    signs: dict[str, Callable[[dict[str, Any]], PeerAnswer]] = field(default_factory=dict)
    rules: dict[str, Callable[[dict[str, Any]], PeerAnswer]] = field(default_factory=dict)
    delays: dict[str, float] = field(default_factory=dict)
    wait: Callable[[float], None] = field(default=lambda seconds: None)

    def post(self, peer: Member, path: str, key: str, body: dict[str, Any]) -> None:
        self._of(self.posts, peer)(path, body)

    def reveal(self, peer: Member, epoch: int) -> bytes | None:
        return self._of(self.reveals, peer)(epoch)

    def ask_signatures(self, peers: Sequence[Member], body: dict[str, Any]) -> dict[Address, PeerAnswer]:
        return {p.address: self.signs[p.address](body) if p.address in self.signs else PeerAnswer() for p in peers}

    def ask_rulings(self, asked: Sequence[tuple[Member, dict[str, Any]]],
                    seconds: float) -> Iterator[tuple[Address, int, PeerAnswer]]:
        passed, free, coming = 0.0, dict.fromkeys((peer.address for peer, _ in asked), 0.0), []
        for peer, body in asked:
            free[peer.address] += self.delays.get(peer.address, 0.0)
            coming.append((free[peer.address], peer.address, body))
        for at, peer_address, body in sorted(coming, key=lambda one: one[0]):
            self.wait(min(at, seconds) - passed)
            passed = min(at, seconds)
            if at > seconds:
                return
            rule = self.rules.get(peer_address)
            yield peer_address, body["case_id"], rule(body) if rule else PeerAnswer()

    @staticmethod
    def _of(table: dict[str, Any], peer: Member) -> Any:
        if peer.address not in table:
            raise Unavailable(f"The oracle {peer.address} does not answer.")
        return table[peer.address]
