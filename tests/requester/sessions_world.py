"""A market for calls in memory: a chain with sessions, two providers, four oracles, one wallet, a store on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from protocol import sealing
from protocol.calls import CallLine
from protocol.listing import Listing, SignedListing, listing_digest
from protocol.messages import Domain, offer_digest
from protocol.types import Offer, SignedOffer
from protocol.units import TOKEN, Address, Digest, Wei
from requester.edges.session_store import SessionDatabase
from requester.flow.call_records import CallEvent, CallWanted
from requester.flow.calls import run_call
from requester.flow.desk import Desk
from requester.ports.jobs import Market, Standing
from requester.records.sessions import (
    Limits,
)
from tests.requester.fake_provider import FakeProvider
from tests.requester.fake_session_chain import SessionFakeChain, SessionWallet
from tests.requester.fakes import MODEL, PROFILE, START, FakeFiles, FakeModels, FakeOracle


class CallOracle(FakeOracle):
    def __init__(self, key: int, domain: Domain) -> None:
        super().__init__(key, domain)
        self.listings: list[SignedListing] = []

    def list_listings(self, provider: Address | None) -> list[SignedListing]:
        self._answer("listings")
        return self.listings

    def read_call_receipt(self, session_id: Digest, number: int) -> dict[str, Any] | None:
        self._answer("call receipt")
        return self.receipts.get(Digest(session_id + number.to_bytes(8, "big")))


class CallWorld:
    """Two providers of one model; the second asks for twice the price. What is spawned runs at once."""

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        self.folder, self.limits = folder, limits or Limits()
        self.time = float(START)
        self.domain = Domain(31337, Address("0x" + "11" * 20))
        self.chain = SessionFakeChain(self.domain)
        self.wallet = SessionWallet(self.chain)
        self.oracles = [CallOracle(100 + i, self.domain) for i in range(4)]
        self.chain.oracles = tuple(self.oracles)
        self.providers = [FakeProvider(self, 50, 51), FakeProvider(self, 60, 61)]
        self.offers: list[SignedOffer] = []
        self.pick = 0.0
        for place, provider in enumerate(self.providers):
            self.chain.standings[provider.address] = Standing(
                provider.node.address, sealing.public_key(provider.secret), Wei(1000 * TOKEN), Wei(0), False)
            self.offers.append(self.make_offer(provider, (1 + place) * 10**14))
        self.listings = [self.make_listing(p, "EU" if i == 0 else "US") for i, p in enumerate(self.providers)]
        self.publish()
        self.desk = self.start()

    def make_offer(self, provider: FakeProvider, price: int, **changes: Any) -> SignedOffer:
        offer = replace(Offer(provider.address, MODEL, PROFILE, Wei(price), Wei(4 * price), 512, 600, 5,
                              Wei(50 * TOKEN), 1, START + 5000), **changes)
        return SignedOffer(offer, provider.node.sign(offer_digest(self.domain, offer)))

    def make_listing(self, provider: FakeProvider, region: str, **changes: Any) -> SignedListing:
        listing = replace(Listing(provider.address, provider.url, region, "Fake GPU", 24 * 1024, 20, 8, START,
                                  START + 5000), **changes)
        return SignedListing(listing, provider.node.sign(listing_digest(self.domain, listing)))

    def publish(self) -> None:
        for oracle in self.oracles:
            oracle.offers, oracle.listings = list(self.offers), list(self.listings)

    def clock(self) -> float:
        return self.time

    def pause(self, seconds: float) -> None:
        self.time += seconds
        self.chain.time = int(self.time)

    def start(self, **limits: Any) -> Desk:
        """A desk over the same store, as a process that begins has it."""
        market = Market(self.chain, self.wallet, lambda: self.oracles, FakeModels(), FakeFiles(), self.pause,
                        lambda: self.pick)
        clients = {provider.url: provider for provider in self.providers}
        self.store = SessionDatabase(self.folder, self.clock)
        return Desk(market, self.chain, self.wallet, clients.__getitem__, lambda: self.oracles, self.store,
                    replace(self.limits, **limits), self.clock, lambda work: work())

    def restart(self, **limits: Any) -> Desk:
        """The process died: its locks are gone with it."""
        self.store.close()
        self.desk = self.start(**limits)
        return self.desk

    def wanted(self, **changes: Any) -> CallWanted:
        return replace(CallWanted((("user", "Hello?"),), max_output_tokens=8), **changes)

    def call(self, **changes: Any) -> list[CallEvent]:
        return list(run_call(self.desk, self.wanted(**changes)))

    def lines(self, place: int = 0) -> list[CallLine]:
        """What the provider reports of the calls of its only session."""
        its, found = self.session(place), []
        for number in range(1, its.standing.owed.calls + 1):
            part = its.numbered[number][1]
            found.append(CallLine(Digest(bytes.fromhex(part["leaf"][2:])), part["input_tokens"],
                                  part["output_tokens"]))
        return found

    def session(self, place: int = 0) -> Any:
        """The provider's side of its only session."""
        (found,) = self.providers[place].sessions.values()
        return found

