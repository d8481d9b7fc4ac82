"""What `jobs --why-not` reads of a real oracle's api and of the chain, and how it says it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from oracle.flow.blobs import read_specs
from oracle.flow.listings import accept_listing
from protocol.chain.events import ChainEvent, JobOpened
from protocol.chain.records import ProviderStake
from protocol.encoding import ZERO, keccak
from protocol.errors import ChainUnreachable, MallaError, Reason, Unavailable
from protocol.units import Address, Wei
from provider.cli import app
from provider.edges.lost_work import PublicMarket
from provider.edges.offer_files import OfferFiles
from provider.edges.oracle_client import HttpOracleClient
from provider.flow.why_not import WhyNot, explain_lost
from provider.ports.lost import Kind, Won
from provider.records.work import Oracle
from tests.oracle.metered import Metered
from tests.oracle.test_listings import listed
from tests.oracle.test_session_receipts import api_of
from tests.oracle.world import DOMAIN, MODEL, NOW, TX, Work, World

ME = Address("0x" + "77" * 20)
ORACLES = [Oracle(Address("0x" + pair * 20), f"http://oracle-{pair}", bytes(32), bytes(32), 0) for pair in ("aa", "bb")]


@pytest.fixture
def world() -> World:
    return World()


@dataclass
class FakeHistory:
    """The reads of `protocol.chain.chain.Chain` that are used; `oldest` is the first block whose state it keeps."""

    work: Work
    oldest: int = 0
    receipts: bool = True
    revoked: frozenset[int] = frozenset()
    asked: list[int | None] = field(default_factory=list)
    domain = DOMAIN

    def receipt(self, tx_hash: bytes) -> Any:
        opened = JobOpened(self.work.job_id, self.work.job, NOW + 100, NOW - 50)
        found = ChainEvent(40, ZERO, NOW - 50, TX, 0, opened)
        return SimpleNamespace(block=40, events=(found,)) if self.receipts and tx_hash == TX else None

    def provider(self, owner: str, block: int | None = None) -> ProviderStake:
        self.asked.append(block)
        if block is not None and block < self.oldest:
            raise ChainUnreachable("missing trie node")
        return ProviderStake(Wei(7), Wei(0), ME, bytes(32), ZERO)

    def provider_record(self, owner: str, block: int | None = None) -> Any:
        return SimpleNamespace(reserved=Wei(3 if block is None else 2), frozen_batch=0)

    def parameters(self, block: int | None = None) -> Any:
        return SimpleNamespace(slash_bps=5_000, challenger_bps=1_000, detection_bps=500)

    def is_offer_revoked(self, owner: str, nonce: int, block: int | None = None) -> bool:
        return nonce in self.revoked


def market_of(world: World, chain: Any, home: Path, owner: Address = ME, dead: tuple[str, ...] = ()) -> PublicMarket:
    api = api_of(world)
    read_specs(world.node)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host in dead:
            return httpx.Response(500)
        told = api.get(request.url.raw_path.decode())
        return httpx.Response(told.status_code, content=told.content)

    return PublicMarket(chain, ORACLES, HttpOracleClient(httpx.MockTransport(answer)), OfferFiles(home), owner)


def test_won__no_oracle_answers__unavailable_with_its_words(world: World, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="failed with status 500"):
        market_of(world, FakeHistory(world.open_job()), tmp_path, dead=("oracle-aa", "oracle-bb")).won(5)


@pytest.mark.parametrize("body", [b"{}", b'{"jobs": 1}', b'{"jobs": [1]}', b'{"jobs": [{"model": "x"}]}'])
def test_won__answer_that_is_none__unavailable(world: World, tmp_path: Path, body: bytes) -> None:
    client = HttpOracleClient(httpx.MockTransport(lambda request: httpx.Response(200, content=body)))
    chain: Any = FakeHistory(world.open_job())
    with pytest.raises(MallaError) as refused:
        PublicMarket(chain, ORACLES, client, OfferFiles(tmp_path), ME).won(5)
    assert refused.value.code == "unavailable"


def test_won__jobs_and_sessions_of_an_oracle__as_they_are(world: World, tmp_path: Path) -> None:
    work, metered = world.open_job(), Metered(world)
    job, session = market_of(world, FakeHistory(work), tmp_path, dead=("oracle-aa",)).won(5)
    assert (job.kind, job.id, job.winner, job.price) == (Kind.JOB, work.job_id, world.owner.address, work.job.price)
    assert (job.input_tokens, job.max_output_tokens, job.model, job.audit) == (3, 8, MODEL, "one")
    assert (job.opened_at, job.opened_tx, job.offer_digest) == (NOW - 50, TX, work.job.offer_digest)
    assert (session.kind, session.id, session.price) == (Kind.SESSION, metered.session_id, 10**6)
    assert (session.input_tokens, session.max_output_tokens, session.opened_at) == (0, 0, NOW - 60)


def test_standing__state_kept__that_of_the_block_before(world: World, tmp_path: Path) -> None:
    chain = FakeHistory(world.open_job(), revoked=frozenset({4}))
    market = market_of(world, chain, tmp_path)
    found = market.standing(market.won(5)[0], [4, 5])
    assert (found.then, found.reserved, found.active_stake, found.revoked) == (True, 2, 7, {4})
    assert found.duration == 150 and chain.asked == [39]


@pytest.mark.parametrize(("changes", "duration"), [({"oldest": 40}, 150), ({"receipts": False}, None)])
def test_standing__state_gone__that_of_now_and_said(world: World, tmp_path: Path, changes: Any, duration: Any) -> None:
    market = market_of(world, FakeHistory(world.open_job(), **changes), tmp_path)
    found = market.standing(market.won(5)[0], [])
    assert (found.then, found.reserved, found.duration) == (False, 3, duration)


def test_own_offers__kept_removed_and_shown__each_once(world: World, tmp_path: Path) -> None:
    files, work, old = OfferFiles(tmp_path), world.open_job(), replace(world.offer.offer, nonce=7)
    files.write(world.offer)
    files.write(world.sign_offer(old))
    files.remove(7)
    market = market_of(world, FakeHistory(work), tmp_path, world.owner.address)
    assert sorted(one.offer.nonce for one in market.own_offers()) == [1, 7]
    assert [one.offer for one in market.offers_for(MODEL)] == [world.offer.offer]
    assert market.offers_for(keccak(b"other")) == []


def test_is_listed__only_with_a_listing_of_ones_own(world: World, tmp_path: Path) -> None:
    accept_listing(world.node, listed(world))
    chain = FakeHistory(world.open_job())
    assert market_of(world, chain, tmp_path, world.owner.address).is_listed()
    assert not market_of(world, chain, tmp_path).is_listed()


def test_explain_lost__real_rows__no_offer_named(world: World, tmp_path: Path) -> None:
    market = market_of(world, FakeHistory(world.open_job()), tmp_path)
    found = explain_lost(market, ME, {MODEL}, 5)
    assert [(one.name, one.reason) for one in found] == [("model", Reason.NO_PROVIDER)]
    assert explain_lost(market, world.owner.address, {MODEL}, 5) == []


WON = Won(Kind.JOB, keccak(b"job"), ME, ZERO, MODEL, "Tiny-1M", Wei(10**16), NOW, TX, 3, 8)
LOST = [WhyNot(WON, "room", Reason.BUSY, "50 MALLA were reserved.", "offer more", then=False),
        WhyNot(WON, "drawn", Reason.NOT_DRAWN, "Drawn: 25 %.", "", Wei(10**16), Wei(10**16), Fraction(1, 4))]


def run(monkeypatch: pytest.MonkeyPatch, found: list[WhyNot], *words: str) -> Any:
    monkeypatch.setattr("provider.cli.sending.open_chain", lambda place: None)
    monkeypatch.setattr("provider.cli.sending.owner_address", lambda place: ME)
    monkeypatch.setattr("provider.wiring.console.read_lost", lambda chain, home, owner, model, limit: found)
    return CliRunner().invoke(app, ["jobs", "--why-not", *words], env={"MALLA_RPC_URL": ""}, catch_exceptions=False)


def test_jobs_why_not__no_chain_named__refused_with_the_option(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["jobs", "--why-not", "--home", str(tmp_path)], env={"MALLA_RPC_URL": ""})
    assert (done.exit_code, "--rpc-url" in done.output) == (1, True)


def test_jobs_why_not__some__a_row_each_with_fix_and_what_is_not_public(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = run(monkeypatch, LOST).output
    for words in ("room", "50 MALLA were reserved. (As you stand now", "fix: offer more", "drawn", "Not public"):
        assert words in shown
    said = json.loads(run(monkeypatch, LOST, "--json").output)["lost"]
    assert [(row["filter"], row["reason"], row["chance"], row["judged_by"]) for row in said] == [
        ("room", "busy", None, "now"), ("drawn", "not_drawn", 0.25, "then")]
    assert (said[1]["our_price_wei"], said[0]["our_price_wei"], said[0]["winner"]) == (str(10**16), None, ME)


def test_jobs_why_not__nothing__said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "nothing recent" in run(monkeypatch, []).output
