"""What the node does on a real chain when oracles want an opening, and when they never decide."""

from __future__ import annotations

from protocol.chain.events import BatchCommitted, OpeningsPosted
from protocol.encoding import keccak
from protocol.messages import opening_digest
from protocol.openings import unpack_opening
from protocol.signing import recover
from protocol.types import BatchState, JobState, Outcome
from provider.records.work import Stage
from tests.integration.chain.market import ORACLES, decision
from tests.integration.provider.world import World


def delivered(world: World) -> bytes:
    world.offer()
    world.start()
    world.turn()
    opened = world.ask()
    world.turn_until(lambda: world.stages() == [Stage.ACCEPTED])
    world.work()
    world.turn_until(lambda: all(oracle.reports for oracle in world.oracles))
    return opened.job_id


def pass_time(world: World, seconds: int) -> None:
    world.market.rpc.request("evm_increaseTime", [hex(seconds)])
    world.mine(1)


def test_node__oracles_never_decide__answers_recorded_then_matured_by_default_and_paid(world: World) -> None:
    job_id, chain = delivered(world), world.market.chain
    terms, before = chain.parameters(), chain.free_balance(world.market.owner.address)
    world.turn(2)
    assert chain.stored_bitmap(1) == 0
    pass_time(world, terms.maturity_window)
    world.turn_until(lambda: chain.stored_bitmap(1) == 1)
    assert chain.batch(1).state is BatchState.PENDING
    pass_time(world, terms.evidence_window)
    world.turn_until(lambda: world.stages() == [Stage.SETTLED])
    assert chain.job(job_id).state is JobState.SETTLED
    earned = world.node.journal.earnings()
    assert chain.free_balance(world.market.owner.address) - before == earned.payout > 0
    assert world.node.journal.batches(BatchState.PENDING) == []


def test_node__oracles_stored_nothing__requester_gets_its_money_back(world: World) -> None:
    world.offer()
    world.start()
    world.turn()
    opened = world.ask()
    world.turn_until(lambda: world.stages() == [Stage.ACCEPTED])
    for oracle in world.oracles:
        oracle.refuse["/v1/"] = (503, "not_ready")
    world.work()
    world.turn_until(lambda: world.stages() == [Stage.COMMITTED])
    terms = world.market.chain.parameters()
    pass_time(world, terms.maturity_window + terms.evidence_window)
    world.turn_until(lambda: world.stages() == [Stage.REFUNDED])
    assert world.node.journal.job(opened.job_id).reason == "NOT_DELIVERED"


def test_node__oracle_wants_an_opening__every_oracle_gets_it_signed_by_the_node_key(world: World) -> None:
    delivered(world)
    auditor = world.oracles[2]
    auditor.wanted = [{"batch_id": 1, "index": 0, "job_id": "0x"}, {"batch_id": 1, "index": 5, "job_id": "0x"},
                      {"batch_id": 99, "index": 0, "job_id": "0x"}]
    epoch = world.market.chain.epoch_blocks()
    world.mine(2 * epoch)
    pass_time(world, 5)
    world.turn_until(lambda: all(oracle.openings for oracle in world.oracles))
    world.turn(3)
    assert [len(oracle.openings) for oracle in world.oracles] == [1, 1, 1, 1]
    said = auditor.openings[0]
    sealed = keccak(bytes.fromhex(said["sealed"][2:]))
    digest = opening_digest(world.market.domain, 1, 0, auditor.signer.address, sealed)
    assert recover(digest, bytes.fromhex(said["signature"][2:])) == world.market.node.address
    assert (said["batch_id"], said["index"], said["auditor"]) == (1, 0, auditor.signer.address)


def test_node__frozen_for_want_of_openings__posts_them_and_is_pending_again(world: World) -> None:
    """R45: the last chance needs nobody's help."""
    delivered(world)
    market = world.market
    (batch,) = [found.event for found in market.chain.events(0, market.chain.head().number)
                if isinstance(found.event, BatchCommitted)]
    call = market.settling([decision(batch, Outcome.NOT_OPENED, 1)], [[]])
    market.send(ORACLES[0], call)
    assert market.chain.batch(1).state is BatchState.FROZEN
    world.turn_until(lambda: market.chain.batch(1).state is BatchState.PENDING)
    (posted,) = [found.event for found in market.chain.events(0, market.chain.head().number)
                 if isinstance(found.event, OpeningsPosted)]
    found = [unpack_opening(data) for data in posted.openings]
    assert {(one.index, one.auditor) for one in found} == {(0, oracle.address) for oracle in ORACLES}
    world.turn_until(lambda: world.node.journal.batch(1).opened_at > 0)
    world.turn(2)
    assert world.node.journal.batch(1).state is BatchState.PENDING
