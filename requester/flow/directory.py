"""Who offers what, and where: offers and listings of all oracles together, with what the chain says of each provider.

It is read every few seconds, beside the calls: a call asks no oracle and reads no chain.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from protocol.errors import MallaError
from protocol.listing import Listing, SignedListing, check_listing, is_public_address, listing_digest
from protocol.messages import Domain, offer_digest
from protocol.signing import recover
from protocol.types import SignedOffer
from protocol.units import Address
from requester.flow.prepare import gather_offers
from requester.flow.sellers import Seller
from requester.ports.jobs import Market, Standing, Terms
from requester.ports.sessions import CallOracle, Spawn

LOCAL_CHAIN = 31337
"""Chain id of a test network, whose providers live on this machine."""
FRESH, STALE = 10.0, 60.0
"""Seconds: younger rows are used as they are; older ones are read again, by the caller itself if they are this old."""


@dataclass(frozen=True)
class Rows:
    """What was read, at `at` (seconds of the desk's clock). `now` is the chain's second."""

    at: float
    now: int
    terms: Terms
    sellers: tuple[Seller, ...]


class Directory:
    """Safe to share between threads; one of them reads at a time."""

    def __init__(self, market: Market, oracles: Callable[[], Sequence[CallOracle]], clock: Callable[[], float],
                 spawn: Spawn) -> None:
        self._market, self._oracles, self._clock, self._spawn = market, oracles, clock, spawn
        self._reading = threading.Lock()
        self._rows: Rows | None = None

    def rows(self) -> Rows:
        """Errors: Refused(not_ready) when no oracle answers and nothing is known, ChainUnreachable."""
        rows = self._rows
        age = STALE if rows is None else self._clock() - rows.at
        if rows is not None and age < FRESH:
            return rows
        if rows is not None and age < STALE:
            self._spawn(self._refresh)
            return rows
        return self._read()

    def forget(self) -> None:
        """The next call reads again: something was refused that the rows allowed."""
        self._rows = None

    def _refresh(self) -> None:
        if self._reading.acquire(blocking=False):
            try:
                self._rows = self._gather()
            except MallaError:
                return  # the rows are used as long as they are not stale; then the error is the caller's
            finally:
                self._reading.release()

    def _read(self) -> Rows:
        with self._reading:
            if self._rows is None or self._clock() - self._rows.at >= STALE:
                self._rows = self._gather()
            return self._rows

    def _gather(self) -> Rows:
        chain, at = self._market.chain, self._clock()
        offers = gather_offers(self._market, None)
        listings = gather_listings(self._oracles())
        standings = {p: chain.standing(p) for p in {signed.offer.provider for signed in offers}}
        sellers = tuple(
            Seller(signed, offer_digest(chain.domain, signed.offer),
                   self._market.models.name_of(signed.offer.model), standings[signed.offer.provider],
                   chain.is_offer_revoked(signed.offer.provider, signed.offer.nonce),
                   _is_signed(signed, standings[signed.offer.provider], chain.domain),
                   _newest(listings.get(signed.offer.provider, ()), standings[signed.offer.provider], chain.domain))
            for signed in offers)
        return Rows(at, chain.now(), chain.terms(), sellers)


def gather_listings(oracles: Sequence[CallOracle]) -> dict[Address, list[SignedListing]]:
    """All that the oracles know, by provider; an oracle that does not answer is passed over."""
    found: dict[Address, list[SignedListing]] = {}
    for oracle in oracles:
        try:
            for signed in oracle.list_listings(None):
                found.setdefault(signed.listing.provider, []).append(signed)
        except MallaError:
            continue
    return found


def _newest(listed: Sequence[SignedListing], standing: Standing, domain: Domain) -> Listing | None:
    """The latest listing that the provider's present node key signed: an oracle may hold back, not invent."""
    valid = []
    for signed in listed:
        try:
            check_listing(signed.listing)
            if domain.chain_id != LOCAL_CHAIN and not is_public(signed.listing.url):
                continue
            if _speaks(recover(listing_digest(domain, signed.listing), signed.signature), standing):
                valid.append(signed.listing)
        except (MallaError, ValueError):  # urlsplit raises ValueError for an address that is none
            continue
    return max(valid, key=lambda listing: listing.listed_at, default=None)


def is_public(url: str) -> bool:
    """False for an address of this machine or of a private network: a stranger names it, and we would send there.

    Names are looked up when they are connected to, and held to the same (`requester.edges.public_network`).
    """
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        return is_public_address(str(ip_address(host)))
    except ValueError:
        last = host.rpartition(".")[2]  # 127.1 and 0x7f.0.0.1 are addresses, too, to whatever resolves them
        is_number = last.isdigit() or last.startswith("0x")
        return "." in host and not is_number and last not in ("localhost", "local", "internal")


def _is_signed(signed: SignedOffer, standing: Standing, domain: Domain) -> bool:
    try:
        return _speaks(recover(offer_digest(domain, signed.offer), signed.signature), standing)
    except MallaError:
        return False


def _speaks(signer: Address, standing: Standing) -> bool:
    return standing.node_key is not None and signer.lower() == standing.node_key.lower()
