"""What a session owes and what its next voucher says, for many calls in flight at once. Holds no key, sends nothing.

Of calls whose leaves were recomputed a voucher names the head and pays the exact amount; beyond that it covers for each
call in flight what came and a quantum more, and names the call's spec. What the provider claims of that it has to link
to one of these specs, so that it can be drawn as any other call: it can claim nothing that it did not compute.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from protocol.calls import MAX_IN_FLIGHT, QUANTUM, CallLine, Totals, add_call, cover
from protocol.economics import payment, reserve
from protocol.envelope import SignedTotals
from protocol.types import Offer
from protocol.units import Digest, Wei
from requester.errors import CapReached, TooManyCalls


@dataclass(frozen=True)
class _InFlight:
    spec: Digest
    input_tokens: int
    most: int
    received: int = 0
    covered: int = 0
    """Output tokens that the last voucher covers."""


class Meter:
    """Safe to share between threads. `finished` are the totals up to which no call is missing, `signed` is the last
    voucher."""

    def __init__(self, offer: Offer, cap: Wei, finished: Totals, signed: SignedTotals | None = None,
                 quantum: int = QUANTUM) -> None:
        self._offer, self._quantum = offer, quantum
        self._lock = threading.RLock()
        self._open: dict[int, _InFlight] = {}
        self._early: dict[int, tuple[Digest, CallLine]] = {}
        self._lost: dict[int, Digest] = {}
        self.cap, self.finished, self.signed = cap, finished, signed

    def begin(self, nonce: int, spec: Digest, input_tokens: int, most: int) -> None:
        """Take a call in, `spec` by its digest. The cap must hold all that it and the others in flight may cost.
        Errors: CapReached, TooManyCalls."""
        with self._lock:
            if len(self.named) >= MAX_IN_FLIGHT:
                raise TooManyCalls
            over = self._committed() + self._reserve(input_tokens, most) - self.cap
            if over > 0:
                raise CapReached(over)
            self._open[nonce] = _InFlight(spec, input_tokens, most)

    def resume(self, nonce: int, spec: Digest, input_tokens: int, most: int) -> None:
        """A call in flight of an earlier process: its voucher is signed already, so there is nothing to refuse."""
        with self._lock:
            self._open[nonce] = _InFlight(spec, input_tokens, most)

    def receive(self, nonce: int, received: int) -> bool:
        """Note the tokens that came so far. True when it is time for the next voucher: half a quantum is left."""
        with self._lock:
            call = replace(self._open[nonce], received=received)
            self._open[nonce] = call
            return call.covered < call.most and call.covered - received <= self._quantum // 2

    def end(self, nonce: int, spec: Digest, number: int, line: CallLine) -> None:
        """A call whose leaf was recomputed. Its number tells its place in the head: later ones wait for earlier."""
        with self._lock:
            self._open.pop(nonce, None)
            self._lost.pop(nonce, None)
            self._early[number] = spec, line
            while (following := self._early.pop(self.finished.calls + 1, None)) is not None:
                self.finished = add_call(self.finished, following[1], self._offer)

    def drop(self, nonce: int, lost: Digest | None = None) -> None:
        """A call that the provider never took, or that brought nothing: it costs nothing. One that is `lost`, by its
        spec's digest, may have got a number that is never learnt, and stays named."""
        with self._lock:
            self._open.pop(nonce, None)
            if lost is not None:
                self._lost[nonce] = lost

    def following(self, is_new: bool = False) -> Totals:
        """What the next voucher says. It may fall below the last one only when calls have ended since, and never
        passes the cap. With a new call (`is_new`) it must differ from the last: a replayed one is refused."""
        with self._lock:
            for nonce, call in self._open.items():
                self._open[nonce] = replace(call, covered=min(call.received + self._quantum, call.most))
            amount = self._exact() + sum(
                cover(call.input_tokens, call.received, call.most, self._offer, self._quantum)
                for call in self._open.values())
            if self.signed is not None and self.signed.calls == self.finished.calls:
                amount = max(amount, self.signed.amount + (1 if is_new else 0))
            return replace(self.finished, amount=Wei(min(amount, self.cap)))

    @property
    def named(self) -> tuple[Digest, ...]:
        """What the next voucher says of the calls that it may pay beyond the head: the spec digests of those in flight,
        of those that wait for lower numbers, and of lost ones, ascending. Read it behind `following`: a call that
        begins in between is then named and not covered, which harms nobody."""
        with self._lock:
            running = (call.spec for call in self._open.values())
            return tuple(sorted({*running, *(spec for spec, _ in self._early.values()), *self._lost.values()}))

    def is_known(self, number: int) -> bool:
        """Whether the call of that number has ended here."""
        with self._lock:
            return number <= self.finished.calls or number in self._early

    @property
    def last_number(self) -> int:
        """The highest number that a call in flight can get: numbers have no gaps. Under a higher one a call would be
        paid by every later voucher, and in no head, where an audit could draw it."""
        with self._lock:
            return self.finished.calls + len(self._early) + len(self._open) + len(self._lost)

    @property
    def in_flight(self) -> int:
        with self._lock:
            return len(self._open)

    @property
    def room(self) -> Wei:
        """What of the cap no call can need any more, wei."""
        with self._lock:
            return Wei(self.cap - self._committed())

    @property
    def owed(self) -> Wei:
        """The most that the provider can claim by what is signed, or must get by what ended."""
        with self._lock:
            return Wei(max(self._exact(), self.signed.amount if self.signed else 0))

    def _exact(self) -> int:
        early = (payment(line.input_tokens, line.output_tokens, self._offer.input_price, self._offer.output_price)
                 for _, line in self._early.values())
        return self.finished.amount + sum(early)

    def _committed(self) -> int:
        running = sum(self._reserve(call.input_tokens, call.most) for call in self._open.values())
        signed = self.signed.amount if self.signed and self.signed.calls == self.finished.calls else 0
        return max(self._exact() + running, signed)

    def _reserve(self, input_tokens: int, most: int) -> int:
        return reserve(input_tokens, most, self._offer.input_price, self._offer.output_price)
