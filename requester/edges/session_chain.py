"""`session_ports.SessionChain` over `protocol.chain`."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.chain.chain import Chain as ChainEdge
from protocol.chain.records import Call
from protocol.chain.session_events import SessionOpened
from protocol.types import Session
from protocol.units import Address, Digest, Wei
from requester.records.sessions import KeyState, OpenedSession, SessionFile, SessionTerms, SessionView

NO_KEY = Address("0x" + "00" * 20)


class SessionChainClient:
    """Safe to share between threads."""

    def __init__(self, chain: ChainEdge) -> None:
        self._chain = chain

    def session_terms(self) -> SessionTerms:
        read = self._chain.parameters()
        return SessionTerms(read.open_fee, read.claim_delay, read.max_session, self._chain.court_terms().dispute_window)

    def view_session(self, session_id: bytes) -> SessionView:
        record = self._chain.session(session_id)
        return SessionView(record.state.name, record.cap, record.committed, record.ends_at)

    def opened_session(self, tx_hash: Digest) -> OpenedSession | None:
        receipt = self._chain.receipt(tx_hash)
        for found in () if receipt is None or not receipt.succeeded else receipt.events:
            event = found.event
            if isinstance(event, SessionOpened):
                session = Session(event.requester, event.provider, event.offer_digest, event.key, event.largest_call,
                                  event.opened_at, event.nonce)
                return OpenedSession(event.session_id, session, event.cap, event.ends_at)
        return None

    def key_state(self, requester: Address, key: Address) -> KeyState:
        record = self._chain.key_record(requester, key)
        return KeyState(key, record.cap, record.used, record.ends_at, record.any_model)

    def open_session_call(self, file: SessionFile, key: Address | None) -> Call:
        return self._chain.open_session(file.offer, file.cap, file.duration, key or NO_KEY, file.nonce)

    def top_up_call(self, session: Session, amount: Wei) -> Call:
        return self._chain.top_up_session(session, amount)

    def close_session_call(self, session: Session) -> Call:
        return self._chain.close_session(session)

    def finish_session_call(self, session: Session) -> Call:
        return self._chain.finish_session(session)

    def authorise_key_call(self, key: Address, cap: Wei, ends_at: int, models: Sequence[Digest]) -> Call:
        return self._chain.authorise_key(key, cap, ends_at, models)

    def revoke_key_call(self, key: Address) -> Call:
        return self._chain.revoke_key(key)
