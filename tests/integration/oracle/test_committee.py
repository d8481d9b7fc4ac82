"""Four oracles with databases of their own on a real chain: two that settle the same batch at once pay it once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine

from oracle.edges.chain import OracleChain
from oracle.edges.migrate import migrate
from oracle.edges.store import SqlStore, open_engine, projection_on
from oracle.flow.chores import do_chores
from oracle.flow.confirmations import reveal_findings
from oracle.flow.decisions import decide_batch
from oracle.flow.exchange import deliver
from oracle.flow.findings import perform_audit, want_audits
from oracle.flow.intake import accept_opening, accept_report
from oracle.flow.projection import apply_block
from oracle.flow.receipts import read_settlements
from oracle.flow.sampling import draw_batches
from oracle.flow.settlement import settle
from oracle.flow.turns import wanted_openings
from oracle.ports import Rules
from oracle.records.work import Member
from protocol.chain.follower import Follower
from protocol.chain.sender import Sender
from protocol.economics import fee
from protocol.encoding import keccak
from protocol.sealing import derive_secret, public_key
from protocol.types import AuditStatistics, BatchState, Commitment, JobState, Outcome, VerdictKind
from scripts.testnet.engines import Postgres, anvil
from tests.integration.chain.market import ORACLES, Market
from tests.oracle.world import Work, World

KEYS = [keccak(f"oracle {place}".encode()) for place in range(4)]


class Committee(World):
    """The unit tests' world on a real market: real chain, real databases, peers as functions."""

    def __init__(self, market: Market, engines: list[Engine]) -> None:
        super().__init__()
        self.market, self.engines = market, engines
        self.domain = market.domain
        self.owner, self.node_signer, self.requester = market.owner, market.node, market.requester
        self.signers, self.offer = ORACLES, market.offer(input_price=10, output_price=40)
        self.chain: Any = OracleChain(market.chain)
        self.chain.member = self._found
        for i, engine in enumerate(engines):
            self.nodes[i] = replace(
                self.nodes[i], signer=ORACLES[i], domain=market.domain, chain=self.chain, clock=time.time,
                seal_secret=derive_secret(KEYS[i], "malla/oracle/x25519/v1"), store=SqlStore(engine),
                rules=Rules(reveal_wait=0), sender=Sender(engine, market.chain, ORACLES[i], confirmations=1),
            )
        self.link()

    def _found(self, address: str) -> Member:
        place = [oracle.address for oracle in ORACLES].index(address)  # type: ignore[arg-type]
        encryption = public_key(derive_secret(KEYS[place], "malla/oracle/x25519/v1"))
        return Member(ORACLES[place].address, "", encryption, keccak(b"anchor"), 0)

    def follow(self) -> None:
        self.market.rpc.request("anvil_mine", ["0x3"])
        for engine in self.engines:
            follower = Follower(engine, self.market.chain, 1)
            follower.follow(lambda c, block, engine=engine: apply_block(projection_on(engine, c), block))

    def commit_work(self, nonce: int) -> Work:
        work = Work(self, nonce)
        self.market.send(self.requester, self.market.chain.open_job(
            self.offer, work.job.spec_digest, work.job.input_tokens, work.job.max_output_tokens, 600, nonce))
        entry = work.entry
        commitment = Commitment(work.job, entry.amount, entry.leaf, entry.answer_digest)
        receipt = self.market.send(self.node_signer, self.market.chain.commit_batch([commitment]))
        work.batch_id = receipt.events[0].event.batch_id
        self.market.rpc.request("anvil_mine", [hex(self.market.chain.epoch_blocks())])
        self.follow()
        return work

    def audit(self, work: Work) -> list[VerdictKind | None]:
        """Report, draw, openings for whoever wants one, audits, records to the peers; returns the verdicts."""
        for node in self.nodes:
            accept_report(node, work.report())
            node.store.put_blob(work.entry.answer_digest, work.answer, node.clock())
            draw_batches(node, self.market.chain.head().number)
        made = []
        for _ in range(2):  # the second round is for those that a finding made auditors
            for seat, node in enumerate(self.nodes):
                if wanted_openings(node, self.owner.address):
                    for other in self.nodes:
                        accept_opening(other, **work.opening(seat))
                if want_audits(node):
                    made.append(perform_audit(node, self.replayers[seat], work.batch_id, 0))
                    reveal_findings(node)
                    deliver(node)
        return made

    def settle_by(self, *seats: int) -> None:
        """Each of these collects signatures and submits, turn or no turn, as if it knew nothing of the others."""
        for seat in seats:
            node = self.nodes[seat]
            (batch,) = node.store.batches(BatchState.PENDING)
            decision, why = decide_batch(node, batch)
            assert decision is not None, why
            assert settle(node, batch.set_version, [decision]) is not None

    def finish(self) -> None:
        for _ in range(3):
            self.follow()
            for node in self.nodes:
                node.sender.pump()


@pytest.fixture
def committee(cluster: Postgres) -> Iterator[Committee]:
    urls = [cluster.create_database(f"seat_{time.monotonic_ns()}") for _ in range(4)]
    engines = [open_engine(url) for url in urls]
    for engine in engines:
        migrate(engine)
    with anvil(block_time=None) as node:
        yield Committee(Market(node.url), engines)
    for engine in engines:
        engine.dispose()


def test_settle__by_two_oracles_at_once__pays_once(committee: Committee) -> None:
    """R17: two oracles in one block."""
    chain, market = committee.chain, committee.market
    work = committee.commit_work(1)
    assert committee.audit(work) == [VerdictKind.PASS]
    before = chain.free_balance(market.owner.address)
    market.rpc.request("evm_setAutomine", [False])  # both see the batch as pending
    committee.settle_by(0, 1)
    market.rpc.request("evm_setAutomine", [True])
    committee.finish()
    paid = work.entry.amount - fee(work.entry.amount, chain.parameters().fee_bps)
    settled = next(node.store.settlement(row.closed_tx) for node in committee.nodes
                   if read_settlements(node) and (row := node.store.job(work.job_id)))
    (auditor,) = {entry.auditor for entry in committee.nodes[0].store.entries(work.batch_id)}
    assert settled.decisions[0].auditors == 1 << auditor
    assert chain.free_balance(market.owner.address) - before == paid
    assert chain.batch(work.batch_id).state == BatchState.MATURED
    last = chain.head().number
    burned = chain.plain.burned_of(market.owner.address, last)
    assert burned == committee.nodes[0].store.burned(market.owner.address, last) > 0 == chain.plain.burned_of(
        market.requester.address, last), "R85: the logs and what was followed say the same"
    for node in committee.nodes:
        row = node.store.job(work.job_id)
        assert row is not None and (row.state, row.paid) == (JobState.SETTLED, work.entry.amount)
        read_settlements(node)
        assert node.store.settlement(row.closed_tx) == settled


def test_fraud__found_by_every_replay__freezes_and_is_forfeited(committee: Committee) -> None:
    chain, market = committee.chain, committee.market
    for replayer in committee.replayers:
        replayer.finding = AuditStatistics(9.0, 0.0, 0.0, 3)
    work = committee.commit_work(1)
    stake = chain.plain.provider(market.owner.address).active
    assert committee.audit(work) == [VerdictKind.FRAUD] * 4
    committee.settle_by(2)
    committee.finish()
    assert chain.batch(work.batch_id).state == BatchState.FROZEN
    market.rpc.request("evm_increaseTime", [int(chain.parameters().appeal_window) + 1])
    committee.finish()
    submitted = 0
    for _ in range(20):
        submitted += sum(do_chores(node) for node in committee.nodes)
        committee.finish()
    assert submitted >= 1
    assert chain.batch(work.batch_id).state == BatchState.FORFEITED
    assert chain.job(work.job_id).state == JobState.REFUNDED
    assert chain.plain.provider(market.owner.address).active < stake


def test_not_opened__then_opened_on_chain__is_audited_and_paid(committee: Committee) -> None:
    """R45, R46: frozen, shown to everybody, pending again, passed by the auditor that the draw names."""
    chain, market = committee.chain, committee.market
    work = committee.commit_work(1)
    for node in committee.nodes:
        accept_report(node, work.report())
        node.store.put_blob(work.entry.answer_digest, work.answer, node.clock())
        draw_batches(node, chain.head().number)
    late = time.time() + 3 * 60 + chain.parameters().open_window + 1
    fast = [replace(node, clock=lambda: late) for node in committee.nodes]
    slow, committee.nodes[:] = list(committee.nodes), fast
    committee.link()
    committee.settle_by(1)
    committee.finish()
    assert (chain.batch(work.batch_id).state, chain.batch(work.batch_id).outcome) == (
        BatchState.FROZEN, Outcome.NOT_OPENED)
    committee.nodes[:] = slow
    committee.link()

    openings = [work.posted(seat) for seat in range(4)]
    market.send(committee.node_signer, chain.post_openings(work.batch_id, market.head(work.batch_id), openings))
    committee.finish()
    batch = committee.nodes[0].store.batch(work.batch_id)
    assert batch is not None and batch.state is BatchState.PENDING and batch.opened_at is not None
    made = [perform_audit(node, committee.replayers[seat], work.batch_id, 0)
            for seat, node in enumerate(committee.nodes) if want_audits(node)]
    assert made == [VerdictKind.PASS]
    for node in committee.nodes:
        reveal_findings(node)
        deliver(node)
    committee.settle_by(2)
    committee.finish()
    assert chain.job(work.job_id).state == JobState.SETTLED
