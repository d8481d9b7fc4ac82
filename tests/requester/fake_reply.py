"""The reply of a provider of these tests: its parts, as they come, and how they may go wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from protocol.encoding import to_hex
from protocol.envelope import seal_part
from protocol.errors import Unavailable
from tests.requester.fake_session import STOP, FakeCall, FakeSession, logprobs_of

if TYPE_CHECKING:
    from tests.requester.fake_provider import FakeProvider


class FakeReply:
    """Parts in steps of one token; where coverage is used up it waits for a voucher, three times."""

    def __init__(self, provider: FakeProvider, session: FakeSession, call: FakeCall) -> None:
        self.provider, self.session, self.call = provider, session, call
        self.closed = False
        self._number = 0

    def close(self) -> None:
        self.closed = True
        if not self.call.ended:
            self.call.cancelled = True

    def __iter__(self) -> Iterator[str]:
        mode, spec = self.provider.mode, self.call.request.spec
        if mode == "silent":
            while not self.closed:
                self.provider.world.time += 5
                yield ""
            return
        words = list(self.provider.words)[:spec.max_output_tokens]
        if mode == "too_many":
            words = [65] * (spec.max_output_tokens + 1)
        if mode == "after_stop":
            words = [72, STOP, 73]
        yield ""
        for place, token in enumerate(words):
            if place == self.provider.after and mode == "stops":
                raise Unavailable("The reply broke off (ReadError).")
            if place == self.provider.after and mode == "gives_up":
                self.provider.close_call(self.session, self.call)
                yield self._part({"kind": "error", "code": "worker_lost", "message": "The worker died.", "fix": ""})
                return
            if self.call.cancelled or (place == self.provider.after and mode == "ends_early"):
                break
            if mode not in ("too_many", "after_stop"):
                yield from self._wait_for_cover(place)
            self.call.produced.append(token)
            self.provider.world.time += 0.1
            yield self._tokens((token,))
        if mode == "no_end":
            return
        end = self.provider.close_call(self.session, self.call)
        assert end is not None
        yield self._part(end)

    def _wait_for_cover(self, produced: int) -> Iterator[str]:
        offer = self.provider.offer_prices(self.session)
        for _ in range(3):
            with self.provider.lock:
                granted = self.session.grant(self.call, produced, offer)
            if granted > produced:
                return
            yield self._part({"kind": "wait", "received": produced})
        self.call.cancelled = True

    def _tokens(self, ids: tuple[int, ...]) -> str:
        if self.provider.mode == "garbage":
            return self._part({"kind": "tokens", "ids": ["what"], "logprobs": "0x00"})
        text = self._part({"kind": "tokens", "ids": list(ids), "logprobs": to_hex(logprobs_of(ids)), "top": "0x"})
        altered = self.provider.mode == "altered" and len(self.call.produced) > self.provider.after - 1
        return ("A" if text[0] != "A" else "B") + text[1:] if altered else text

    def _part(self, part: dict[str, Any]) -> str:
        text = seal_part(self.call.request.key, self._number, part)
        self._number += 1
        return text
