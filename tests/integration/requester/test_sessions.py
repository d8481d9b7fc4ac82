"""Sessions of the desk on real contracts: opened, topped up, claimed by their vouchers, closed, finished; sub-keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol import sealing
from protocol.calls import NOTHING_IN_FLIGHT
from protocol.encoding import keccak
from protocol.listing import Listing, SignedListing, listing_digest
from protocol.messages import node_key_digest, offer_digest
from protocol.signing import Signer
from protocol.types import SessionState, SignedOffer, Voucher
from protocol.units import TOKEN, Wei
from requester.edges.chain_client import ChainClient
from requester.edges.job_files import JobFolder
from requester.edges.session_chain import SessionChainClient
from requester.edges.session_store import SessionDatabase
from requester.edges.wallet import KeyWallet
from requester.flow.calls import CallFailed, CallWanted, Ended, run_call
from requester.flow.closing import close_all, tend
from requester.flow.desk import Desk
from requester.flow.taking_up import take_up
from requester.ports.jobs import Market as Ports
from requester.records.sessions import Limits, Phase
from scripts.testnet.engines import anvil
from tests.integration.chain.market import ORACLES, Market
from tests.requester.fake_provider import FakeProvider
from tests.requester.fake_session_chain import OnChain
from tests.requester.fakes import MODEL, PROFILE, FakeModels
from tests.requester.sessions_world import CallOracle

KEY = keccak(b"requester of the session's tests")


@pytest.fixture(scope="session")
def deployed() -> Iterator[Market]:
    with anvil(block_time=None) as node:
        yield Market(node.url)


@pytest.fixture
def market(deployed: Market) -> Iterator[Market]:
    snapshot = deployed.rpc.request("evm_snapshot", [])
    yield deployed
    deployed.rpc.request("evm_revert", [snapshot])


class ChainView:
    """What the provider in memory reads of sessions: the real escrow."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self.sessions, self.keys = self, self

    def get(self, name: Any) -> Any:
        chain = self._side.market.chain
        if isinstance(name, str):
            record = chain.key_record(self._side.wallet.address, name)
            return record if record.ends_at else None
        live = next((one for one in self._side.desk.sessions() if one.file.session_id == name), None)
        record = chain.session(name)
        if live is None or live.file.session is None or record.state is SessionState.NONE:
            return None
        return OnChain(live.file.session, record.state.name, record.cap, record.committed, record.ends_at)

    def __getitem__(self, name: Any) -> Any:
        return self.get(name)


class Side:
    """A desk with the real chain and wallet; a provider in memory whose node key the chain knows."""

    def __init__(self, market: Market, home: Path, limits: Limits) -> None:
        self.market, self.home, self.limits = market, home, limits
        self.domain, self.time = market.domain, float(market.chain.head().timestamp)
        self.wallet = KeyWallet(market.chain, KEY, home / "lock", timeout=20)
        market.fund(self.wallet.address)
        self.provider = FakeProvider(self, 1, 2)
        self.provider.owner, self.provider.node = market.owner, Signer((2).to_bytes(32, "big"))
        consent = self.provider.node.sign(
            node_key_digest(market.chain.staking_domain, market.owner.address, self.provider.node.address))
        market.send(market.owner, market.chain.rotate_node_key(
            self.provider.node.address, sealing.public_key(self.provider.secret), consent))
        market.fund(self.provider.node.address)
        offer = market.offer(model=MODEL, profile=PROFILE).offer
        self.offers = [SignedOffer(offer, self.provider.node.sign(offer_digest(self.domain, offer)))]
        self.oracles = [CallOracle(1, self.domain) for _ in ORACLES]
        listing = Listing(market.owner.address, self.provider.url, "EU", "", 0, 10, 8, 1, 2**39)
        for oracle, signer in zip(self.oracles, ORACLES, strict=True):
            oracle.signer, oracle.address, oracle.offers = signer, signer.address, self.offers
            oracle.listings = [SignedListing(listing, self.provider.node.sign(listing_digest(self.domain, listing)))]
        self.desk = self.start()
        self.chain = ChainView(self)

    def start(self) -> Desk:
        chain = ChainClient(self.market.chain, self.wallet.signer, 0)
        ports = Ports(chain, self.wallet, lambda: self.oracles, FakeModels(), JobFolder(self.home), self.pause,
                      lambda: 0.0)
        self.store = SessionDatabase(self.home)
        return Desk(ports, SessionChainClient(self.market.chain), self.wallet, lambda url: self.provider,
                    lambda: self.oracles, self.store, self.limits, self.clock, lambda work: work())

    def restart(self) -> Desk:
        self.store.close()
        self.desk = self.start()
        return self.desk

    def clock(self) -> float:
        return self.time

    def pause(self, seconds: float) -> None:
        self.time += seconds

    def pass_time(self, seconds: int) -> None:
        self.market.rpc.request("evm_increaseTime", [seconds])
        self.market.rpc.request("evm_mine", [])
        self.time += seconds

    def ask(self, **changes: Any) -> Ended:
        events = list(run_call(self.desk, CallWanted((("user", "Hello?"),), max_output_tokens=8, **changes)))
        assert isinstance(events[-1], Ended)
        return events[-1]

    def commit(self) -> None:
        """The node commits the last voucher that it took of each session."""
        vouchers = []
        for session in self.provider.sessions.values():
            last = session.vouchers[-1]
            vouchers.append(Voucher(session.standing.session, last.amount, last.units, last.calls, last.head,
                                    NOTHING_IN_FLIGHT, last.signature))
        self.market.send(self.provider.node, self.market.chain.commit_batch([], vouchers))


@pytest.fixture
def side(market: Market, tmp_path: Path) -> Side:
    return Side(market, tmp_path, Limits(calls_ahead=2, session_cap=Wei(TOKEN), max_spend=Wei(10 * TOKEN)))


def test_session__its_whole_life__the_escrow_takes_our_vouchers_and_returns_the_rest(side: Side) -> None:
    """R117: what no voucher claims returns, and nothing that was reserved stays locked."""
    ends = [side.ask() for _ in range(9)]
    (live,) = side.desk.sessions()
    record = side.market.chain.session(live.session_id)
    assert record.cap == live.meter.cap > 2 * (6 + 5 * 8) * TOKEN // 1000, "it was topped up"
    side.commit()
    owed = sum(end.cost for end in ends)
    assert side.market.chain.session(live.session_id).committed == owed == 9 * (6 + 5 * 3) * TOKEN // 1000
    assert close_all(side.desk) == []
    tend(side.desk)
    assert live.file.phase is Phase.CLOSING
    side.pass_time(side.market.chain.parameters().claim_delay + 1)
    before = side.market.chain.free_balance(side.wallet.address)
    tend(side.desk)
    assert live.file.phase is Phase.CLOSED
    assert side.market.chain.free_balance(side.wallet.address) - before == record.cap - owed == live.file.refunded


def test_session__left_by_a_process_that_died__goes_on_with_its_totals(side: Side) -> None:
    side.ask()
    desk = side.restart()
    (live,) = take_up(desk)
    assert side.ask().number == 2
    side.commit()
    assert side.market.chain.session(live.session_id).committed == 2 * (6 + 5 * 3) * TOKEN // 1000


def test_key__its_vouchers__are_taken_up_to_its_cap(side: Side) -> None:
    """R119: the escrow holds an API key to its cap, whoever signs for it."""
    sub = side.wallet.signer_of("key_1").address
    now = side.market.chain.head().timestamp
    call = side.desk.chain.authorise_key_call(sub, Wei(TOKEN // 10), now + 5_000, [MODEL])
    side.wallet.wait(side.wallet.send(call))
    assert side.ask(key_id="key_1").number == 1
    side.commit()
    (live,) = side.desk.sessions()
    assert side.market.chain.session(live.session_id).committed == (6 + 5 * 3) * TOKEN // 1000
    with pytest.raises(CallFailed) as caught:
        for _ in range(9):
            side.ask(key_id="key_1")
    assert caught.value.code == "key_cap_used"
    assert side.market.chain.key_record(side.wallet.address, sub).used <= TOKEN // 10
    side.wallet.wait(side.wallet.send(side.desk.chain.revoke_key_call(sub)))
    with pytest.raises(CallFailed) as caught:
        for _ in range(3):
            side.ask(key_id="key_1")
    assert caught.value.code in ("key_over", "key_cap_used")
