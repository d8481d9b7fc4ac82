"""A requester that vanishes, on a real chain: what its provider computed is linked, committed, reported and paid."""

from __future__ import annotations

import time

from sqlalchemy import delete, select, update

from protocol.chain.events import BatchCommitted, Claim
from protocol.encoding import ZERO
from protocol.session_reports import SessionReport, reported_head, worth
from protocol.types import BatchState, Entry, SessionState
from protocol.units import TOKEN
from protocol.wire import from_json
from provider.edges.session_projection import _claimed
from provider.edges.session_tables import CALLS, CLAIMS, SESSIONS
from provider.flow.units import find_unit
from provider.records.claims import ClaimStage
from tests.integration.chain.market import decision
from tests.integration.provider.test_session_chain import begun, open_session, serve, stages
from tests.integration.provider.world import World
from tests.provider.session_world import INPUT, Payer, run

__all__ = ["begun"]


def vanish(world: World, payer: Payer) -> list[bytes]:
    """One call whose end was seen, and two beyond the head of the last voucher, which names them. Gives their specs."""
    sessions = serve(world, payer, 1, closed=False)
    first = sessions.admit(payer.ask(), "chat", INPUT, time.time())
    held = sessions.admit(payer.ask(beside=payer.needs()), "chat", INPUT, time.time())
    run(sessions, first, 5, time.time())
    run(sessions, held, 3, time.time())
    return [payer.asked[call.call_id] for call in (first, held)]


def test_link__requester_vanishes_mid_stream__exactly_what_was_computed_is_paid_and_the_rest_returns(
        begun: World) -> None:
    """R123: calls beyond the last voucher's head are committed by links, and nothing is paid that no call explains."""
    world, payer = begun, open_session(begun)
    world.turn()
    specs = vanish(world, payer)
    world.turn_until(lambda: stages(world) == [(ClaimStage.COMMITTED, 0)])
    world.turn_until(lambda: all(oracle.session_reports for oracle in world.oracles))
    report = from_json(SessionReport, world.oracles[0].session_reports[0]["report"], "report")
    node, chain = world.node, world.market.chain
    assert report.offer == payer.offer
    cost = worth(report.calls, report.offer)
    assert (len(report.calls), list(report.specs)) == (3, specs) and set(specs) <= set(report.in_flight)
    assert node is not None
    (batch,) = node.journal.batches(BatchState.PENDING)
    (entry,) = batch.entries
    assert (entry.amount, entry.leaf) == (cost, reported_head(payer.id, report))
    assert chain.session(payer.id).committed == cost < payer.needs() + cost
    assert all(find_unit(node.opening, batch, unit) for unit in (128, 256, 384))
    world.turn_until(lambda: chain.session(payer.id).state is SessionState.CLOSING)
    event = BatchCommitted(batch.batch_id, world.market.owner.address, batch.set_version, batch.terms_version,
                           batch.entries)
    world.market.send(world.market.owner, world.market.settling([decision(event)], [batch.entries]))
    before = chain.free_balance(world.market.requester.address)
    world.market.rpc.request("evm_increaseTime", [chain.parameters().claim_delay + 1])
    world.mine(1)
    world.market.send(world.market.owner, chain.finish_session(payer.session))
    assert chain.free_balance(world.market.requester.address) - before == TOKEN - cost


def test_link__restart_before_it_is_sent__the_same_claim_is_committed(begun: World) -> None:
    """R123: what a node's journal names is what it commits, after a restart too; then it takes no more of it."""
    world, payer = begun, open_session(begun)
    world.turn()
    vanish(world, payer)
    node = world.node
    assert node is not None and node.committing.claims is not None
    (one,) = node.committing.claims.claimable()
    assert len(one.beyond) == 2 and one.reached < one.owed
    world.stop()
    world.start()
    world.turn_until(lambda: stages(world) == [(ClaimStage.COMMITTED, 0)])
    world.stop()
    node = world.start()
    assert world.market.chain.session(payer.id).committed == one.owed
    assert node.committing.claims is not None and node.committing.claims.claimable() == []
    world.turn()
    assert stages(world) == [(ClaimStage.COMMITTED, 0)]


def test_link__journal_from_before_the_claim__takes_no_more_of_the_session(begun: World) -> None:
    """R123: a provider whose journal was restored learns from the chain alone that its session was linked. A voucher
    that it committed after that could never be reported, and would convict it."""
    world, payer = begun, open_session(begun)
    world.turn()
    vanish(world, payer)
    world.turn_until(lambda: stages(world) == [(ClaimStage.COMMITTED, 0)])
    node = world.node
    assert node is not None
    engine = node.journal.engine
    with engine.begin() as connection:
        row = connection.execute(select(CLAIMS)).one()
        connection.execute(delete(CLAIMS))
        connection.execute(update(SESSIONS).values(linked=False, committed_amount=0, committed_calls=0))
        _claimed(connection, row.batch_id, row.batch_index,
                 Entry(payer.id, payer.session.requester, row.claimed, row.claimed, row.entry_head, ZERO),
                 Claim(row.claimed, row.units, row.calls + row.linked))
        assert connection.scalar(select(SESSIONS.c.linked)) is True
        connection.execute(delete(CLAIMS))
        connection.execute(update(SESSIONS).values(linked=False, committed_amount=0, committed_calls=0))
        head = connection.scalar(select(CALLS.c.total_head).where(CALLS.c.number == 1))
        _claimed(connection, row.batch_id, row.batch_index,
                 Entry(payer.id, payer.session.requester, row.claimed, row.claimed, head, ZERO),
                 Claim(row.claimed, row.units, 1))
        assert connection.scalar(select(SESSIONS.c.linked)) is False
