"""`Client.dispute` against the real court on Anvil: what a requester pays, wins and loses, to the wei."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from protocol.errors import BadInput
from protocol.messages import ruling_digest
from protocol.types import Ruling
from protocol.units import TOKEN, Wei
from requester.client import Client
from requester.edges.court_chain import CourtChainClient
from requester.flow import completing
from scripts.testnet.engines import anvil
from tests.integration.chain.market import ORACLES, Market
from tests.integration.requester.test_client import Side


@pytest.fixture(scope="module")
def deployed() -> Iterator[Market]:
    with anvil(block_time=None) as node:
        yield Market(node.url)


class Paid(Side):
    """A job that was settled with PASS a moment ago."""

    def __init__(self, market: Market, home: Path) -> None:
        super().__init__(market, home)
        self.client = Client(replace(self.client._market, court=CourtChainClient(market.chain)), deposit_jobs=1)
        self.acts = [self.commit, self.settle]
        self.job = self.client.run("Hello?", max_tokens=8)
        self.bond = market.plan.court.dispute_bond

    @property
    def tokens(self) -> int:
        return self.client.balances().wallet

    def rule(self, ruling: Ruling, case_id: int = 1) -> None:
        chain = self.market.chain
        digest = ruling_digest(chain.court_domain, case_id, ruling)
        head = self.market.head(self.job.batch_id)
        self.market.send(ORACLES[0], chain.rule(case_id, ruling, head, [], [one.sign(digest) for one in ORACLES[:3]]))


@pytest.fixture
def paid(deployed: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Paid]:
    monkeypatch.setattr(completing, "PATIENCE", 0.0)  # these oracles write no receipts
    snapshot = deployed.rpc.request("evm_snapshot", [])
    yield Paid(deployed, tmp_path)
    deployed.rpc.request("evm_revert", [snapshot])


def test_dispute__window_over__is_refused_without_a_transaction(paid: Paid) -> None:
    paid.pass_time(paid.market.plan.court.dispute_window)
    nonce = paid.market.rpc.nonce(paid.wallet.address)
    with pytest.raises(BadInput, match="could be disputed until second"):
        paid.client.dispute(paid.job.job_id)
    assert paid.market.rpc.nonce(paid.wallet.address) == nonce


def test_dispute__rejected__costs_exactly_the_bond_and_leaves_no_allowance(paid: Paid) -> None:
    """R126: half to the provider, half burned; a second call sends nothing."""
    before, chain = paid.tokens, paid.market.chain
    owner, supply = chain.token_balance(paid.market.owner.address), chain.total_supply()
    case = paid.client.dispute(paid.job.job_id)
    assert (case.is_new, case.bond, paid.tokens) == (True, paid.bond, before - paid.bond)
    nonce = paid.market.rpc.nonce(paid.wallet.address)
    assert paid.client.dispute(paid.job.job_id).case_id == case.case_id
    assert paid.market.rpc.nonce(paid.wallet.address) == nonce
    paid.rule(Ruling.REJECTED)
    assert paid.client.dispute(paid.job.job_id).state == "REJECTED"
    assert paid.tokens == before - paid.bond
    assert chain.token_balance(paid.market.owner.address) == owner + paid.bond // 2
    assert chain.total_supply() == supply - (paid.bond - paid.bond // 2)
    assert chain.allowance(paid.wallet.address, chain.deployment.court) == 0
    assert chain.token_balance(chain.deployment.court) == 0


@pytest.mark.parametrize("ruling", [Ruling.UPHELD, Ruling.CONVICTED])
def test_dispute__won__brings_amount_and_half_of_the_penalty(paid: Paid, ruling: Ruling) -> None:
    before = paid.tokens
    paid.client.dispute(paid.job.job_id)
    paid.rule(ruling)
    amount = paid.job.paid
    won = amount + min(paid.bond, amount) // 2
    found = paid.client.dispute(paid.job.job_id)
    assert (found.state, found.collected, found.award, found.bond_back) == (ruling.name, won, 0, True)
    assert paid.tokens == before + won


def test_dispute__convicted__the_share_of_the_slash_is_collected_by_one_more_call(paid: Paid) -> None:
    chain = paid.market.chain
    before = paid.tokens
    paid.client.dispute(paid.job.job_id)
    paid.rule(Ruling.CONVICTED)
    paid.client.dispute(paid.job.job_id)
    first = paid.tokens
    paid.market.send(ORACLES[1], chain.convict(1, paid.market.head(paid.job.batch_id)))
    share = chain.award_of(paid.wallet.address)
    assert 0 < share <= paid.market.plan.court.share_multiple * paid.bond
    assert paid.client.dispute(paid.job.job_id).collected == share
    assert paid.tokens == first + share > before and chain.award_of(paid.wallet.address) == 0


def test_dispute__nobody_rules__the_second_call_fetches_the_bond(paid: Paid) -> None:
    before = paid.tokens
    paid.client.dispute(paid.job.job_id)
    paid.pass_time(paid.market.plan.court.ruling_window)
    found = paid.client.dispute(paid.job.job_id)
    assert (found.state, found.bond_back, paid.tokens) == ("DEFAULT", True, before)


def test_dispute__bond_not_in_the_wallet__withdrawn_first_then_paid(paid: Paid) -> None:
    has = paid.client.balances()
    paid.client.deposit(has.wallet - paid.bond + 1)
    with pytest.raises(Exception, match="MALLA are missing") as refused:
        paid.client.dispute(paid.job.job_id)
    assert "malla request withdraw" in refused.value.fix  # type: ignore[attr-defined]
    paid.client.withdraw(Wei(1))
    assert paid.client.dispute(paid.job.job_id).is_new and paid.tokens == 0
    assert has.wallet < 10_000 * TOKEN
