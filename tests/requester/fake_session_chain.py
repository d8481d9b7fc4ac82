"""The chain in memory with sessions and sub-keys in its escrow, and the wallet that opens and pays them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from protocol.encoding import keccak
from protocol.errors import ChainRefused
from protocol.messages import offer_digest, session_id
from protocol.signing import Signer
from protocol.types import Session
from protocol.units import TOKEN, Address, Digest, Wei
from requester.edges.session_chain import NO_KEY
from requester.ports.jobs import Mined
from requester.records.sessions import (
    KeyState,
    OpenedSession,
    SessionFile,
    SessionTerms,
    SessionView,
)
from tests.requester.fake_chain import FakeChain, FakeWallet, Killed
from tests.requester.fakes import signer

OPEN_FEE = Wei(TOKEN // 1000)
CLAIM_DELAY = 100
DISPUTE_WINDOW = 600


@dataclass
class OnChain:
    session: Session
    state: str
    cap: Wei
    committed: Wei
    ends_at: int


@dataclass
class SessionFakeChain(FakeChain):
    sessions: dict[bytes, OnChain] = field(default_factory=dict)
    by_tx: dict[bytes, bytes] = field(default_factory=dict)
    keys: dict[str, KeyState] = field(default_factory=dict)

    def session_terms(self) -> SessionTerms:
        return SessionTerms(OPEN_FEE, CLAIM_DELAY, 3600, DISPUTE_WINDOW)

    def view_session(self, session_id: bytes) -> SessionView:
        found = self.sessions.get(session_id)
        if found is None:
            return SessionView("NONE", Wei(0), Wei(0), 0)
        return SessionView(found.state, found.cap, found.committed, found.ends_at)

    def opened_session(self, tx_hash: Digest) -> OpenedSession | None:
        at = self.by_tx.get(tx_hash)
        if at is None:
            return None
        found = self.sessions[at]
        return OpenedSession(Digest(at), found.session, found.cap, found.ends_at)

    def key_state(self, requester: Address, key: Address) -> KeyState:
        return self.keys.get(key, KeyState(key, Wei(0), Wei(0), 0, False))

    def open_session_call(self, file: SessionFile, key: Address | None) -> Any:
        return ("open_session", (file, key or NO_KEY))

    def top_up_call(self, session: Session, amount: Wei) -> Any:
        return ("top_up", (session, amount))

    def close_session_call(self, session: Session) -> Any:
        return ("close_session", session)

    def finish_session_call(self, session: Session) -> Any:
        return ("finish_session", session)

    def authorise_key_call(self, key: Address, cap: Wei, ends_at: int, models: Any) -> Any:
        return ("authorise_key", KeyState(key, cap, Wei(0), ends_at, not models))

    def revoke_key_call(self, key: Address) -> Any:
        return ("revoke_key", key)

    def id_of(self, session: Session) -> Digest:
        return session_id(self.domain.chain_id, self.domain.contract, session)

    def carry_out(self, call: Any, tx_hash: bytes = b"", sender: Address = NO_KEY) -> None:
        kind, value = call
        match kind:
            case "open_session":
                self._open(*value, tx_hash, sender)
            case "top_up":
                session, amount = value
                self._use_key(session.key, amount)
                self.escrow -= amount
                assert self.escrow >= 0
                self.sessions[self.id_of(session)].cap = Wei(self.sessions[self.id_of(session)].cap + amount)
            case "close_session":
                found = self._in(value, "OPEN")
                found.state, found.ends_at = "CLOSING", self.time + CLAIM_DELAY
            case "finish_session":
                found = self._in(value, "CLOSING")
                assert self.time >= found.ends_at
                found.state = "CLOSED"
                self.escrow += found.cap - found.committed
            case "authorise_key":
                self.keys[value.address] = value
            case "revoke_key":
                self.keys[value] = replace(self.keys[value], cap=Wei(0), ends_at=self.time + CLAIM_DELAY)
            case _:
                super().carry_out(call)
                return
        self.calls.append(kind)

    def _open(self, file: SessionFile, key: Address, tx_hash: bytes, sender: Address) -> None:
        if self.refuse is not None:
            raise self.refuse
        if key != NO_KEY and key not in self.keys:
            raise ChainRefused("KeyNotAuthorised", {}, "The key is not authorised.")
        self._use_key(key, file.cap)
        offer = file.offer.offer
        largest = offer.max_input_tokens * offer.input_price + offer.max_output_tokens * offer.output_price
        session = Session(sender, offer.provider, offer_digest(self.domain, offer), key, Wei(largest), self.time,
                          file.nonce)
        self.escrow -= file.cap + OPEN_FEE
        assert self.escrow >= 0
        self.sessions[self.id_of(session)] = OnChain(session, "OPEN", file.cap, Wei(0), self.time + file.duration)
        self.by_tx[tx_hash] = self.id_of(session)

    def _use_key(self, key: Address, amount: int) -> None:
        if key in self.keys:
            self.keys[key] = replace(self.keys[key], used=Wei(self.keys[key].used + amount))
            assert self.keys[key].used <= self.keys[key].cap

    def _in(self, session: Session, state: str) -> OnChain:
        found = self.sessions[self.id_of(session)]
        if found.state != state:
            raise ChainRefused("WrongSessionState", {}, f"The session is {found.state}.")
        return found


class SessionWallet(FakeWallet):
    """`crash_before` and `crash_after` stop at a session's opening like a killed process."""

    def signer_of(self, key_id: str) -> Signer:
        return signer(int.from_bytes(keccak(key_id.encode())[:8], "big")) if key_id else self.signer

    def send(self, call: Any, before_send: Callable[[Digest, bytes], None] | None = None) -> Digest:
        raw = f"{call[0]}-{len(self.pool)}".encode()
        self.pool[raw] = call
        if before_send is not None:
            before_send(keccak(raw), raw)
        if self.crash_before and call[0] == "open_session":
            raise Killed
        self._carry_out(raw)
        if self.crash_after and call[0] == "open_session":
            raise Killed
        return keccak(raw)

    def resend(self, raw: bytes) -> bool:
        if keccak(raw) not in self.chain.by_tx:  # type: ignore[attr-defined]
            self._carry_out(raw)
        return True

    def wait(self, tx_hash: Digest) -> Mined:
        return Mined(tx_hash, 10, 100_000)

    def _carry_out(self, raw: bytes) -> None:
        call = self.pool[raw]
        kinds = ("open", "deposit", "withdraw")
        if call[0] in kinds:
            self.chain.carry_out(call)
        else:
            self.chain.carry_out(call, keccak(raw), self.address)  # type: ignore[call-arg]
