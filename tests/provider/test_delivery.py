"""Delivering: to every oracle, after the commitment, until it is taken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.encoding import keccak
from protocol.errors import Reason, Refused, Unavailable
from protocol.messages import report_digest, storage_receipt_digest
from protocol.signing import recover
from protocol.transcript import telemetry_digest
from protocol.types import BatchState
from provider.edges.fakes import DOMAIN
from provider.flow.delivery import FIRST_RETRY, NOT_READY_SECONDS, deliver, queue_answers
from provider.flow.work import commit_work
from tests.provider.world import World


@pytest.fixture
def world() -> World:
    return World()


def test_queue__not_committed__nothing_leaves(world: World) -> None:
    """R29: no answer without a commitment."""
    world.do_job()
    assert queue_answers(world.delivering, world.members) == 0
    assert deliver(world.delivering, world.members) == 0
    assert (world.oracles.put, world.oracles.reports) == ([], [])


def test_queue__commitment_sent_but_not_final__nothing_leaves(world: World) -> None:
    """R29: the answer waits until its commitment is final."""
    job = world.do_job()
    world.clock.now += 2
    assert commit_work(world.committing) == 1
    assert queue_answers(world.delivering, world.members) == 0
    assert (world.oracles.put, world.oracles.reports) == ([], [])
    world.commit_on_chain(job)
    assert queue_answers(world.delivering, world.members) == 1


def test_queue__committed__one_blob_and_one_report_to_each_oracle_once(world: World) -> None:
    job = world.do_job()
    world.commit_on_chain(job)
    assert queue_answers(world.delivering, world.members) == 1
    assert queue_answers(world.delivering, world.members) == 0
    assert deliver(world.delivering, world.members) == 8
    assert deliver(world.delivering, world.members) == 0
    assert sorted(address for address, _ in world.oracles.reports) == sorted(m.address for m in world.members)


def test_queue__died_between_commitment_and_delivery__delivered_by_the_next_start(world: World) -> None:
    job = world.do_job()
    world.commit_on_chain(job)
    queue_answers(world.delivering, world.members)
    again = replace(world.delivering)
    assert deliver(again, world.members) == 8


def test_report__signed_by_the_node_key_over_what_was_committed(world: World) -> None:
    job = world.do_job()
    batch = world.commit_on_chain(job)
    queue_answers(world.delivering, world.members)
    deliver(world.delivering, world.members)
    signed = world.oracles.reports[0][1]
    report, entry = signed.report, batch.entries[0]
    assert recover(report_digest(DOMAIN, report), signed.signature) == world.keys.address
    assert (report.leaf, report.answer_digest, report.amount) == (entry.leaf, entry.answer_digest, entry.amount)
    assert report.telemetry_digest == telemetry_digest(signed.telemetry)


def test_deliver__storage_receipts__kept_with_valid_signatures(world: World) -> None:
    batch = world.commit_on_chain(world.do_job())
    queue_answers(world.delivering, world.members)
    deliver(world.delivering, world.members)
    digest = batch.entries[0].answer_digest
    kept = world.journal.receipts(digest)
    assert len(kept) == 4
    assert all(recover(storage_receipt_digest(DOMAIN, digest), one.signature) == one.oracle for one in kept)
    assert {keccak(body) for _, body in world.oracles.put} == {digest}


def test_deliver__receipt_of_somebody_else__not_kept_and_asked_again(world: World) -> None:
    batch = world.commit_on_chain(world.do_job())
    queue_answers(world.delivering, world.members)
    world.oracles.forge = True
    deliver(world.delivering, world.members)
    assert world.journal.receipts(batch.entries[0].answer_digest) == []
    assert world.events().count("delivery_refused") == 4
    world.oracles.forge = False
    world.clock.now += FIRST_RETRY
    deliver(world.delivering, world.members)
    assert len(world.journal.receipts(batch.entries[0].answer_digest)) == 4


def test_deliver__oracle_is_away__others_get_it_and_it_is_left_alone_for_a_while(world: World) -> None:
    world.commit_on_chain(world.do_job())
    queue_answers(world.delivering, world.members)
    away = world.members[0].address
    world.oracles.fail[away] = Unavailable("away")
    assert deliver(world.delivering, world.members) == 6
    assert world.events().count("oracle_unavailable") == 1
    del world.oracles.fail[away]
    assert deliver(world.delivering, world.members) == 0
    world.clock.now += FIRST_RETRY
    assert deliver(world.delivering, world.members) == 2


def test_deliver__oracle_not_ready__asked_again_soon_without_a_complaint(world: World) -> None:
    world.commit_on_chain(world.do_job())
    queue_answers(world.delivering, world.members)
    late = world.members[1].address
    world.oracles.fail[late] = Refused(Reason.NOT_READY, "not seen yet")
    deliver(world.delivering, world.members)
    assert "delivery_refused" not in world.events()
    del world.oracles.fail[late]
    world.clock.now += NOT_READY_SECONDS
    assert deliver(world.delivering, world.members) == 2


def test_deliver__refused_again_and_again__ever_more_slowly(world: World) -> None:
    world.commit_on_chain(world.do_job())
    queue_answers(world.delivering, world.members[:1])
    world.oracles.fail[world.members[0].address] = Refused(Reason.WRONG_JOB, "unknown")
    pauses = []
    for _ in range(4):
        deliver(world.delivering, world.members)
        row = next(iter(world.journal.outbox.values()))
        pauses.append(row.next_at - world.clock())
        world.clock.now = row.next_at
    assert pauses == [2.0, 4.0, 8.0, 16.0]


def test_deliver__batch_is_over__report_is_not_sent_any_more_but_the_answer_is(world: World) -> None:
    batch = world.commit_on_chain(world.do_job())
    queue_answers(world.delivering, world.members)
    world.journal.its_batches[1] = replace(batch, state=BatchState.MATURED)
    assert deliver(world.delivering, world.members) == 4
    assert (len(world.oracles.put), world.oracles.reports) == (4, [])


def test_deliver__oracle_has_left_the_committee__its_rows_wait(world: World) -> None:
    world.commit_on_chain(world.do_job())
    queue_answers(world.delivering, world.members)
    assert deliver(world.delivering, world.members[1:]) == 6
