"""Sessions, vouchers and calls on PostgreSQL: numbers beyond 64 bits, blocks that are applied twice, a whole audit."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from oracle.edges.store import SqlProjection, SqlStore
from oracle.flow.findings import perform_audit
from oracle.flow.intake import accept_opening
from oracle.flow.sessions import show_call, show_session
from protocol.chain.events import SessionToppedUp, VouchersCommitted
from protocol.types import VerdictKind
from protocol.units import UINT96_MAX, Wei
from tests.oracle.metered import talked
from tests.oracle.world import World


@pytest.fixture
def world(engine: Engine) -> World:
    world = World()
    world.nodes[0] = replace(world.nodes[0], store=SqlStore(engine))
    world.rows[0] = SqlProjection(engine)
    return world


def test_session__on_a_real_database__is_reported_drawn_audited_and_shown(world: World) -> None:
    voucher = talked(world, 3)
    voucher.tell(0)
    own = voucher.metered.session_id
    world.apply(SessionToppedUp(own, Wei(1), UINT96_MAX))
    assert show_session(world.node, own)["cap"] == str(UINT96_MAX)
    accept_opening(world.node, **voucher.opening(2, 0))
    assert perform_audit(world.node, world.replayers[0], 1, voucher.unit(2)) is VerdictKind.PASS
    assert [row.index for row in world.node.store.calls(1)] == [voucher.unit(i) for i in range(3)]
    assert show_call(world.node, own, 3)["unit"] == voucher.unit(2)
    assert world.node.store.figures()["calls_committed"] == 3


def test_projection__block_applied_again__changes_nothing(world: World) -> None:
    voucher = talked(world, 2)
    voucher.tell(0)
    before = (world.node.store.voucher(1, 0), world.node.store.calls(1))
    world.apply(VouchersCommitted(1, (voucher.claim,)))
    assert (world.node.store.voucher(1, 0), world.node.store.calls(1)) == before
