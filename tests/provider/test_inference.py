"""One run of one job: the lease, what is written, and what a lost run leaves behind."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.encoding import keccak
from protocol.errors import MallaError
from protocol.sealing import unseal
from protocol.transcript import answer_of, check_transcript, parse_answer, parse_transcript
from protocol.types import Entry
from provider.flow.inference import LEASE_SECONDS, MAX_ATTEMPTS, infer
from provider.flow.serving import enqueue_jobs, take_jobs
from provider.records.work import Lease, Stage
from tests.provider.world import REPLY_SECRET, World


@pytest.fixture
def world() -> World:
    return World()


def accepted(world: World) -> bytes:
    job = world.open_job()
    take_jobs(world.serving, world.members)
    return job


def test_infer__held_by_another__does_nothing(world: World) -> None:
    job = accepted(world)
    world.journal.claim(job, Lease("other:2", world.clock() + 10), world.clock())
    assert infer(world.inference(), job) is False
    assert world.backend.runs == 0


def test_infer__transcript_too_long_to_be_opened__is_dropped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Committed, it would cost its whole batch the pay."""
    monkeypatch.setattr("provider.flow.inference.MAX_TRANSCRIPT", 100)
    job = accepted(world)
    assert infer(world.inference(), job) is False
    assert world.stage(job) is Stage.DROPPED


def test_infer__done_already__does_nothing(world: World) -> None:
    job = world.do_job()
    written = world.journal.rows[job].work
    assert infer(world.inference(), job) is False
    assert (world.backend.runs, world.journal.rows[job].work) == (1, written)


def test_infer__deadline_over__dropped_without_a_run(world: World) -> None:
    job = accepted(world)
    world.clock.now += 301
    assert infer(world.inference(), job) is False
    assert (world.stage(job), world.backend.runs) == (Stage.DROPPED, 0)


def test_infer__runs_lost_too_often__given_up(world: World) -> None:
    job = accepted(world)
    world.journal.rows[job] = replace(world.journal.rows[job], attempts=MAX_ATTEMPTS)
    assert infer(world.inference(), job) is False
    assert world.reason(job) == "given up: 3 runs were lost"


def test_infer__deadline_passes_meanwhile__run_is_stopped(world: World) -> None:
    job = accepted(world)
    world.backend.before_token = lambda: setattr(world.clock, "now", world.clock.now + 301)
    with pytest.raises(MallaError, match="cancelled"):
        infer(world.inference(), job)
    assert world.stage(job) is Stage.RUNNING


def test_infer__refunded_meanwhile__run_is_stopped_and_nothing_written(world: World) -> None:
    job = accepted(world)

    def refund() -> None:
        world.clock.now += 3
        world.journal.rows[job] = replace(world.journal.rows[job], stage=Stage.REFUNDED)

    world.backend.before_token = refund
    with pytest.raises(MallaError, match="cancelled"):
        infer(world.inference(), job)
    assert (world.stage(job), world.journal.rows[job].work) == (Stage.REFUNDED, None)


def test_infer__model_fails__lease_ends_and_the_job_is_enqueued_again(world: World) -> None:
    job = accepted(world)

    def fail() -> None:
        raise MemoryError("out of memory")

    world.backend.before_token = fail
    with pytest.raises(MemoryError):
        infer(world.inference(), job)
    world.clock.now += 6
    assert enqueue_jobs(world.serving) == 1
    world.backend.before_token = lambda: None
    assert infer(world.inference("host:2"), job) is True


def test_infer__worker_killed__taken_over_when_its_lease_is_over(world: World) -> None:
    job = accepted(world)
    enqueue_jobs(world.serving)
    world.journal.claim(job, Lease("host:1", world.clock() + LEASE_SECONDS), world.clock())
    assert enqueue_jobs(world.serving) == 0
    world.clock.now += LEASE_SECONDS + 1
    assert enqueue_jobs(world.serving) == 1
    assert infer(world.inference("host:2"), job) is True


def test_infer__two_runs_at_once__the_first_to_end_is_kept(world: World) -> None:
    job = accepted(world)

    def second_run() -> None:
        world.backend.before_token = lambda: None
        world.clock.now += LEASE_SECONDS + 1
        assert infer(world.inference("host:2"), job) is True

    world.backend.before_token = second_run
    with pytest.raises(MallaError, match="cancelled"):
        infer(world.inference("host:1"), job)
    assert world.stage(job) is Stage.DONE


def test_infer__honest_run__transcript_survives_an_audits_checks(world: World) -> None:
    job = world.do_job()
    row = world.journal.rows[job]
    assert row.work is not None
    entry = Entry(job, row.job.requester, row.job.price, row.work.amount, row.work.leaf, keccak(row.work.answer))
    transcript = parse_transcript(row.work.transcript)
    check_transcript(transcript, answer_of(transcript, job, 7, "Lima", "stop"), row.job, entry, world.offer.offer)
    answer = parse_answer(unseal(row.work.answer, REPLY_SECRET))
    assert (answer.text, answer.finish, row.work.amount) == ("Lima", "stop", 7 * 10 + 2 * 100)
    assert row.work.telemetry == {"gpu": None, "note": "no NVIDIA GPU: a test"}
