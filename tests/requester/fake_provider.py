"""A provider of calls in memory, behind `ports.sessions.Provider`: real vouchers and sealing; it can misbehave."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

from protocol import sealing
from protocol.calls import begin
from protocol.economics import payment
from protocol.encoding import keccak
from protocol.envelope import SignedTotals, open_part, open_request, seal_part
from protocol.errors import Unavailable
from protocol.messages import offer_digest
from protocol.quotes import Quote, quote_digest
from protocol.transcript import parse_prompt, spec_digest
from protocol.types import SessionState, SignedOffer
from protocol.units import Address, Digest, Wei
from protocol.vouchers import (
    STALE,
    STATUS,
    Standing,
    VoucherRefused,
    adds_nothing,
    is_known,
    open_call,
    take_voucher,
)
from requester.ports.sessions import ProviderSaid
from requester.records.sessions import ProviderTotals
from tests.requester.fake_reply import FakeReply
from tests.requester.fake_session import STOP, FakeCall, FakeSession
from tests.requester.fakes import signer

END_AGAIN, CANCEL, TOTALS, ASK_END = 2**32, 2**33, 2**34, 2**35


def _one_at_a_time(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def locked(self: FakeProvider, *arguments: Any) -> Any:
        with self.lock:
            return method(self, *arguments)

    return locked


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
        return session.append(call, self.offer_prices(session), self.mode, self.shows_ids)

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
