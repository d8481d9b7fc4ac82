"""One reply as its parts come: each is opened, checked, counted; the end is taken only if its leaf is recomputed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from protocol.economics import payment, reserve
from protocol.envelope import open_part
from protocol.errors import MallaError, ProviderFault
from protocol.transcript import spec_digest
from protocol.units import Wei
from requester.flow.call_records import Tokens, Vector, Waiting
from requester.flow.desk import Desk, Live
from requester.flow.endings import Ending, Received, check_end, recovered, vector_of
from requester.flow.gathering import Gathering
from requester.flow.posting import post_voucher
from requester.ports.jobs import ModelChoice
from requester.records.sessions import CallFile, CallStage

RECOVERED_PART = 2**32
"""Number under which an end is sealed that is asked for again."""
CANCEL_PART, TOTALS_PART, ASK_END_PART = 2**33, 2**34, 2**35


class ReplyFailed(MallaError):
    """The provider says itself that it cannot go on. `said` is its word."""

    code = "provider_failed"

    def __init__(self, said: str, message: str) -> None:
        super().__init__(message)
        self.said = said


class Receiver:
    """What came of one call. Used by one thread at a time."""

    def __init__(self, desk: Desk, live: Live, call: CallFile, model: ModelChoice) -> None:
        self.desk, self.live, self.call, self.model = desk, live, call, model
        self._gathering = Gathering(call.spec, model.stop_token_ids)
        self._whole: Received | None = None
        self.ending: Ending | None = None
        self._parts = 0
        self._first = self._last = desk.clock()

    @property
    def count(self) -> int:
        """Tokens that came."""
        return self._gathering.count if self._whole is None else len(self._whole.ids)

    @property
    def received(self) -> Received:
        """All that came, copied: not for every part."""
        return self._gathering.whole() if self._whole is None else self._whole

    def take(self, text: str) -> Tokens | Vector | Waiting:
        """The next part of the stream; `Waiting` where it brings nothing to show. See `ending` after it.

        Errors: BadInput (altered on its way, or parts are missing), ReplyFailed, ProviderFault.
        """
        part = open_part(self.call.key, self._parts, text)
        self._parts += 1
        match part["kind"]:
            case "tokens":
                return self._tokens(part)
            case "vector":
                return self._vector(part)
            case "wait":
                post_voucher(self.desk, self.live)
                return Waiting()
            case "end":
                self.finish(part)
                return Waiting()
            case "error":
                raise ReplyFailed(str(part.get("code"))[:40], str(part.get("message"))[:300])
        raise ProviderFault("kind", f"A part of the reply is of the kind '{part['kind'][:20]}'.")

    def recover(self, text: str) -> None:
        """The end, asked for again. Errors: BadInput for another call's, ProviderFault."""
        part = open_part(self.call.key, RECOVERED_PART, text)
        if part["kind"] not in ("end", "vector"):
            raise ProviderFault("kind", "What it shows as the end is none.")
        self._whole = recovered(part, self.received, self.call.spec, self.model.stop_token_ids)
        self.finish(part)

    def finish(self, part: dict[str, Any]) -> None:
        """Take the end: the leaf becomes part of the head, and the voucher is signed and on its way. Errors:
        ProviderFault, and then nothing is signed."""
        received = self.received
        text = self.desk.market.models.decode(self.model, received.ids) if received.ids else ""
        ending = check_end(part, received, self.call.spec, self.model.stop_token_ids, text)
        desk, live = self.desk, self.live
        with live.lock:
            if live.meter.is_known(ending.number):
                raise ProviderFault("number", f"It gives the number {ending.number} to a second call.")
            if ending.number > live.meter.last_number:
                raise ProviderFault("number", f"It gives the number {ending.number}, and at most "
                                    f"{live.meter.last_number} calls can have ended.")
            live.meter.end(self.call.nonce, spec_digest(self.call.spec), ending.number, ending.line)
            self.call = replace(self.call, stage=CallStage.ENDED, number=ending.number, line=ending.line,
                                answer=ending.answer)
            desk.sign(live, self.call)
        self.ending = ending
        post_voucher(desk, live)

    def speed(self) -> float:
        """Tokens a second as they came here; 0 where there were too few to tell."""
        count, passed = self.count - 1, self._last - self._first
        return count / passed if count >= 8 and passed > 0 else 0.0

    def worth(self) -> Wei:
        """What came is worth, input included, wei."""
        offer, spec = self.live.file.offer.offer, self.call.spec
        return payment(spec.input_tokens, self.count, offer.input_price, offer.output_price)

    def most(self) -> Wei:
        """The most that the call can cost, wei."""
        offer, spec = self.live.file.offer.offer, self.call.spec
        return reserve(spec.input_tokens, spec.max_output_tokens, offer.input_price, offer.output_price)

    def _tokens(self, part: dict[str, Any]) -> Tokens:
        self._last = self.desk.clock()
        if not self.count:
            self._first = self._last
        new = self._gathering.add(part)
        if self.live.meter.receive(self.call.nonce, self.count):
            post_voucher(self.desk, self.live)
        return Tokens(new.ids, new.logprobs, new.top)

    def _vector(self, part: dict[str, Any]) -> Vector:
        """A vector comes whole, and its part is the end."""
        if self.count:
            raise ProviderFault("vector", "A vector came besides tokens.")
        self._whole = vector_of(part)
        self.finish(part)
        return Vector(self._whole.vector)
