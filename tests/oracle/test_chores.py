"""What anyone may do: who does it when, and that doing it twice harms nobody."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oracle.edges.fake_court import FakeCall
from oracle.flow.chores import do_chores
from oracle.flow.node import Node
from oracle.flow.submitting import has_turn
from protocol.chain.events import JobCancelAsked
from protocol.chain.records import ProviderRecord
from protocol.committee import PROPOSER_BLOCKS
from protocol.types import JobState, Outcome
from protocol.units import Wei
from tests.oracle.world import NOW, World

DEFAULT = 600 + 60


def turn_of(world: World, seat: int) -> Node:
    while not has_turn(world.nodes[seat], 1, world.chain.number):
        world.chain.number += 1
    return world.nodes[seat]


def submitted(node: Node) -> list[str]:
    return [call.what for call in node.sender.calls.values()]  # type: ignore[attr-defined]


def advance(world: World, seconds: int) -> None:
    world.chain.number += seconds
    world.clock.now += seconds


def test_chores__not_its_turn__does_nothing(world: World) -> None:
    world.open_job()
    advance(world, 1000)
    turn_of(world, 1)
    assert do_chores(world.node) == 0


def test_chores__last_block_of_its_turn__leaves_them_to_the_next(world: World) -> None:
    """R126: what is sent now may come after the next oracle's look at the chain, which would send it again."""
    world.open_job()
    advance(world, 1000)
    turn_of(world, 0)
    world.chain.number += PROPOSER_BLOCKS - 1
    assert do_chores(world.node) == 0
    world.chain.number += 1
    assert do_chores(world.nodes[1]) == 1


def test_chores__turn_ends_between_two__leaves_the_rest(world: World) -> None:
    for nonce in (1, 2):
        world.open_job(nonce)
    advance(world, 1000)
    node = turn_of(world, 0)
    submit: Any = node.sender.submit

    def send_slowly(key: str, call: FakeCall) -> None:
        submit(key, call)
        world.chain.number += PROPOSER_BLOCKS

    node.sender.submit = send_slowly  # type: ignore[method-assign]
    assert do_chores(node) == 1 == len(submitted(node))


def test_refund__deadline_not_over__is_left(world: World) -> None:
    world.open_job()
    assert do_chores(turn_of(world, 0)) == 0


def test_refund__deadline_over__is_submitted_once(world: World) -> None:
    """R12: an oracle is one of the anyones."""
    world.open_job()
    advance(world, 1000)
    node = turn_of(world, 0)
    assert do_chores(node) == 1
    assert do_chores(node) == 0
    assert submitted(node) == ["refund_job"]


def test_refund__cancelled__comes_at_the_nearer_deadline(world: World) -> None:
    work = world.open_job()
    world.apply(JobCancelAsked(work.job_id, NOW + 5))
    advance(world, 20)
    node = turn_of(world, 0)
    assert do_chores(node) == 1


def test_refund__done_at_the_head__is_left(world: World) -> None:
    work = world.open_job()
    advance(world, 1000)
    world.chain.jobs[work.job_id] = replace(world.chain.jobs[work.job_id], state=JobState.REFUNDED)
    assert do_chores(turn_of(world, 0)) == 0


def test_refund__provider_convicted__needs_no_deadline(world: World) -> None:
    world.open_job()
    world.chain.records[world.owner.address] = ProviderRecord(Wei(0), NOW, 0, 0, 0)
    node = turn_of(world, 0)
    assert do_chores(node) == 1
    assert submitted(node) == ["refund_job"]


@pytest.mark.parametrize(("seconds", "done"), [(0, 0), (40, 1)])
def test_forfeit__frozen__only_after_the_appeal_window(world: World, seconds: int, done: int) -> None:
    world.commit(world.open_job())
    world.freeze(1, NOW + 20)
    advance(world, seconds)
    node = turn_of(world, 0)
    assert do_chores(node) == done
    assert submitted(node) == ["forfeit"] * done


def test_forfeit__other_batches_of_the_convicted__are_given_back(world: World) -> None:
    world.commit(world.open_job(1), batch_id=1)
    world.commit(world.open_job(2), batch_id=2)
    world.chain.records[world.owner.address] = ProviderRecord(Wei(0), NOW, 2, 0, 0)
    node = turn_of(world, 0)
    assert do_chores(node) == 2
    assert submitted(node) == ["forfeit", "forfeit"]


@pytest.mark.parametrize(("seconds", "done"), [(DEFAULT - 200, 0), (DEFAULT, 1)])
def test_default__no_decision__after_the_hard_limit(world: World, seconds: int, done: int) -> None:
    """R34: without a decision the default comes, and not before its time."""
    world.commit(world.open_job())
    advance(world, seconds)
    node = turn_of(world, 0)
    assert do_chores(node) == done
    assert submitted(node) == ["mature_by_default"] * done


def test_default__provider_frozen__waits_for_the_freeze(world: World) -> None:
    world.commit(world.open_job())
    world.chain.records[world.owner.address] = ProviderRecord(Wei(0), 0, 0, 9, 0)
    advance(world, DEFAULT)
    assert do_chores(turn_of(world, 0)) == 0


def test_chores__contract_says_no__goes_on_with_the_next(world: World) -> None:
    world.commit(world.open_job(1))
    world.open_job(2)
    advance(world, 1000)
    node = turn_of(world, 0)
    node.sender.refuses = {"mature_by_default"}  # type: ignore[attr-defined]
    assert do_chores(node) == 1
    assert submitted(node) == ["refund_job"]


def test_chores__mined_and_reverted__is_tried_under_a_fresh_key(world: World) -> None:
    world.commit(world.open_job())
    advance(world, DEFAULT)
    node = turn_of(world, 0)
    do_chores(node)
    node.sender.outcomes = {"default/1": "REVERTED"}  # type: ignore[attr-defined]
    assert do_chores(node) == 1
    assert list(node.sender.calls) == ["default/1", "default/1/2"]  # type: ignore[attr-defined]


def test_fees__there_are_some__are_burned_once_a_while(world: World) -> None:
    world.chain.fees = 5
    world.chain.number = 300
    node = turn_of(world, 0)
    assert do_chores(node) == 1
    assert do_chores(node) == 0
    assert submitted(node) == ["burn_fees"]


def test_condemned__there_is_some__is_burned_once_a_while(world: World) -> None:
    """R19: what a slash took lies in the staking contract until anybody burns it."""
    world.chain.condemned_stake = 7
    world.chain.number = 300
    node = turn_of(world, 0)
    assert do_chores(node) == 1
    assert do_chores(node) == 0
    assert submitted(node) == ["burn_condemned"]


@pytest.mark.parametrize(("seconds", "done"), [(DEFAULT - 200, 0), (DEFAULT, 1)])
def test_default__openings_posted_on_chain__counts_from_then(world: World, seconds: int, done: int) -> None:
    """R22: the windows begin again with them, and the head goes with the call."""
    event = world.commit(world.open_job())
    world.freeze(1, NOW + 60, Outcome.NOT_OPENED)
    world.clock.now += 300
    world.reopen(1, b"x")
    advance(world, seconds)
    node = turn_of(world, 0)
    assert do_chores(node) == done
    assert submitted(node) == ["mature_by_default"] * done
    for call in node.sender.calls.values():  # type: ignore[attr-defined]
        assert call.arguments[1] == event.head(50, world.chain.start + 50)
