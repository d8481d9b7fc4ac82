"""Committing: each job once, whatever dies in between and whatever the chain refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocol.types import JobState, Sampler
from provider.flow.declining import send_declines
from provider.flow.inference import infer
from provider.flow.lines import commitment_of
from provider.flow.serving import take_jobs
from provider.flow.work import REFUSED_SECONDS, commit_work
from provider.records.work import Stage, Tx
from tests.provider.world import World


@pytest.fixture
def world() -> World:
    return World()


def commits(world: World) -> list[Any]:
    return world.sender.of("commit")


def keys(world: World) -> list[str]:
    return [key for key, (kind, _) in world.sender.sent.items() if kind == "commit"]


def test_commit__finished_too_late__dropped_and_never_sent(world: World) -> None:
    job = world.do_job()
    world.journal.rows[job] = replace(world.journal.rows[job], deadline=int(world.clock()) + 2)
    assert commit_work(world.committing) == 0
    assert (world.stage(job), commits(world)) == (Stage.DROPPED, [])


def test_commit__no_transcript_in_the_journal__nothing_is_sent(world: World) -> None:
    """R29: a leaf is committed when its transcript is in the journal, and not before."""
    job = world.open_job()
    take_jobs(world.serving, world.members)
    world.clock.now += 2
    assert (world.stage(job), commit_work(world.committing)) == (Stage.ACCEPTED, 0)
    assert infer(world.inference(), job) and world.journal.rows[job].work is not None
    world.clock.now += 2
    assert commit_work(world.committing) == 1


def test_commit__one_job__waits_for_more_then_goes(world: World) -> None:
    world.do_job()
    assert commit_work(world.committing) == 0
    world.clock.now += 2
    assert commit_work(world.committing) == 1


def test_commit__full_batch__goes_at_once_and_no_further(world: World) -> None:
    for _ in range(3):
        world.do_job()
    assert commit_work(replace(world.committing, max_batch=2)) == 2
    assert [len(batch) for batch in commits(world)] == [2]
    assert commit_work(replace(world.committing, max_batch=2)) == 0


def test_commit__jobs_of_two_versions_of_the_terms__one_batch_for_each(world: World) -> None:
    """A batch pays and refunds under one version, so the escrow takes no other."""
    old, new, other = world.do_job(), world.do_job(), world.do_job()
    world.chain.job_versions = {old: 1, new: 2, other: 1}
    world.clock.now += 2
    sizes = [commit_work(world.committing) for _ in range(3)]
    assert sizes in ([2, 1, 0], [1, 2, 0])  # whichever version the journal lists first
    digests = [{line.job.spec_digest for line in batch} for batch in commits(world)]
    spec = {job: world.journal.rows[job].job.spec_digest for job in (old, new, other)}
    assert sorted(digests, key=len) == [{spec[new]}, {spec[old], spec[other]}]


def test_commit__each_line__is_what_the_journal_holds(world: World) -> None:
    job = world.do_job()
    world.clock.now += 2
    commit_work(world.committing)
    assert commits(world) == [(commitment_of(world.journal.rows[job]),)]
    assert world.stage(job) is Stage.COMMITTING


def test_commit__job_that_the_chain_refuses__others_go_without_it(world: World) -> None:
    good, bad = world.do_job(), world.do_job()
    world.sender.bad = {world.journal.rows[bad].job.spec_digest}
    world.chain.states[bad] = JobState.REFUNDED
    world.clock.now += 2
    assert commit_work(world.committing) == 1
    assert (world.stage(good), world.stage(bad)) == (Stage.COMMITTING, Stage.DROPPED)
    assert world.reason(bad) == "not committed: The chain refuses this job."


def test_commit__refused_but_open__tried_again_until_its_deadline(world: World) -> None:
    job = world.do_job()
    world.sender.bad = {world.journal.rows[job].job.spec_digest}
    world.clock.now += 2
    committing = world.committing
    for _ in range(3):
        assert commit_work(committing) == 0
    assert (world.stage(job), world.events().count("commit_refused")) == (Stage.DONE, 1)
    world.sender.bad = set()
    world.clock.now += REFUSED_SECONDS
    assert commit_work(committing) == 1


def test_commit__refused_when_sent__tried_alone_then_given_up(world: World) -> None:
    first, second = world.do_job(), world.do_job()
    world.clock.now += 2
    world.sender.refuses = True
    commit_work(world.committing)
    assert {world.stage(first), world.stage(second)} == {Stage.DONE}
    commit_work(world.committing)
    assert {world.stage(first), world.stage(second)} == {Stage.DONE, Stage.DROPPED}
    world.sender.refuses = False
    assert commit_work(world.committing) == 1
    assert [len(batch) for batch in commits(world)] == [1]


def test_commit__reverted_on_chain__each_job_tried_alone_once(world: World) -> None:
    first, second = world.do_job(), world.do_job()
    world.clock.now += 2
    commit_work(world.committing)
    world.sender.outcomes[keys(world)[0]] = Tx("REVERTED", "", "WrongJobState")
    for _ in range(4):
        commit_work(world.committing)
    assert sorted(len(batch) for batch in commits(world)) == [1, 1, 2]
    assert {world.stage(first), world.stage(second)} == {Stage.COMMITTING}
    world.sender.outcomes[keys(world)[1]] = Tx("REVERTED", "", "WrongJobState")
    for _ in range(3):
        commit_work(world.committing)
    assert sorted([world.stage(first), world.stage(second)]) == [Stage.COMMITTING, Stage.DROPPED]
    assert len(commits(world)) == 3


def test_commit__died_before_sending__same_batch_is_sent_once(world: World) -> None:
    job = world.do_job()
    world.journal.begin_commit([job], "commit/abc")
    for _ in range(3):
        commit_work(world.committing)
    assert keys(world) == ["commit/abc"]
    assert commits(world) == [(commitment_of(world.journal.rows[job]),)]


def test_commit__died_after_sending__nothing_is_sent_again(world: World) -> None:
    world.do_job()
    world.clock.now += 2
    commit_work(world.committing)
    for status in ("PENDING", "MINED", "FINAL"):
        world.sender.outcomes[keys(world)[0]] = Tx(status)
        commit_work(world.committing)
    assert len(commits(world)) == 1


def test_decline__refused_by_the_chain__dropped(world: World) -> None:
    job = world.open_job(spec={"sampler": Sampler("nucleus", 0)})
    take_jobs(world.serving, world.members)
    world.sender.refuses = True
    send_declines(world.committing)
    assert world.stage(job) is Stage.DROPPED
    assert "the decline was refused" in world.reason(job)


def test_decline__reverted__dropped(world: World) -> None:
    job = world.open_job(spec={"sampler": Sampler("nucleus", 0)})
    take_jobs(world.serving, world.members)
    send_declines(world.committing)
    world.sender.outcomes[f"decline/{job.hex()}"] = Tx("REVERTED", "", "DeclineTooLate")
    send_declines(world.committing)
    assert world.stage(job) is Stage.DROPPED


def test_decline__not_sent_yet__sent_once(world: World) -> None:
    job = world.open_job(spec={"sampler": Sampler("nucleus", 0)})
    take_jobs(world.serving, world.members)
    for _ in range(3):
        send_declines(world.committing)
    assert world.sender.of("decline") == [world.journal.rows[job].job]


def test_decline__job_refunded_already__nothing_is_sent(world: World) -> None:
    job = world.open_job(spec={"sampler": Sampler("nucleus", 0)})
    take_jobs(world.serving, world.members)
    world.chain.states[job] = JobState.REFUNDED
    send_declines(world.committing)
    assert world.sender.sent == {}
