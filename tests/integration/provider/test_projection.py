"""What final blocks write into the journal: ours only, each state once, reasons kept."""

from __future__ import annotations

from sqlalchemy import Engine

from protocol.chain.events import (
    BatchCommitted,
    BatchForfeited,
    BatchFrozen,
    BatchMatured,
    BurnAccrued,
    Event,
    JobCancelAsked,
    JobOpened,
    JobRefunded,
    JobSettled,
    OpeningsPosted,
    ProviderConvicted,
)
from protocol.encoding import ZERO, keccak
from protocol.types import BatchState, Entry, Job, Outcome, RefundReason
from protocol.units import Address, Wei
from provider.edges.journal import PostgresJournal
from provider.records.work import Stage
from tests.integration.provider.final_blocks import follow

OWNER = Address("0x000000000000000000000000000000000000dEaD")
OTHER = Address("0x0000000000000000000000000000000000000001")
JOB = Job(OTHER, OWNER, keccak(b"offer"), keccak(b"spec"), 10, 20, Wei(100), 1)
JOB_ID = keccak(b"job")
OPENED = JobOpened(JOB_ID, JOB, 500, 100)
COMMITTED = BatchCommitted(7, OWNER, 4, 2, (Entry(JOB_ID, OTHER, Wei(100), Wei(60), keccak(b"l"), keccak(b"a")),))


def after(engine: Engine, *events: Event) -> PostgresJournal:
    """The journal after one final block with these events."""
    follow(engine, *events, owner=OWNER)
    return PostgresJournal(engine)


def test_apply__jobs_and_batches_of_others__leave_no_row(engine: Engine) -> None:
    others = Job(OTHER, OTHER, keccak(b"offer"), keccak(b"spec"), 10, 20, Wei(100), 1)
    foreign = BatchCommitted(8, OTHER, 4, 2, COMMITTED.entries)
    journal = after(engine, JobOpened(JOB_ID, others, 500, 100), foreign, BatchFrozen(8, OTHER, Outcome.FRAUD, 400),
                    ProviderConvicted(OTHER, 8, Wei(5), 8), JobRefunded(JOB_ID, OTHER, Wei(1), RefundReason.EXPIRED))
    assert (journal.stages(), journal.batches(*BatchState), journal.earnings().slashed) == ({}, [], 0)


def test_apply__same_block_twice__nothing_changes(engine: Engine) -> None:
    after(engine, OPENED)
    journal = after(engine, OPENED)
    assert [job.stage for job in journal.jobs(*Stage)] == [Stage.SEEN]


def test_apply__burned_fees__ours_are_summed_up_to_a_block_and_once(engine: Engine) -> None:
    """R85: the node reckons its rate as everybody else does."""
    burns = BurnAccrued(OWNER, Wei(2**90)), BurnAccrued(OWNER, Wei(5)), BurnAccrued(OTHER, Wei(7))
    after(engine, *burns)
    journal = after(engine, *burns)
    assert (journal.burned(8), journal.burned(9)) == (0, 2**90 + 5)


def test_apply__cancel__moves_the_deadline(engine: Engine) -> None:
    assert after(engine, OPENED, JobCancelAsked(JOB_ID, 170)).job(JOB_ID).deadline == 170


def test_apply__refunded_after_our_decline__both_reasons_are_kept(engine: Engine) -> None:
    after(engine, OPENED).start_decline(JOB_ID, "unknown_sampler: no")
    job = after(engine, JobRefunded(JOB_ID, OTHER, Wei(100), RefundReason.DECLINED)).job(JOB_ID)
    assert (job.stage, job.reason) == (Stage.REFUNDED, "DECLINED (unknown_sampler: no)")


def test_apply__committed_and_matured__paid(engine: Engine) -> None:
    journal = after(engine, OPENED, COMMITTED)
    batch = journal.batch(7)
    assert (batch.state, batch.committed_block, batch.committed_at, batch.entries) == (
        BatchState.PENDING, 9, 300, COMMITTED.entries)
    assert batch.head(OWNER) == COMMITTED.head(9, 300)
    assert (journal.job(JOB_ID).stage, journal.job(JOB_ID).batch_id) == (Stage.COMMITTED, 7)
    after(engine, JobSettled(JOB_ID, 7, Wei(60), Wei(40)), BatchMatured(7, OWNER, Outcome.PASS, Wei(57), Wei(3)))
    earned = journal.earnings()
    assert (journal.job(JOB_ID).stage, earned.payout, earned.fee, earned.jobs_paid) == (Stage.SETTLED, 57, 3, 1)
    assert journal.list_jobs(5)[0]["paid_wei"] == "60"


def test_apply__frozen_for_not_opened_then_opened_on_chain__pending_again(engine: Engine) -> None:
    batch = after(engine, OPENED, COMMITTED, BatchFrozen(7, OWNER, Outcome.NOT_OPENED, 400)).batch(7)
    assert (batch.state, batch.outcome, batch.opened_at) == (BatchState.FROZEN, Outcome.NOT_OPENED, 0)
    batch = after(engine, OpeningsPosted(7, OWNER, (b"x",))).batch(7)
    assert (batch.state, batch.outcome, batch.opened_at) == (BatchState.PENDING, Outcome.NONE, 300)


def test_apply__voucher_in_the_batch__is_kept_and_is_no_job(engine: Engine) -> None:
    voucher = Entry(keccak(b"session"), OTHER, Wei(9), Wei(9), keccak(b"head"), ZERO)
    committed = BatchCommitted(7, OWNER, 4, 2, (*COMMITTED.entries, voucher))
    journal = after(engine, OPENED, committed)
    assert [entry.is_voucher for entry in journal.batch(7).entries] == [False, True]
    assert len(journal.jobs(*Stage)) == 1


def test_apply__frozen_convicted_forfeited__refunded_and_slashed(engine: Engine) -> None:
    journal = after(engine, OPENED, COMMITTED, BatchFrozen(7, OWNER, Outcome.FRAUD, 400))
    assert journal.batch(7).state is BatchState.FROZEN
    after(engine, JobRefunded(JOB_ID, OTHER, Wei(100), RefundReason.FRAUD), BatchForfeited(7, OWNER),
          ProviderConvicted(OWNER, 7, Wei(1000), 7))
    job, earned = journal.job(JOB_ID), journal.earnings()
    assert (job.stage, job.reason, journal.batch(7).state) == (Stage.REFUNDED, "FRAUD", BatchState.FORFEITED)
    assert (earned.slashed, earned.payout) == (1000, 0)
