"""A provider of calls in memory, behind `session_ports.Provider`: real vouchers and sealing; it can misbehave."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any

from protocol import sealing
from protocol.calls import CallLine, Totals, add_call, begin
from protocol.economics import payment
from protocol.encoding import ZERO, keccak, pack_float32, to_hex
from protocol.envelope import CallRequest, SignedTotals, open_part, open_request, seal_part
from protocol.errors import Unavailable
from protocol.messages import offer_digest
from protocol.quotes import Quote, quote_digest
from protocol.transcript import leaf, parse_prompt, spec_digest
from protocol.types import Answer, SessionState, SignedOffer
from protocol.units import Address, Digest, Wei
from protocol.vouchers import (
    STALE,
    STATUS,
    Standing,
    VoucherRefused,
    adds_nothing,
    grant,
    held_for,
    is_known,
    open_call,
    take_voucher,
)
from requester.session_ports import ProviderSaid
from requester.session_records import ProviderTotals
from tests.requester.fakes import signer

STOP = 2
END_AGAIN, CANCEL, TOTALS, ASK_END = 2**32, 2**33, 2**34, 2**35


def _one_at_a_time(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def locked(self: FakeProvider, *arguments: Any) -> Any:
        with self.lock:
            return method(self, *arguments)

    return locked


@dataclass
class FakeCall:
    request: CallRequest
    granted: int = 0
    produced: list[int] = field(default_factory=list)
    ended: bool = False
    cancelled: bool = False
    number: int | None = None


@dataclass
class FakeSession:
    standing: Standing
    ends: list[Totals]
    calls: dict[int, FakeCall] = field(default_factory=dict)
    numbered: dict[int, tuple[bytes, dict[str, Any]]] = field(default_factory=dict)
    vouchers: list[SignedTotals] = field(default_factory=list)


class FakeProvider:
    """`mode` says how it behaves: "good", "down", "busy", "error_500", "refuses", "silent" (never starts), "stops"
    (the connection breaks after `after` tokens), "gives_up" (an error part after `after`), "ends_early" (cancelled by
    itself), "altered" (a relay flips bytes), "garbage", "no_end", "wrong_leaf", "wrong_count", "too_many",
    "after_stop", "unseen" (`unseen` times), "bad_quote". `shows_ids`: an end that is asked for again carries them."""

    def __init__(self, world: Any, owner: int, node: int) -> None:
        self.world, self.owner, self.node = world, signer(owner), signer(node)
        self.url = f"http://provider-{owner}"
        self.secret = sealing.derive_secret(node.to_bytes(32, "big"), "malla/node/x25519/v1")
        self.mode, self.after, self.unseen, self.shows_ids = "good", 3, 0, True
        self.words: tuple[int, ...] = (72, 105, STOP)
        self.sessions: dict[bytes, FakeSession] = {}
        self.asked: list[str] = []
        self.lock = threading.RLock()
        """A provider's database holds a session's row for each step."""

    @property
    def address(self) -> Address:
        return self.owner.address

    def offer_of(self, digest: Digest) -> SignedOffer:
        return next(o for o in self.world.offers if offer_digest(self.world.domain, o.offer) == digest)

    def ask_quote(self, requester: Address, offer: Digest, input_tokens: int,
                  max_output_tokens: int) -> tuple[Quote, bytes]:
        self._reach("quote")
        its = self.offer_of(offer).offer
        most = payment(input_tokens, max_output_tokens, its.input_price, its.output_price)
        extra = 1 if self.mode == "bad_quote" else 0
        quote = Quote(requester, offer, input_tokens, max_output_tokens, Wei(most + extra),
                      int(self.world.clock()) + 60)
        return quote, self.node.sign(quote_digest(self.world.domain, quote))

    @_one_at_a_time
    def start_call(self, kind: str, session_id: bytes, sealed: bytes) -> FakeReply:
        self._reach("call")
        if self.mode == "busy":
            raise ProviderSaid(429, "busy", "All streams are taken.", retry_after=2.0)
        if self.mode == "error_500":
            raise ProviderSaid(500, "internal", "The provider failed.")
        if self.mode == "refuses":
            raise ProviderSaid(400, "input_tokens", "The prompt has other tokens.")
        request = open_request(sealed, self.secret)
        assert parse_prompt(request.prompt) and keccak(request.prompt) == request.spec.prompt_digest
        session = self._session(session_id)
        if adds_nothing(request.voucher, session.standing):
            raise ProviderSaid(409, STALE, "This voucher was taken before.")
        offer = self.offer_of(session.standing.session.offer_digest).offer
        try:
            taken = self._taken(session, request.voucher, spec_digest(request.spec))
            standing = open_call(taken, request.spec.input_tokens, request.spec.max_output_tokens, offer)
        except VoucherRefused as error:
            raise ProviderSaid(STATUS[error.word], error.word, error.message) from error
        session.standing = standing
        session.vouchers.append(request.voucher)
        call = FakeCall(request, min(32, request.spec.max_output_tokens))
        session.calls[request.spec.nonce] = call
        return FakeReply(self, session, call)

    @_one_at_a_time
    def send_voucher(self, totals: SignedTotals) -> ProviderTotals:
        self._reach("voucher")
        session = self._session(totals.session_id)
        if not is_known(totals, session.standing):
            try:
                session.standing = self._taken(session, totals)
            except VoucherRefused as error:
                raise ProviderSaid(STATUS[error.word], error.word, error.message) from error
            session.vouchers.append(totals)
        took = session.standing.accepted
        return ProviderTotals(took.amount, took.units, took.calls, took.head)

    @_one_at_a_time
    def read_session(self, session_id: bytes, nonce: int, sealed: str) -> ProviderTotals:
        self._reach("session")
        session = self._session(session_id)
        if nonce not in session.calls:
            raise ProviderSaid(404, "not_found", "No such call.")
        assert open_part(session.calls[nonce].request.key, TOTALS, sealed) == {"kind": "totals"}
        owed = session.standing.owed
        for call in list(session.calls.values()):
            if call.cancelled and not call.ended:
                self.close_call(session, call)
                owed = session.standing.owed
        nonces = tuple(nonce for nonce, call in session.calls.items() if not call.ended)
        return ProviderTotals(owed.amount, owed.units, owed.calls, owed.head, nonces)

    def read_call(self, session_id: bytes, nonce: int, sealed: str) -> str:
        self._reach("read_call")
        its = self._session(session_id)
        asking = its.calls[nonce].request.key
        assert open_part(asking, ASK_END, sealed) == {"kind": "end"}
        for key, part in its.numbered.values():
            if key == asking:
                return seal_part(key, END_AGAIN, part)
        raise ProviderSaid(404, "not_found", "The call has not ended.")

    def cancel_call(self, session_id: bytes, nonce: int, sealed: str) -> None:
        self._reach("cancel")
        call = self._session(session_id).calls.get(nonce)
        if call is None:
            raise ProviderSaid(404, "not_found", "No such call.")
        assert open_part(call.request.key, CANCEL, sealed) == {"kind": "cancel"}
        call.cancelled = True

    @_one_at_a_time
    def close_call(self, session: FakeSession, call: FakeCall) -> dict[str, Any] | None:
        """Append the call with what it produced; nothing is owed for none."""
        call.ended = True
        spec, offer = call.request.spec, self.offer_of(session.standing.session.offer_digest).offer
        held = held_for(spec.input_tokens, call.granted, offer)
        session.standing = replace(session.standing, held=Wei(session.standing.held - held))
        if not call.produced:
            return None
        ids = tuple(call.produced)
        finish = "stop" if ids[-1] == STOP else "length" if len(ids) == spec.max_output_tokens else "cancelled"
        salt = keccak(spec.nonce.to_bytes(8, "big"))
        answer = Answer(spec.prompt_blob, "", ids, spec.input_tokens, finish, salt, logprobs_of(ids), b"", ZERO)
        its = leaf(answer, spec)
        if self.mode == "wrong_leaf":
            its = keccak(its)
        line = CallLine(its, spec.input_tokens, len(ids))
        owed = add_call(session.standing.owed, line, offer)
        session.standing = replace(session.standing, owed=owed)
        session.ends.append(owed)
        call.number = owed.calls
        count = len(ids) + (1 if self.mode == "wrong_count" else 0)
        part: dict[str, Any] = {
            "kind": "end", "number": owed.calls, "finish": finish, "salt": to_hex(salt),
            "fingerprint_root": to_hex(ZERO), "input_tokens": spec.input_tokens, "output_tokens": count,
            "leaf": to_hex(its), "tokens_per_second": "12.500", "time_to_first_token": "0.050000"}
        again = {**part, "ids": list(ids), "logprobs": to_hex(logprobs_of(ids)), "top": "0x"}
        session.numbered[owed.calls] = (call.request.key, again if self.shows_ids else part)
        return part

    def offer_prices(self, session: FakeSession) -> Any:
        return self.offer_of(session.standing.session.offer_digest).offer

    def _taken(self, session: FakeSession, voucher: SignedTotals, *new: Digest) -> Standing:
        self._look_at_chain(session)
        reached = session.ends[voucher.calls] if voucher.calls < len(session.ends) else None
        beyond = [spec_digest(call.request.spec) for call in session.calls.values()
                  if not call.ended or (call.number or 0) > voucher.calls]
        return take_voucher(session.standing, voucher, reached, [*new, *beyond], self.world.domain,
                            self.world.clock())

    def _session(self, session_id: bytes) -> FakeSession:
        found = self.world.chain.sessions.get(session_id)
        if found is None or found.session.provider != self.address or self.unseen > 0:
            self.unseen -= 1
            raise ProviderSaid(404, "session_unknown", "The session is not open here yet.", retry_after=1.0)
        if session_id not in self.sessions:
            key = self.world.chain.keys.get(found.session.key)
            standing = Standing(found.session, SessionState.OPEN, found.cap, found.ends_at, key.ends_at if key else 0,
                                begin(session_id), begin(session_id), Wei(0))
            self.sessions[session_id] = FakeSession(standing, [begin(session_id)])
        return self.sessions[session_id]

    def _look_at_chain(self, session: FakeSession) -> None:
        found = self.world.chain.sessions[session.ends[0].head]
        session.standing = replace(session.standing, cap=found.cap, state=SessionState[found.state])

    def _reach(self, what: str) -> None:
        self.asked.append(what)
        if self.mode == "down":
            raise Unavailable(f"The provider at {self.url} does not answer.")


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
                granted = self._grant(produced, offer)
            if granted > produced:
                return
            yield self._part({"kind": "wait", "received": produced})
        self.call.cancelled = True

    def _grant(self, produced: int, offer: Any) -> int:
        spec = self.call.request.spec
        granted = grant(self.session.standing, self.call.granted, produced, spec.max_output_tokens, offer)
        more = held_for(spec.input_tokens, granted, offer) - held_for(spec.input_tokens, self.call.granted, offer)
        self.call.granted = granted
        self.session.standing = replace(self.session.standing, held=Wei(self.session.standing.held + more))
        return granted

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


def logprobs_of(ids: tuple[int, ...]) -> bytes:
    return pack_float32([-0.25] * len(ids))
