"""A session on a real chain: opened, served, its voucher committed beside a job, reported, paid, and closed."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import count

import pytest
from sqlalchemy import select

from protocol.calls import begin, chain_heads, line_digest
from protocol.chain.events import BatchCommitted, SessionOpened
from protocol.session_reports import SessionReport
from protocol.signing import Signer
from protocol.types import BatchState, Session, SessionState
from protocol.units import TOKEN, Wei
from protocol.wire import from_json
from provider.config import DEFAULT_MODEL
from provider.edges.models import served_model
from provider.edges.session_figures import list_sessions
from provider.edges.session_rows import SqlSessions
from provider.edges.session_tables import CLAIMS, SESSIONS
from provider.records.claims import ClaimStage
from provider.records.sessions import CallRefused
from tests.integration.chain.market import decision, signer
from tests.integration.provider.world import World
from tests.provider.session_world import INPUT, NOBODY, Payer, run

_nonces = count(1)


def open_session(world: World, cap: int = TOKEN, duration: int = 3600, sub_key: Signer | None = None) -> Payer:
    """The market's requester with a session that it has opened on-chain."""
    market, served = world.market, served_model(DEFAULT_MODEL)
    signed = market.offer(model=served.model, profile=served.profile)
    key = sub_key.address if sub_key else NOBODY
    receipt = market.send(market.requester, market.chain.open_session(signed, cap, duration, key, next(_nonces)))
    event = next(found.event for found in receipt.events if isinstance(found.event, SessionOpened))
    payer = Payer(signer=market.requester, sub_key=sub_key, domain=market.domain, offer=signed.offer)
    payer.session = Session(event.requester, event.provider, event.offer_digest, event.key, event.largest_call,
                            event.opened_at, event.nonce)
    payer.id, payer.known = event.session_id, begin(event.session_id)
    return payer


def serve(world: World, payer: Payer, calls: int, closed: bool = True) -> SqlSessions:
    """So many calls by the worker's hand; the last voucher is exact."""
    assert world.node is not None
    sessions = SqlSessions(world.node.engine, world.market.domain)
    for _ in range(calls):
        payer.see(run(sessions, sessions.admit(payer.ask(), "chat", INPUT, time.time()), 5, time.time()))
    if closed:
        sessions.accept_voucher(payer.sign(payer.known.amount), time.time())
    return sessions


def stages(world: World) -> list[tuple[str, int | None]]:
    assert world.node is not None
    with world.node.engine.connect() as connection:
        rows = connection.execute(select(CLAIMS.c.stage, CLAIMS.c.batch_index).order_by(CLAIMS.c.claim_id))
        return [(row.stage, row.batch_index) for row in rows]


@pytest.fixture
def begun(world: World) -> World:
    world.settings = replace(world.settings, voucher_wait=0.0, public_url="http://127.0.0.1:9")
    world.offer()
    world.start()
    world.turn()
    return world


def test_session__two_calls_and_a_job__one_batch_reported_paid_and_closed(begun: World) -> None:
    """R110: vouchers are committed beside jobs, each call is reported to every oracle, and what they add is paid."""
    world = begun
    payer = open_session(world)
    world.ask()
    world.turn()
    world.work()
    serve(world, payer, 2)
    world.turn_until(lambda: stages(world) == [(ClaimStage.COMMITTED, 1)])
    world.turn_until(lambda: all(oracle.session_reports and oracle.reports for oracle in world.oracles))
    body = world.oracles[0].session_reports[0]
    report = from_json(SessionReport, body["report"], "report")
    assert (report.first, len(report.calls)) == (1, 2)
    assert chain_heads(payer.id, [line_digest(line) for line in report.calls]) == payer.known.head
    assert all(oracle.listings for oracle in world.oracles)
    node = world.node
    assert node is not None
    batch = node.journal.batches(BatchState.PENDING)[0]
    assert [entry.is_voucher for entry in batch.entries] == [False, True]
    assert batch.entries[1].amount == payer.known.amount
    event = BatchCommitted(batch.batch_id, world.market.owner.address, batch.set_version, batch.terms_version,
                           batch.entries)
    world.market.send(world.market.owner, world.market.settling([decision(event)], [batch.entries]))
    world.turn_until(lambda: stages(world) == [(ClaimStage.SETTLED, 1)])
    earned = node.journal.earnings()
    assert earned.payout + earned.fee == sum(entry.amount for entry in batch.entries)
    assert (earned.pending, earned.unclaimed, earned.vouchers_paid) == (0, 0, 1)
    row = list_sessions(node.engine, 5)[0]
    assert (row["state"], row["calls"], row["earned_wei"]) == ("OPEN", 2, str(payer.known.amount))


def test_session__closed_on_chain__job_goes_on(begun: World) -> None:
    """R110: a voucher of a session that is closed on-chain holds up nothing."""
    world = begun
    payer = open_session(world)
    world.turn()
    serve(world, payer, 1)
    chain = world.market.chain
    world.market.send(world.market.requester, chain.close_session(payer.session))
    world.market.rpc.request("evm_increaseTime", [chain.parameters().claim_delay + 1])
    world.mine(1)
    world.market.send(world.market.requester, chain.finish_session(payer.session))
    world.ask()
    world.turn()
    world.work()
    world.turn_until(lambda: "COMMITTED" in str(world.stages()))
    assert stages(world) == []


def test_session__time_is_over__claimed_then_closed(begun: World) -> None:
    world = begun
    payer = open_session(world, duration=600)
    world.turn()
    serve(world, payer, 1)
    world.turn_until(lambda: stages(world) == [(ClaimStage.COMMITTED, 0)])
    world.market.rpc.request("evm_increaseTime", [601])
    world.turn_until(lambda: world.market.chain.session(payer.id).state is SessionState.CLOSING)
    assert world.node is not None
    world.turn()
    with world.node.engine.connect() as connection:
        assert connection.scalar(select(SESSIONS.c.state)) == "CLOSING"


def test_restart__between_the_voucher_and_its_commitment__nothing_is_lost(begun: World) -> None:
    """R110: a voucher that was taken is committed after a restart of the node."""
    world = begun
    payer = open_session(world)
    world.turn()
    serve(world, payer, 1)
    world.stop()
    world.start()
    world.turn_until(lambda: stages(world) == [(ClaimStage.COMMITTED, 0)])
    record = world.market.chain.session(payer.id)
    assert (record.committed, record.cap) == (payer.known.amount, Wei(TOKEN))


def test_session_of_a_key__its_voucher_is_committed__and_a_revoked_one_is_refused(begun: World) -> None:
    """R109: a session's key signs until it is revoked on-chain."""
    world, key = begun, signer("sub-key")
    chain, requester = world.market.chain, world.market.requester
    world.market.send(requester, chain.authorise_key(key.address, TOKEN, int(time.time()) + 10**6, []))
    payer = open_session(world, sub_key=key)
    world.turn()
    sessions = serve(world, payer, 1)
    world.turn_until(lambda: stages(world) == [(ClaimStage.COMMITTED, 0)])
    world.market.send(requester, chain.revoke_key(key.address))
    world.turn()
    with pytest.raises(CallRefused) as caught:
        sessions.admit(payer.ask(), "chat", INPUT, time.time())
    assert caught.value.code == "key_revoked"
