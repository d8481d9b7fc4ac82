"""The loop: what it does in one step, what a failure in the middle stops, and that a block counts once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oracle.flow.health import read_health
from oracle.flow.intake import accept_opening
from oracle.flow.watch import Loop
from oracle.ports import Log
from protocol.chain.events import BatchForfeited, JobRefunded, JobSettled, ProviderConvicted
from protocol.errors import MallaError
from protocol.types import BatchState, JobState, Outcome, RefundReason
from protocol.units import Wei
from tests.oracle.world import NOW, World


def test_step__broker_is_down__the_rest_is_done(world: World, short_reveals: None) -> None:
    work = world.ready()
    accept_opening(world.node, **work.opening(0))
    world.node.queue.is_down = True  # type: ignore[attr-defined]
    lines: list[tuple[str, dict[str, object]]] = []
    node = replace(world.node, log=Log(lambda event, **fields: lines.append((event, fields))))
    Loop(node, lambda: 100).step()
    assert [fields["step"] for event, fields in lines if event == "step_failed"] == ["want_audits"]
    assert node.store.reveal(node.address, 9) is not None
    row = node.store.watch_row()
    assert row is not None and (row.block, row.head) == (100, 100)


def test_step__a_reorg_below_the_cursor__halts(world: World) -> None:
    class DeepReorg(MallaError):
        pass

    def follow() -> int:
        raise DeepReorg("block 5 was replaced")

    with pytest.raises(DeepReorg):
        Loop(world.node, follow).step()


def test_step__loop_gone__health_says_so(world: World, short_reveals: None) -> None:
    Loop(world.node, lambda: 100).step()
    assert "watch" not in read_health(world.node, 2)[1]["waiting_for"]
    world.clock.now += 21
    assert "watch" in read_health(world.node, 2)[1]["waiting_for"]


def test_projection__block_applied_twice__counts_once(world: World) -> None:
    work = world.open_job()
    for _ in range(2):
        world.commit(work)
    assert len(world.node.store.entries(1)) == 1
    for _ in range(2):
        world.apply(JobSettled(work.job_id, 1, Wei(150), Wei(200)))
    row = world.node.store.job(work.job_id)
    assert row is not None and (row.state, row.paid, row.refunded) == (JobState.SETTLED, 150, 200)


def test_projection__fraud__freezes_forfeits_and_remembers_the_slash(world: World) -> None:
    work = world.ready()
    world.freeze(1, NOW + 15)
    batch = world.node.store.batch(1)
    assert batch is not None and (batch.state, batch.frozen_until) == (BatchState.FROZEN, NOW + 15)
    owner = world.owner.address
    world.apply(JobRefunded(work.job_id, world.requester.address, work.job.price, RefundReason.FRAUD),
                ProviderConvicted(owner, 1, Wei(10**24), 1), BatchForfeited(1, owner))
    row, batch = world.node.store.job(work.job_id), world.node.store.batch(1)
    assert row is not None and (row.state, row.reason, row.paid) == (JobState.REFUNDED, RefundReason.FRAUD, 0)
    assert batch is not None and (batch.state, batch.outcome) == (BatchState.FORFEITED, Outcome.FRAUD)
    assert [c.slashed for c in world.node.store.convictions([owner])] == [10**24]
