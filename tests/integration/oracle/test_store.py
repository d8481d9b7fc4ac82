"""The store on PostgreSQL: what only a real database shows. The flows' own tests run it on SQLite."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, make_url

from oracle.edges.metrics import Figures
from oracle.edges.migrate import migrate
from oracle.edges.store import METADATA, SqlProjection, SqlStore, open_engine
from oracle.flow.confirmations import reveal_findings
from oracle.flow.findings import perform_audit, want_audits
from oracle.flow.intake import accept_opening, accept_report
from oracle.flow.views import show_jobs
from oracle.records.confirmations import AuditorFault, CommitmentRow
from protocol.chain.events import BurnAccrued
from protocol.chain.tables import CHAIN_METADATA
from protocol.encoding import keccak
from protocol.errors import Unavailable
from protocol.types import Decision, Outcome, VerdictKind
from protocol.units import UINT96_MAX, Digest, Wei
from tests.oracle.world import World


@pytest.fixture
def world(engine: Engine) -> World:
    world = World()
    world.nodes[0] = replace(world.nodes[0], store=SqlStore(engine))
    world.rows[0] = SqlProjection(engine)
    return world


def decision(outcome: Outcome, amount: int = 0) -> Decision:
    return Decision(1, Digest(b"\1" * 32), outcome, Wei(amount), 0b11)


def test_migrate__database_away__is_unavailable(database_url: str) -> None:
    engine = open_engine(make_url(database_url).set(password="wrong").render_as_string(hide_password=False))
    with pytest.raises(Unavailable):
        migrate(engine)


def test_migrations__applied__are_the_tables_of_the_code(engine: Engine) -> None:
    ours = set(METADATA.tables)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_object": lambda o, name, kind, r, c: kind != "table" or name in ours})
        assert compare_metadata(context, METADATA) == []
    assert set(CHAIN_METADATA.tables) <= set(inspect(engine).get_table_names())


def test_migrate__by_three_processes_at_once__is_done_once(database_url: str) -> None:
    engines = [open_engine(database_url) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(migrate, engines))
    assert "jobs" in inspect(engines[0]).get_table_names()
    for engine in engines:
        engine.dispose()


def test_sign_once__two_outcomes_at_once__one_is_signed(engine: Engine) -> None:
    """R36: equivocation is refused by a unique key, not by a check that two threads could pass."""
    store = SqlStore(engine)
    wanted = [decision(Outcome.PASS, 5), decision(Outcome.NOT_OPENED)] * 8
    with ThreadPoolExecutor(4) as pool:
        firsts = list(pool.map(lambda one: store.sign_once(one, 1, 0.0), wanted))
    assert len(set(firsts)) == 1
    assert sum(first == asked for first, asked in zip(firsts, wanted, strict=True)) == 8


def test_sign_once__largest_amount__comes_back_exact(engine: Engine) -> None:
    one = decision(Outcome.PASS, UINT96_MAX)
    assert SqlStore(engine).sign_once(one, 1, 0.0) == one


def test_lock__held__is_refused_to_others_and_ends_with_its_holder(engine: Engine) -> None:
    store = SqlStore(engine)
    with store.lock("audit/1/0") as first, store.lock("audit/1/0") as second, store.lock("audit/1/1") as other:
        assert (first, second, other) == (True, False, True)
    with store.lock("audit/1/0") as again:
        assert again


def test_transaction__fails_in_the_middle__leaves_nothing(world: World, engine: Engine) -> None:
    store = SqlStore(engine)
    with pytest.raises(RuntimeError), store.transaction() as bound:
        bound.put_reveals(world.node.address, {1: b"\1" * 32})
        raise RuntimeError("crash")
    assert store.reveal(world.node.address, 1) is None


def test_flow__report_to_record__on_the_real_database(world: World) -> None:
    work = world.open_job()
    world.commit(work)
    world.draw([work])
    accept_report(world.node, work.report())
    accept_opening(world.node, **work.opening(0))
    assert want_audits(world.node) == 1
    assert perform_audit(world.node, world.replayers[0], 1, 0) is VerdictKind.PASS
    (shown,) = show_jobs(world.node, None, world.owner.address, "COMMITTED", 10)
    assert shown["verdict"] is None and reveal_findings(world.node) == 1
    (shown,) = show_jobs(world.node, None, world.owner.address, "COMMITTED", 10)
    assert (shown["verdict"]["kind"], shown["price"], shown["index"]) == ("PASS", "350", 0)
    assert len(world.node.store.due_deliveries(world.clock(), 10)) == 6
    text = Figures(world.node.store._engine).render(world.node.store.figures(), 1, 0, 1)  # type: ignore[attr-defined]
    assert 'malla_oracle_records{verdict="PASS"} 1\n' in text


def test_confirmations__on_the_real_database__are_kept_shown_and_counted_once(world: World) -> None:
    work, store, now = world.ready(), world.node.store, world.clock()
    for seat, salt in ((0, b"\1" * 32), (1, None)):
        row = CommitmentRow(1, 0, work.entry.leaf, world.signers[seat].address, keccak(bytes([seat])), seat == 1, b"s",
                            now + seat, salt)
        assert store.put_commitment(row) and not store.put_commitment(row)
    assert store.entries(1)[0].escalated_at == now + 1
    (own,) = store.unrevealed()
    store.mark_revealed(own, now + 2)
    assert store.unrevealed() == [] and [row.revealed_at for row in store.commitments(1)] == [now + 2, None]
    fault = AuditorFault(world.signers[1].address, 5, 1, 0, "missed")
    assert store.put_faults([fault, fault]) == 1
    assert store.count_faults() == [(world.signers[1].address, 5, "missed", 1)]
    text = Figures(world.node.store._engine).render({}, 1, 0, 1)  # type: ignore[attr-defined]
    assert f'malla_oracle_auditor_faults{{oracle="{world.signers[1].address}",kind="missed"}} 1\n' in text


def test_burns__on_the_real_database__are_summed_up_to_a_block(world: World) -> None:
    for block, burned in ((40, 2**90), (40, 5), (85, 7)):
        burns = [BurnAccrued(world.owner.address, Wei(wei)) for wei in (1, burned)]
        world.apply(*burns, block=block)
    assert world.node.store.burned(world.owner.address, 84) == 2**90 + 1
    assert world.node.store.burned(world.owner.address, 85) == 2**90 + 9


def test_sweep__on_the_real_database__keeps_what_is_needed(world: World) -> None:
    work = world.open_job()
    world.node.store.put_blob(b"\2" * 32, b"stray", world.clock())
    assert world.node.store.unreferenced_bytes() == 5 + 1024
    assert world.node.store.sweep_blobs(world.clock() + 1, 0.0) == 1
    assert world.node.store.has_blob(work.job.spec_digest)
