"""The node on a real chain: a job's whole way, and what survives a process that dies in between."""

from __future__ import annotations

from protocol.encoding import keccak, to_hex
from protocol.sealing import unseal
from protocol.transcript import leaf, parse_answer, parse_spec
from protocol.types import BatchState, JobState
from provider.records.work import Stage
from tests.integration.provider.world import World


def test_node__job_with_unknown_sampler__is_declined_on_chain_and_refunded(world: World) -> None:
    """R27: the refusal reaches the chain, and the reserve returns."""
    from protocol.types import Sampler

    world.offer()
    world.start()
    world.turn()
    opened = world.ask({"sampler": Sampler("nucleus", 1)})
    world.turn_until(lambda: world.stages() == [Stage.REFUNDED])
    assert world.market.chain.job(opened.job_id).state is JobState.REFUNDED
    job = world.node.journal.job(opened.job_id)
    assert job.reason.startswith("DECLINED (unknown_sampler: ")


def test_node__jobs_done__committed_in_one_batch_and_delivered_to_every_oracle(world: World) -> None:
    world.offer()
    world.start()
    world.turn()
    jobs = [world.ask(), world.ask()]
    world.turn_until(lambda: world.stages() == [Stage.ACCEPTED] * 2)
    world.work()
    world.turn_until(lambda: all(len(oracle.reports) == 2 for oracle in world.oracles))
    batches = world.node.journal.batches(BatchState.PENDING)
    assert [len(batch.entries) for batch in batches] == [2]
    entry = batches[0].entries[0]
    sealed = world.oracles[3].blobs[to_hex(entry.answer_digest)]
    answer = parse_answer(unseal(sealed, world.reply_secret))
    spec = parse_spec(world.node.journal.job(entry.job_id).spec)
    assert (answer.text, leaf(answer, spec)) == ("Lima", entry.leaf)
    assert {entry.job_id for entry in batches[0].entries} == {job.job_id for job in jobs}
    assert len(world.node.journal.receipts(entry.answer_digest)) == 4
    assert keccak(sealed) == entry.answer_digest
    assert all(len(oracle.offers) == 1 for oracle in world.oracles)


def test_node__dies_after_every_write__commits_each_job_once(world: World) -> None:
    world.offer()
    world.start()
    opened = world.ask()
    seen = []
    for _ in range(30):
        world.turn()
        seen.append(world.stages()[0])
        if seen[-1] == Stage.ACCEPTED:
            world.work()
        if seen[-1] == Stage.COMMITTED and all(oracle.reports for oracle in world.oracles):
            break
        world.stop()
        world.start()
    assert seen[-1] == Stage.COMMITTED
    assert world.market.chain.batch_count() == 1
    assert world.market.chain.job(opened.job_id).state is JobState.COMMITTED
    assert [len(oracle.reports) for oracle in world.oracles] == [1, 1, 1, 1]
