"""Cases on PostgreSQL: a dispute from its opening to its end, blocks that are applied twice."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from oracle.edges.store import SqlProjection, SqlStore
from oracle.flow.court import decide_case
from oracle.flow.court_views import show_case
from protocol.types import Ruling
from tests.oracle.court import BOND, disputed, open_case, review, rule
from tests.oracle.world import World


@pytest.fixture
def world(engine: Engine) -> World:
    world = World()
    world.nodes[0] = replace(world.nodes[0], store=SqlStore(engine))
    world.rows[0] = SqlProjection(engine)
    return world


def test_case__on_a_real_database__is_opened_replayed_signed_once_and_ruled(world: World) -> None:
    """R126: the one ruling that was stored is the one that is signed."""
    work, store = disputed(world), world.node.store
    review(world, work, 0)
    (case,) = store.cases(is_open=True)
    assert (case.bond, case.own, decide_case(world.node, case)[0]) == (BOND, Ruling.NONE, Ruling.REJECTED)
    assert store.sign_ruling_once(1, Ruling.REJECTED, 1.0) is Ruling.REJECTED
    assert store.sign_ruling_once(1, Ruling.UPHELD, 2.0) is Ruling.REJECTED
    open_case(world, work)  # applied again after a crash
    assert len(store.cases()) == 1 and store.cases()[0].own is Ruling.REJECTED
    rule(world, Ruling.REJECTED)
    assert (store.cases(is_open=True), show_case(world.node, 1)["state"]) == ([], "REJECTED")
    store.end_case(1)
    assert store.cases(over=False) == [] and len(store.cases(batch_id=1)) == 1


def test_reviews__told_once_forgotten_and_told_again(world: World) -> None:
    work, store = disputed(world), world.node.store
    store.want_review(1, work.index)
    store.want_review(1, work.index)
    assert [row.unit for row in store.reviews_due(10.0, 9)] == [0]
    store.mark_review(1, 0, 10.0)
    assert store.reviews_due(10.0, 9) == [] and len(store.reviews_due(11.0, 9)) == 1
    store.forget_reviews()
    assert len(store.reviews_due(0.0, 9)) == 1
    assert [store.count_review(1, 0), store.count_review(1, 0, -1)] == [1, 0]
    rule(world, Ruling.UPHELD)
    assert store.reviews_due(20.0, 9) == []


def test_round__on_a_real_database__signatures_are_kept_and_a_case_is_left_once(world: World) -> None:
    """R126: what two processes of one oracle tell each other about a case."""
    disputed(world)
    store, (first, second) = world.node.store, (signer.address for signer in world.signers[1:3])
    (case,) = store.cases()
    assert (case.asked_at, case.left_until, case.signatures) == (None, None, {})
    store.note_asked([1], 5.0)
    store.leave_case(1, 104)
    store.leave_case(1, 999)
    for oracle, byte in ((first, b"\1"), (second, b"\2"), (first, b"\3")):
        store.keep_signature(1, oracle, byte * 65)
    (case,) = store.cases()
    assert (case.asked_at, case.left_until) == (5.0, 104)
    assert case.signatures == {first: b"\3" * 65, second: b"\2" * 65}
