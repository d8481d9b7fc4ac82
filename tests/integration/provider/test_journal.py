"""PostgreSQL's journal keeps the rules that the flows' tests assume of it, also between processes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, insert, text, update

from protocol.encoding import keccak
from protocol.types import BatchState, Entry, Job
from protocol.units import Address, Digest, Wei
from protocol.wire import to_json
from provider.edges.journal import PostgresJournal, open_engine
from provider.edges.migrate import migrate
from provider.edges.tables import BATCHES, JOBS, METADATA
from provider.records.work import Delivery, DeliveryKind, Lease, Stage, Work

OWNER = Address("0x000000000000000000000000000000000000dEaD")
JOB = Job(OWNER, OWNER, keccak(b"offer"), keccak(b"spec"), 10, 20, Wei(2**95), 1)
WORK = Work(b"transcript", b"answer", keccak(b"leaf"), 7, 2, Wei(2**94), {"gpu": None}, 50, 1.5, b"rows")


@pytest.fixture
def journal(engine: Engine) -> PostgresJournal:
    return PostgresJournal(engine)


def add(engine: Engine, name: str, stage: Stage, **values: Any) -> Digest:
    job_id = keccak(name.encode())
    row = {"job_id": job_id, "job": to_json(JOB), "opened_at": 10, "deadline": 100, "stage": stage} | values
    with engine.begin() as connection:
        connection.execute(insert(JOBS).values(row))
    return job_id


def test_connection__ended_by_the_server__replaced_before_its_use(engine: Engine, database_url: str) -> None:
    which, other = text("SELECT pg_backend_pid()"), open_engine(database_url)
    with engine.connect() as connection:
        ended = connection.scalar(which)
    with engine.connect() as connection:
        assert connection.scalar(which) == ended
    with other.connect() as connection:
        assert connection.scalar(text("SELECT pg_terminate_backend(:ended, 5000)"), {"ended": ended})
    other.dispose()
    with engine.connect() as connection:
        assert connection.scalar(which) != ended


def test_migrate__twice_and_by_two_at_once__same_tables_as_the_code(database_url: str) -> None:
    engine = open_engine(database_url)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(migrate, [engine, engine]))
    migrate(engine)
    with engine.connect() as connection:
        only_ours = {"include_name": lambda name, kind, parents: kind != "table" or name in METADATA.tables}
        context = MigrationContext.configure(connection, opts=only_ours)
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


def test_accept__not_seen__changes_nothing(engine: Engine, journal: PostgresJournal) -> None:
    job = add(engine, "a", Stage.REFUNDED)
    assert journal.accept(job, b"spec", b"prompt", 7, 1.0) is False
    assert journal.accept(keccak(b"unknown"), b"spec", b"prompt", 7, 1.0) is False
    assert journal.job(job).stage is Stage.REFUNDED


def test_claim__eight_workers_at_once__one_gets_it(engine: Engine, journal: PostgresJournal) -> None:
    job = add(engine, "a", Stage.ACCEPTED)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: journal.claim(job, Lease(f"w:{i}", 50.0), 1.0), range(8)))
    assert sum(one is not None for one in found) == 1
    assert journal.job(job).attempts == 1


def test_finish__lease_was_lost__nothing_is_overwritten(engine: Engine, journal: PostgresJournal) -> None:
    job = add(engine, "a", Stage.ACCEPTED)
    journal.claim(job, Lease("w:1", 10.0), 1.0)
    assert journal.claim(job, Lease("w:2", 60.0), 11.0) is not None
    assert journal.finish(job, "w:1", WORK, 12.0) is False
    assert journal.renew(job, Lease("w:1", 99.0), 1) is False
    assert journal.finish(job, "w:2", WORK, 13.0) is True
    assert journal.finish(job, "w:2", WORK, 14.0) is False
    assert (journal.job(job).work, journal.job(job).stage, journal.job(job).done_at) == (WORK, Stage.DONE, 13.0)


def test_enqueue__waiting_and_lost__listed_until_marked(engine: Engine, journal: PostgresJournal) -> None:
    waiting = add(engine, "a", Stage.ACCEPTED)
    lost = add(engine, "b", Stage.RUNNING, lease_holder="w:1", lease_until=5.0)
    add(engine, "c", Stage.RUNNING, lease_holder="w:2", lease_until=50.0)
    assert set(journal.to_enqueue(10.0, 60.0)) == {waiting, lost}
    journal.mark_enqueued(waiting, 10.0)
    journal.mark_enqueued(lost, 10.0)
    assert journal.to_enqueue(11.0, 60.0) == []
    assert journal.to_enqueue(16.0, 60.0) == [lost]
    assert journal.holders() in (["w:1", "w:2"], ["w:2", "w:1"])
    journal.release_lost(["w:2"])
    assert len(journal.to_enqueue(16.0, 60.0)) == 2


def test_begin_commit__one_is_not_done__none_moves(engine: Engine, journal: PostgresJournal) -> None:
    done, running = add(engine, "a", Stage.DONE), add(engine, "b", Stage.RUNNING)
    assert journal.begin_commit([done, running], "commit/1") is False
    assert journal.job(done).stage is Stage.DONE
    assert journal.begin_commit([done], "commit/2") is True
    assert {key: [job.job_id for job in jobs] for key, jobs in journal.committing().items()} == {"commit/2": [done]}
    journal.retry_commit("commit/2", alone=True)
    assert journal.commits_alone(done) and journal.job(done).stage is Stage.DONE


def test_deliveries__queued_twice__one_row_each_and_deferred_by_oracle(journal: PostgresJournal) -> None:
    rows = [Delivery(DeliveryKind.BLOB, keccak(b"answer").hex(), OWNER, b"answer"),
            Delivery(DeliveryKind.REPORT, "aa", OWNER, b"{}")]
    journal.queue_deliveries(rows)
    journal.queue_deliveries(rows)
    assert [row.kind for row in journal.due_deliveries(1.0)] == [DeliveryKind.BLOB, DeliveryKind.REPORT]
    journal.defer_oracle(OWNER, 5.0, "away")
    assert journal.due_deliveries(4.0) == []
    due = journal.due_deliveries(5.0)
    assert [row.attempts for row in due] == [1, 1]
    journal.delivered(due[0], 6.0, b"signature")
    journal.delivered(due[0], 7.0, b"another")
    assert [one.signature for one in journal.receipts(keccak(b"answer"))] == [b"signature"]
    assert journal.has_delivery(DeliveryKind.REPORT, "aa") and not journal.has_delivery(DeliveryKind.REPORT, "bb")
    assert journal.repeat_delivery(DeliveryKind.REPORT, "aa", OWNER, 100.0) is False
    assert journal.repeat_delivery(DeliveryKind.BLOB, rows[0].subject, OWNER, 6.5) is False
    assert journal.repeat_delivery(DeliveryKind.BLOB, rows[0].subject, OWNER, 8.0) is True


def test_deliveries__batch_is_over__only_the_answer_is_still_sent(engine: Engine, journal: PostgresJournal) -> None:
    entry = Entry(keccak(b"job"), OWNER, Wei(2), Wei(1), keccak(b"leaf"), keccak(b"answer"))
    row = {"batch_id": 1, "entries": [to_json(entry)], "set_version": 4, "committed_block": 9, "committed_at": 99,
           "state": "PENDING"}
    with engine.begin() as connection:
        connection.execute(insert(BATCHES).values(row))
    journal.queue_deliveries([Delivery(DeliveryKind.BLOB, "aa", OWNER, b"x", 1),
                              Delivery(DeliveryKind.REPORT, "bb", OWNER, b"y", 1)])
    assert len(journal.due_deliveries(1.0)) == 2
    assert journal.batch(1).entries == (entry,)
    with engine.begin() as connection:
        connection.execute(update(BATCHES).values(state=BatchState.MATURED.name, payout=2**94))
    assert [row.kind for row in journal.due_deliveries(1.0)] == [DeliveryKind.BLOB]
    assert journal.batches(BatchState.PENDING) == []
    assert journal.earnings().payout == 2**94


def test_figures__amounts_near_the_largest__come_back_to_the_wei(engine: Engine, journal: PostgresJournal) -> None:
    job = add(engine, "a", Stage.ACCEPTED)
    add(engine, "b", Stage.ACCEPTED)
    assert journal.waiting_tokens() == 40
    journal.claim(job, Lease("w:1", 10.0), 1.0)
    journal.finish(job, "w:1", WORK, 2.0)
    assert journal.job(job).work.amount == 2**94 and journal.job(job).job == JOB
    assert journal.speed().tokens_per_second == pytest.approx(2 / 1.5)
    assert journal.stages() == {"ACCEPTED": 1, "DONE": 1}
    assert [row["price_wei"] for row in journal.list_jobs(1, "DONE")] == [str(2**95)]


def test_beats__last_one_wins(journal: PostgresJournal) -> None:
    journal.beat("node", 1.0, {"block": 1})
    journal.beat("node", 2.0, {"block": 2})
    assert journal.beats() == {"node": (2.0, {"block": 2})}
