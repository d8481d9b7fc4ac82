"""Without a quorum: receipts after T_max, the default after the evidence window."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocol.types import BatchState
from provider.flow.chores import do_chores
from provider.flow.delivery import deliver, queue_answers
from tests.provider.world import World


@pytest.fixture
def world() -> World:
    return World()


def delivered(world: World, oracles: int = 4) -> None:
    world.commit_on_chain(world.do_job(), world.do_job())
    queue_answers(world.delivering, world.members[:oracles])
    deliver(world.delivering, world.members)


def test_chores__before_t_max__nothing_is_sent(world: World) -> None:
    delivered(world)
    world.clock.now += 599
    do_chores(world.chores)
    assert world.sender.sent == {}


def test_chores__decided_meanwhile__nothing_is_sent(world: World) -> None:
    delivered(world)
    world.chain.batch_states[1] = BatchState.MATURED
    world.clock.now += 700
    do_chores(world.chores)
    assert world.sender.sent == {}


def test_chores__too_few_receipts__nothing_is_recorded(world: World) -> None:
    """R28: fewer than f + 1 receipts are no delivery."""
    delivered(world, oracles=1)
    world.clock.now += 600
    do_chores(world.chores)
    assert world.sender.sent == {}


def test_chores__after_t_max__every_stored_answer_recorded_once_by_ascending_signers(world: World) -> None:
    delivered(world)
    world.clock.now += 600
    do_chores(world.chores)
    do_chores(world.chores)
    sent: list[Any] = world.sender.of("record_stored")
    assert len(sent) == 1
    batch_id, indexes, signatures = sent[0]
    assert (batch_id, indexes) == (1, (0, 1))
    lowest = sorted(world.members, key=lambda member: int(member.address, 16))[:2]
    blob = world.journal.its_batches[1].entries[0].answer_digest
    by_oracle = {one.oracle: one.signature for one in world.journal.receipts(blob)}
    assert signatures[0] == tuple(by_oracle[member.address] for member in lowest)


def test_chores__recorded_before__not_recorded_again(world: World) -> None:
    delivered(world)
    world.chain.bitmaps[1] = 0b01
    world.clock.now += 600
    do_chores(world.chores)
    sent: list[Any] = world.sender.of("record_stored")
    assert [indexes for _, indexes, _ in sent] == [(1,)]


def test_chores__openings_posted_on_chain__the_window_counts_from_then(world: World) -> None:
    """R22: it begins again with them."""
    delivered(world)
    batch = world.journal.its_batches[1]
    world.journal.its_batches[1] = replace(batch, opened_at=batch.committed_at + 400)
    world.clock.now += 999
    do_chores(world.chores)
    assert world.sender.sent == {}
    world.clock.now += 61
    do_chores(world.chores)
    assert world.sender.of("mature_by_default") == [1]


def test_chores__terms_changed_since__the_batch_keeps_its_own(world: World) -> None:
    delivered(world)
    world.chain.older_terms = {1: world.chain.the_terms}
    world.chain.the_terms = replace(world.chain.the_terms, maturity_window=10, evidence_window=10)
    world.clock.now += 599
    do_chores(world.chores)
    assert world.sender.sent == {}


def test_chores__after_the_evidence_window__matured_by_default_once(world: World) -> None:
    """R22: the provider calls the default itself."""
    delivered(world)
    world.clock.now += 660
    do_chores(world.chores)
    do_chores(world.chores)
    assert world.sender.of("mature_by_default") == [1]
