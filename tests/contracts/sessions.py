"""Sessions, vouchers and sub-keys, as requesters and providers make them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from brownie import chain

from protocol.calls import NOTHING_IN_FLIGHT, claimed_head
from protocol.encoding import keccak
from protocol.messages import offer_digest, session_id, voucher_digest
from protocol.types import Entry, Offer, Session, SessionState, Voucher
from protocol.units import TOKEN
from tests.contracts.expect import now
from tests.contracts.nouns import OpenedSession, Person, key_address
from tests.contracts.stage import Stage

CAP = 50 * TOKEN
NO_ANSWER = bytes(32)


class Sessions(Stage):
    """One method for each move in a session."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.session_openings: dict[bytes, Any] = {}  # the transaction by session id
        super().__init__(*arguments, **options)

    def session_arguments(
        self,
        offer: Offer,
        cap: int = CAP,
        duration: int = 3_000,
        key: Person | None = None,
        provider: int = 0,
    ) -> tuple[Any, ...]:
        signature = self.providers[provider].node.signer.sign(offer_digest(self.domain, offer))
        return dataclasses.astuple(offer), signature, cap, duration, key_address(key), self.number()

    def open_session(
        self,
        cap: int = CAP,
        duration: int = 3_000,
        requester: int = 0,
        provider: int = 0,
        key: Person | None = None,
        offer: Offer | None = None,
    ) -> OpenedSession:
        """Opens a session on the provider's usual offer; with a `key`, which was authorised before."""
        offer = offer or self.offer(provider)  # type: ignore[attr-defined]  # the market's
        arguments = self.session_arguments(offer, cap, duration, key, provider)
        who = self.requesters[requester]
        sent = self.escrow.openSession(*arguments, {"from": who.account})
        session = Session(
            requester=who.address,
            provider=offer.provider,
            offer_digest=offer_digest(self.domain, offer),
            key=key_address(key),
            largest_call=offer.max_input_tokens * offer.input_price
            + offer.max_output_tokens * offer.output_price,
            opened_at=sent.timestamp,
            nonce=arguments[-1],
        )
        digest = session_id(chain.id, str(self.escrow.address), session)
        self.session_openings[digest] = sent
        return OpenedSession(session, digest, cap, sent.timestamp + duration, who, key)

    def authorise(
        self,
        key: Person,
        cap: int = 2 * CAP,
        requester: int = 0,
        models: Sequence[bytes] = (),
        seconds: int = 5_000,
    ) -> Any:
        sender = {"from": self.requesters[requester].account}
        return self.escrow.authoriseKey(key.address, cap, now() + seconds, list(models), sender)

    def voucher(
        self,
        opened: OpenedSession,
        amount: int,
        units: int = 300,
        calls: int = 1,
        head: bytes | None = None,
        signer: Person | None = None,
        in_flight: bytes = NOTHING_IN_FLIGHT,
    ) -> Voucher:
        """Signed by the session's key if it has one, else by its requester, unless a `signer` is named.

        `amount`, `units` and `calls` are totals since the opening. `nouns.voucher_tuple` is what the chain takes.
        """
        head = keccak(b"head" + opened.id + amount.to_bytes(32, "big")) if head is None else head
        plain = Voucher(opened.session, amount, units, calls, head, in_flight, b"")
        who = signer or opened.key or opened.requester
        return dataclasses.replace(
            plain, signature=who.signer.sign(voucher_digest(self.domain, opened.id, plain))
        )

    def voucher_entry(self, voucher: Voucher, added: int, links: Sequence[bytes] = ()) -> Entry:
        """The line of a batch that pays what the voucher, or a claim with `links` on it, adds to the one before."""
        digest = session_id(chain.id, str(self.escrow.address), voucher.session)
        head = claimed_head(voucher.head, voucher.in_flight, links)
        return Entry(digest, voucher.session.requester, added, added, head, NO_ANSWER)

    def top_up(self, opened: OpenedSession, amount: int) -> Any:
        return self.escrow.topUpSession(opened.tuple, amount, {"from": opened.requester.account})

    def close_session(self, opened: OpenedSession, sender: Person | None = None) -> Any:
        return self.escrow.closeSession(opened.tuple, {"from": (sender or opened.requester).account})

    def finish_session(self, opened: OpenedSession, sender: Person | None = None) -> Any:
        return self.escrow.finishSession(opened.tuple, {"from": (sender or self.stranger).account})

    def session_state(self, opened: OpenedSession) -> SessionState:
        return SessionState(int(self.escrow.session(opened.id)[0]))
