"""A node that dies before or after any of its writes or sendings comes back and commits, delivers and opens once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from protocol.errors import MallaError
from provider.flow.delivery import deliver, queue_answers
from provider.flow.inference import LEASE_SECONDS, infer
from provider.flow.openings import open_leaves
from provider.flow.serving import enqueue_jobs, take_jobs
from provider.flow.work import commit_work
from provider.records.work import Stage, Wanted
from tests.provider.world import World

WRITES = ("accept", "mark_enqueued", "claim", "finish", "begin_commit", "queue_deliveries", "delivered", "commit",
          "put_blob", "post_report", "post_opening")


class Died(BaseException):
    """kill -9: nothing of the process catches it."""


class Deadly:
    """Lets an object die at its n-th write: just before it, or just after it has taken effect."""

    def __init__(self, at: int, after: bool) -> None:
        self.left, self.after, self.writes = at, after, 0

    def arm(self, target: Any) -> None:
        for name in WRITES:
            if hasattr(target, name):
                setattr(target, name, self._deadly(getattr(target, name)))

    def _deadly(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **named: Any) -> Any:
            self.writes += 1
            self.left -= 1
            if self.left == 0 and not self.after:
                raise Died
            result = write(*args, **named)
            if self.left == 0:
                raise Died
            return result

        return wrapped


def turn(world: World, holder: str) -> None:
    """One round of the node with its worker and its follower."""
    take_jobs(world.serving, world.members)
    enqueue_jobs(world.serving)
    for job in world.journal.jobs(Stage.ACCEPTED, Stage.RUNNING):
        try:
            infer(world.inference(holder), job.job_id)
        except MallaError:
            continue
    commit_work(world.committing)
    mined = world.sender.of("commit")
    ours = [job for job in world.journal.jobs(Stage.COMMITTING)]
    if mined and ours:
        world.commit_on_chain(*[job.job_id for job in ours])
    queue_answers(world.delivering, world.members)
    open_leaves(world.opening, world.members)
    deliver(world.delivering, world.members)


def live(at: int, after: bool) -> tuple[World, Deadly]:
    """A provider's life with one death in it, until nothing is left to do."""
    world, deadly = World(), Deadly(at, after)
    for target in (world.journal, world.sender, world.oracles):
        deadly.arm(target)
    world.oracles.wants[world.members[0].address] = [Wanted(1, 0)]
    world.open_job()
    for life in range(8):
        try:
            turn(world, f"host:{life}")
        except Died:
            world.clock.now += LEASE_SECONDS + 1
        world.clock.now += 2
    return world, deadly


TOTAL = live(0, False)[1].writes


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, TOTAL + 1))
def test_node__dies_at_a_write__everything_happens_and_the_commitment_once(at: int, after: bool) -> None:
    """R29: the journal survives a death at any write, so that one leaf is committed and delivered."""
    world, deadly = live(at, after)
    assert deadly.left <= 0
    (job,) = world.journal.rows.values()
    assert (job.stage, len(world.sender.of("commit"))) == (Stage.COMMITTED, 1)
    work = job.work
    assert work is not None
    addresses = {member.address for member in world.members}
    assert {address for address, _ in world.oracles.reports} == addresses
    assert {body for _, body in world.oracles.put} == {work.answer}
    assert {address for address, _ in world.oracles.openings} == addresses
    assert len({body for _, body in world.oracles.openings}) == 1
    assert len({signed.report for _, signed in world.oracles.reports}) == 1


def test_node__a_life_without_death__every_write_happens_at_least_once() -> None:
    world, deadly = live(0, False)
    assert deadly.writes == TOTAL > 20
    assert world.backend.runs == 1
