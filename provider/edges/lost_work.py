"""`provider.ports.lost.Market` over the oracles' public reads, the chain and the home folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from protocol.chain.chain import Chain
from protocol.chain.events import ChainEvent, JobOpened
from protocol.encoding import to_hex
from protocol.errors import ChainRefused, ChainUnreachable, MallaError, Unavailable
from protocol.listing import SignedListing
from protocol.messages import Domain, offer_digest
from protocol.types import AUDIT_OPEN, SignedOffer
from protocol.units import Address, Digest
from protocol.wire import from_json
from provider.edges.offer_files import OfferFiles
from provider.edges.oracle_client import HttpOracleClient
from provider.ports.lost import Kind, Standing, Won
from provider.records.work import Oracle

T = TypeVar("T")
MOST_ROWS = 100
"""An oracle shows no more at once."""
SHARED = ("offer_digest", "model", "model_name", "opened_at", "opened_tx")


class PublicMarket:
    """What one oracle shows is shown as it is: nothing is signed, paid or refused on it."""

    def __init__(self, chain: Chain, oracles: Sequence[Oracle], client: HttpOracleClient, files: OfferFiles,
                 owner: Address) -> None:
        self.domain: Domain = chain.domain
        self._chain, self._oracles, self._client, self._files = chain, oracles, client, files
        self._owner = owner

    def won(self, limit: int) -> list[Won]:
        rows = min(limit, MOST_ROWS)
        return [*self._first(lambda oracle: self._read_won(oracle, Kind.JOB, rows)),
                *self._first(lambda oracle: self._read_won(oracle, Kind.SESSION, rows))]

    def own_offers(self) -> list[SignedOffer]:
        """Of the home folder, and those that oracles still show."""
        kept = [*self._files.standing(), *self._files.removed()]
        shown = self._first(lambda oracle: self._read_offers(oracle, f"provider={self._owner}"))
        return list({offer_digest(self.domain, one.offer): one for one in (*shown, *kept)}.values())

    def offers_for(self, model: Digest) -> list[SignedOffer]:
        return self._first(lambda oracle: self._read_offers(oracle, f"model={to_hex(model)}"))

    def is_listed(self) -> bool:
        def ask(oracle: Oracle) -> bool:
            rows = self._client.read(oracle, f"/v1/listings?provider={self._owner}", "listings")
            return any(from_json(SignedListing, row, "listing").listing.provider == self._owner for row in rows)

        return self._first(ask)

    def standing(self, won: Won, nonces: Sequence[int]) -> Standing:
        receipt = self._chain.receipt(won.opened_tx)
        duration = _duration(won, receipt.events) if receipt is not None else None
        if receipt is not None:
            try:
                return self._standing(nonces, duration, receipt.block - 1)
            except (ChainUnreachable, ChainRefused):  # a node that keeps no old state; one that is gone says so below
                pass
        return self._standing(nonces, duration, None)

    def _standing(self, nonces: Sequence[int], duration: int | None, block: int | None) -> Standing:
        stake, record = self._chain.provider(self._owner, block), self._chain.provider_record(self._owner, block)
        terms = self._chain.parameters(block)
        revoked = frozenset(n for n in nonces if self._chain.is_offer_revoked(self._owner, n, block))
        return Standing(stake.node_key if int(stake.node_key, 16) else None, stake.active, record.reserved,
                        record.frozen_batch, terms.slash_bps, terms.challenger_bps, terms.detection_bps, revoked,
                        duration, block is not None)

    def _read_won(self, oracle: Oracle, kind: Kind, limit: int) -> list[Won]:
        """Without those whose model the oracle does not know yet."""
        rows = self._client.read(oracle, f"/v1/{kind}s?limit={limit}", f"{kind}s")
        return [_won(kind, row) for row in rows if row.get("model")]

    def _read_offers(self, oracle: Oracle, query: str) -> list[SignedOffer]:
        rows = self._client.read(oracle, f"/v1/offers?{query}", "offers")
        return [from_json(SignedOffer, {name: row.get(name) for name in ("offer", "signature")}, "offer")
                for row in rows]

    def _first(self, ask: Callable[[Oracle], T]) -> T:
        """The first oracle's answer that can be read."""
        said = "there is none"
        for oracle in self._oracles:
            try:
                return ask(oracle)
            except MallaError as error:
                said = error.message
        raise Unavailable(f"No oracle says what others got: {said}", "Try again, or see: malla provider doctor")


def _won(kind: Kind, row: dict[str, Any]) -> Won:
    own = ("input_tokens", "max_output_tokens", "price") if kind is Kind.JOB else ()
    fields = {name: row.get(name) for name in (*SHARED, *own)} | {"winner": row.get("provider")}
    fields["id"] = row.get(f"{kind}_id")
    fields["kind"], fields["model_name"] = kind.name, row.get("model_name") or row.get("model")
    fields["audit"] = row.get("audit") or AUDIT_OPEN
    if kind is Kind.SESSION:
        fields |= {"price": row.get("largest_call"), "input_tokens": 0, "max_output_tokens": 0}
    return from_json(Won, fields, kind)


def _duration(won: Won, events: Sequence[ChainEvent]) -> int | None:
    """Seconds that the job was given when it was opened: an asked cancellation moves the deadline afterwards."""
    for found in events:
        if isinstance(found.event, JobOpened) and found.event.job_id == won.id:
            return found.event.deadline - found.event.opened_at
    return None
