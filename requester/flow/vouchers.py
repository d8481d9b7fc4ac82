"""What a session owes and what its next voucher says, for many calls in flight at once. Holds no key, sends nothing.

Of calls whose leaves were recomputed a voucher names the head and pays the exact amount; beyond that it covers for each
call in flight what came and a quantum more. So the provider can claim at most a quantum a call that it did not deliver.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from protocol.calls import NOTHING_IN_FLIGHT, QUANTUM, CallLine, Totals, add_call, cover
from protocol.economics import payment, reserve
from protocol.envelope import SignedTotals
from protocol.errors import MallaError
from protocol.messages import Domain, voucher_digest
from protocol.signing import Signer
from protocol.types import Offer, Session, Voucher
from protocol.units import Digest, Wei


class CapReached(MallaError):
    """The session's cap does not hold what the call may cost. `missing` is wei."""

    code = "cap_reached"

    def __init__(self, missing: int) -> None:
        self.missing = Wei(missing)
        super().__init__(f"The session's cap lacks {missing} wei for this call.", "Top the session up.")


@dataclass(frozen=True)
class _InFlight:
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
        self._early: dict[int, CallLine] = {}
        self._lost = 0
        self.cap, self.finished, self.signed = cap, finished, signed

    def begin(self, nonce: int, input_tokens: int, most: int) -> None:
        """Take a call in. The cap must hold all that it and the others in flight may cost. Errors: CapReached."""
        with self._lock:
            over = self._committed() + self._reserve(input_tokens, most) - self.cap
            if over > 0:
                raise CapReached(over)
            self._open[nonce] = _InFlight(input_tokens, most)

    def resume(self, nonce: int, input_tokens: int, most: int) -> None:
        """A call in flight of an earlier process: its voucher is signed already, so there is nothing to refuse."""
        with self._lock:
            self._open[nonce] = _InFlight(input_tokens, most)

    def receive(self, nonce: int, received: int) -> bool:
        """Note the tokens that came so far. True when it is time for the next voucher: half a quantum is left."""
        with self._lock:
            call = replace(self._open[nonce], received=received)
            self._open[nonce] = call
            return call.covered < call.most and call.covered - received <= self._quantum // 2

    def end(self, nonce: int, number: int, line: CallLine) -> None:
        """A call whose leaf was recomputed. Its number tells its place in the head: later ones wait for earlier."""
        with self._lock:
            self._open.pop(nonce, None)
            self._early[number] = line
            while (following := self._early.pop(self.finished.calls + 1, None)) is not None:
                self.finished = add_call(self.finished, following, self._offer)

    def drop(self, nonce: int, is_lost: bool = False) -> None:
        """A call that the provider never took, or that brought nothing: it costs nothing. One that `is_lost` may have
        got a number that is never learnt."""
        with self._lock:
            self._open.pop(nonce, None)
            self._lost += is_lost

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

    def is_known(self, number: int) -> bool:
        """Whether the call of that number has ended here."""
        with self._lock:
            return number <= self.finished.calls or number in self._early

    @property
    def last_number(self) -> int:
        """The highest number that a call in flight can get: numbers have no gaps. Under a higher one a call would be
        paid by every later voucher, and in no head, where an audit could draw it."""
        with self._lock:
            return self.finished.calls + len(self._early) + len(self._open) + self._lost

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
                 for line in self._early.values())
        return self.finished.amount + sum(early)

    def _committed(self) -> int:
        running = sum(self._reserve(call.input_tokens, call.most) for call in self._open.values())
        signed = self.signed.amount if self.signed and self.signed.calls == self.finished.calls else 0
        return max(self._exact() + running, signed)

    def _reserve(self, input_tokens: int, most: int) -> int:
        return reserve(input_tokens, most, self._offer.input_price, self._offer.output_price)


def sign_totals(totals: Totals, session_id: bytes, session: Session, domain: Domain, signer: Signer) -> SignedTotals:
    """The voucher that both sides know the session of."""
    said = Voucher(session, totals.amount, totals.units, totals.calls, totals.head, NOTHING_IN_FLIGHT, b"")
    signature = signer.sign(voucher_digest(domain, session_id, said))
    return SignedTotals(Digest(session_id), totals.amount, totals.units, totals.calls, totals.head, signature)
