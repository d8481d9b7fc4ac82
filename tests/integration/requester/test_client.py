"""The client against the real contracts on Anvil: permits, nonces, many jobs of one wallet, every end of a job."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from protocol.encoding import ZERO, keccak, pack_float32, to_hex
from protocol.transcript import leaf, sealed_answer
from protocol.types import Answer, Commitment, JobState, Outcome
from protocol.units import TOKEN, Wei
from requester.client import Client
from requester.edges.chain_client import ChainClient
from requester.edges.job_files import JobFolder
from requester.edges.wallet import KeyWallet
from requester.errors import BalanceTooLow
from requester.flow import completing
from requester.ports.jobs import Market as Ports
from requester.records.jobs import JobFile
from scripts.testnet.engines import anvil
from tests.integration.chain.market import ORACLES, Market, decision
from tests.requester.fakes import ANSWER_IDS, MODEL, FakeModels, FakeOracle

KEY = keccak(b"requester of the client's tests")


@pytest.fixture(scope="session")
def deployed() -> Iterator[Market]:
    with anvil(block_time=None) as node:
        yield Market(node.url)


@pytest.fixture
def market(deployed: Market) -> Iterator[Market]:
    snapshot = deployed.rpc.request("evm_snapshot", [])
    yield deployed
    deployed.rpc.request("evm_revert", [snapshot])


class Side:
    """A client with the real chain and wallet; oracles that hold blobs in memory; a provider that the test moves."""

    def __init__(self, market: Market, home: Path) -> None:
        self.market = market
        self.wallet = KeyWallet(market.chain, KEY, home / "lock", timeout=20)
        market.fund(self.wallet.address)
        self.chain = ChainClient(market.chain, self.wallet.signer, 0)
        self.oracles = [FakeOracle(1, market.domain) for _ in ORACLES]
        for oracle, signer in zip(self.oracles, ORACLES, strict=True):
            oracle.signer, oracle.address = signer, signer.address
            oracle.offers = [market.offer(model=MODEL)]
        self.files = JobFolder(home)
        self.acts: list[Callable[[], object]] = []
        self._turn = threading.Lock()
        self.client = Client(Ports(self.chain, self.wallet, lambda: self.oracles, FakeModels(), self.files, self.pause,
                                   lambda: 0.0), deposit_jobs=1)

    def pause(self, seconds: float) -> None:
        with self._turn:
            if self.acts:
                self.acts.pop(0)()
        self.market.rpc.request("evm_mine", [])
        threading.Event().wait(0.45)  # the index looks at the chain twice a second

    def pass_time(self, seconds: int) -> None:
        self.market.rpc.request("evm_increaseTime", [seconds])
        self.market.rpc.request("evm_mine", [])

    def commit(self) -> None:
        """The node commits all open jobs as one batch and delivers the answers."""
        commitments = []
        for file in self.files.list():
            if self.market.chain.job(file.job_id).state is JobState.OPEN:
                commitments.append(self._work(file))
        self.batch = self.market.send(self.market.node, self.market.chain.commit_batch(commitments)).events[0].event

    def _work(self, file: JobFile) -> Commitment:
        answer = Answer(file.job_id, "Hi", ANSWER_IDS, file.job.input_tokens, "stop", keccak(b"s"),
                        pack_float32([-0.5] * len(ANSWER_IDS)), b"", ZERO)
        sealed = sealed_answer(answer, file.spec)
        for oracle in self.oracles:
            oracle.blobs[keccak(sealed)] = sealed
        return Commitment(file.job, Wei(file.job.price // 2), leaf(answer, file.spec), keccak(sealed))

    def settle(self, outcome: Outcome = Outcome.PASS) -> None:
        entries = self.batch.entries if outcome is Outcome.PASS else []
        self.market.send(self.market.requester, self.market.settling([decision(self.batch, outcome)], [entries]))


@pytest.fixture
def side(market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Side:
    monkeypatch.setattr(completing, "PATIENCE", 0.0)  # these oracles write no receipts
    return Side(market, tmp_path)


def test_submit__wallet_empty__is_refused_without_a_transaction(side: Side) -> None:
    with pytest.raises(BalanceTooLow):
        side.client.deposit(10_001 * TOKEN)
    assert side.market.rpc.nonce(side.wallet.address) == 0


def test_run__settled__deposits_by_permit_and_pays_what_the_chain_says(side: Side) -> None:
    side.acts = [side.commit, side.settle]
    result = side.client.run("Hello?", max_tokens=8)
    price = 6 * TOKEN // 1000 + 8 * TOKEN // 200
    assert (result.state, result.text, result.price) == ("SETTLED", "Hi", price)
    assert (result.paid, result.refunded) == (price // 2, price - price // 2)
    assert result.settlement_gas > 50_000 and result.opened_at <= result.committed_at <= result.settled_at
    has = side.client.balances()
    assert has.escrow == result.refunded
    assert has.wallet + has.escrow == 10_000 * TOKEN - result.paid - result.open_fee
    assert side.market.rpc.nonce(side.wallet.address) == 2  # a deposit with its permit, an opening
    assert side.market.chain.allowance(side.wallet.address, side.market.chain.deployment.escrow) == 0


def test_submit__many_threads_one_wallet__each_job_opens_once(side: Side) -> None:
    with ThreadPoolExecutor(6) as pool:
        ids = list(pool.map(lambda i: side.client.submit(f"Question {i}?", max_tokens=8), range(12)))
    assert len(set(ids)) == 12
    assert {side.market.chain.job(bytes.fromhex(i[2:])).state for i in ids} == {JobState.OPEN}
    side.commit()
    side.settle()
    results = [side.client.wait(job_id) for job_id in ids]
    assert {result.state for result in results} == {"SETTLED"}
    has = side.client.balances()
    assert has.wallet + has.escrow == 10_000 * TOKEN - sum(result.paid + result.open_fee for result in results)


def test_wait__deadline_over__is_refunded_by_the_client_itself(side: Side) -> None:
    job_id = side.client.submit("Hello?", max_tokens=8, duration=60)
    side.acts = [lambda: side.pass_time(70)]
    result = side.client.wait(job_id)
    assert (result.state, result.reason, result.refunded) == ("REFUNDED", "EXPIRED", result.price)


def test_cancel__open__is_refunded_as_cancelled(side: Side) -> None:
    job_id = side.client.submit("Hello?", max_tokens=8)
    side.client.cancel(job_id)
    side.acts = [lambda: side.pass_time(80)]
    result = side.client.wait(job_id)
    assert (result.state, result.reason) == ("REFUNDED", "CANCELLED")


def test_wait__fraud__is_forfeited_by_the_client_and_refunded_in_full(side: Side) -> None:
    first, second = (side.client.submit("Hello?", max_tokens=8) for _ in range(2))
    side.acts = [side.commit, lambda: side.settle(Outcome.FRAUD), lambda: side.pass_time(1_000)]
    results = [side.client.wait(job_id) for job_id in (first, second)]
    assert [(r.state, r.reason, r.verdict, r.refunded) for r in results] == [("REFUNDED", "FRAUD", "FRAUD", r.price)
                                                                            for r in results]


def test_wait__provider_convicted_for_other_work__open_job_is_refunded(side: Side) -> None:
    caught = side.client.submit("Hello?", max_tokens=8)
    side.commit()
    other = side.client.submit("Hello again?", max_tokens=8)
    side.settle(Outcome.FRAUD)
    side.pass_time(1_000)
    assert side.client.wait(caught).reason == "FRAUD"
    result = side.client.wait(other)
    assert (result.state, result.refunded) == ("REFUNDED", result.price)
    assert result.reason in ("CONVICTED", "EXPIRED")


def test_wait__same_wallet_in_another_process__takes_no_nonce_twice(side: Side, tmp_path: Path) -> None:
    again = KeyWallet(side.market.chain, KEY, tmp_path / "lock", timeout=20)
    call = side.market.chain.approve(side.market.owner.address, 1)
    with ThreadPoolExecutor(8) as pool:
        hashes = list(pool.map(lambda i: (side.wallet if i % 2 else again).send(call), range(16)))
    for tx_hash in hashes:
        side.wallet.wait(tx_hash)
    assert len({to_hex(h) for h in hashes}) == 16 and side.market.rpc.nonce(side.wallet.address) == 16


def test_withdraw__free_balance__comes_back(side: Side) -> None:
    side.client.deposit(3 * TOKEN)
    side.client.withdraw(3 * TOKEN)
    assert side.client.balances().wallet == 10_000 * TOKEN
