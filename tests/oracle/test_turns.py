"""Whose turn an audit is, escalation, and what the sweeper tells the broker."""

from __future__ import annotations

import pytest

from oracle.flow.batch_view import view_batch
from oracle.flow.confirmations import accept_record
from oracle.flow.exchange import deliver
from oracle.flow.findings import perform_audit, want_audits
from oracle.flow.intake import accept_opening
from oracle.flow.turns import turns_begun, wanted_openings
from protocol.encoding import json_digest
from protocol.errors import Malformed, Reason, Refused, Unavailable
from protocol.messages import audit_record_digest
from protocol.types import AuditRecord, AuditStatistics, VerdictKind
from tests.oracle.moves import SALT, post_record
from tests.oracle.world import DOMAIN, World

TURN = 60


def wants(world: World, seat: int) -> bool:
    return bool(wanted_openings(world.nodes[seat], world.owner.address))


def begun(world: World) -> int:
    batch = world.node.store.batch(1)
    assert batch is not None
    view = view_batch(world.node, batch)
    return len(turns_begun(view, view.entries[0], world.clock(), TURN))


def test_turn__begins_with_the_named_seat__and_passes_on_in_time(world: World) -> None:
    """R32: the named seat first, then the next after each turn."""
    world.ready()
    assert [wants(world, seat) for seat in range(4)] == [True, False, False, False]
    world.clock.now += TURN
    assert [wants(world, seat) for seat in range(4)] == [True, True, False, False]
    world.clock.now += TURN
    assert begun(world) == 3


def test_turn__opening_came_late__gives_its_auditor_a_whole_turn(world: World) -> None:
    """R32: a turn counts from the opening's arrival."""
    work = world.ready()
    world.clock.now += TURN - 1
    for node in world.nodes:
        accept_opening(node, **work.opening(0))
    world.clock.now += TURN - 1
    assert begun(world) == 1
    world.clock.now += 2
    assert begun(world) == 2


def test_turn__auditor_cannot_say__passes_on_at_once(world: World) -> None:
    """R32: UNKNOWN passes the turn on at once."""
    work = world.ready()
    post_record(world, work.entry.leaf, VerdictKind.UNKNOWN, 0, to=1)
    assert wants(world, 1)


def test_turn__passed_by_the_named_auditor__nobody_else_wants_it(world: World) -> None:
    work = world.ready()
    for seat in (1, 2):
        post_record(world, work.entry.leaf, VerdictKind.PASS, 0, to=seat)
    world.clock.now += 10 * TURN
    assert not wants(world, 1) and not wants(world, 2)


@pytest.mark.parametrize("kind", [VerdictKind.FRAUD, VerdictKind.MALFORMED])
def test_finding_against_the_provider__arrives__everyone_wants_the_leaf(world: World, kind: VerdictKind) -> None:
    """R32: a finding against the provider escalates."""
    work = world.ready()
    post_record(world, work.entry.leaf, kind, 3, to=1)
    assert wants(world, 1)


def test_fraud__found_by_one__is_replayed_by_all(world: World) -> None:
    """R32: escalated, every oracle audits itself."""
    world.link()
    work = world.ready()
    for replayer in world.replayers:
        replayer.finding = AuditStatistics(3.9, 0.0, 0.9, 3)
    accept_opening(world.node, **work.opening(0))
    assert perform_audit(world.node, world.replayers[0], 1, 0) is VerdictKind.FRAUD
    assert deliver(world.node) == 3
    for seat in (1, 2, 3):
        node = world.nodes[seat]
        assert want_audits(node) == 1
        assert perform_audit(node, world.replayers[seat], 1, 0) is VerdictKind.FRAUD


def test_outbox__silent_peer__is_asked_again_and_keeps_nobody_waiting(world: World) -> None:
    world.link(1)
    work = world.ready()
    accept_opening(world.node, **work.opening(0))
    perform_audit(world.node, world.replayers[0], 1, 0)
    assert deliver(world.node) == 2
    assert deliver(world.node) == 0
    world.link()
    world.clock.now += 120
    assert deliver(world.node) == 1


def test_record__of_no_member__is_refused(world: World) -> None:
    work = world.ready()
    with pytest.raises(Refused) as refused:
        post_record(world, work.entry.leaf, VerdictKind.FRAUD, 0, signer=world.owner)
    assert refused.value.reason is Reason.NOT_MEMBER


def test_record__evidence_exchanged__is_refused(world: World) -> None:
    work = world.ready()
    record = AuditRecord(1, 0, work.entry.leaf, VerdictKind.FRAUD, json_digest({"reason": "a"}))
    signature = world.signers[1].sign(audit_record_digest(DOMAIN, record))
    with pytest.raises(Malformed):
        accept_record(world.node, record, {"reason": "b"}, signature, SALT)


def test_record__of_another_leaf__is_refused(world: World) -> None:
    work = world.ready()
    with pytest.raises(Refused) as refused:
        post_record(world, work.entry.answer_digest, VerdictKind.FRAUD, 1)
    assert refused.value.reason is Reason.TAMPERED


def test_record__of_a_leaf_that_is_not_drawn__is_refused(world: World) -> None:
    """Evidence about a leaf that somebody picked convicts nobody."""
    work = world.open_job()
    world.commit(work)
    world.node.store.keep_draw(1, b"\1" * 32, [], [0], world.clock())
    with pytest.raises(Refused) as refused:
        post_record(world, work.entry.leaf, VerdictKind.FRAUD, 1)
    assert refused.value.reason is Reason.NOT_DRAWN


def test_record__second_finding__a_pass_is_never_replaced(world: World) -> None:
    work = world.ready()
    post_record(world, work.entry.leaf, VerdictKind.PASS, 1)
    post_record(world, work.entry.leaf, VerdictKind.UNKNOWN, 1)
    assert [row.record.verdict for row in world.node.store.records(1)] == [VerdictKind.PASS]


def test_sweeper__broker_lost_the_audit__tells_it_again(world: World) -> None:
    work = world.ready()
    accept_opening(world.node, **work.opening(0))
    assert want_audits(world.node) == 1
    assert want_audits(world.node) == 0
    world.clock.now += world.node.rules.enqueue_again + 1
    assert want_audits(world.node) == 1
    assert world.node.queue.told == [(1, 0), (1, 0)]  # type: ignore[attr-defined]


def test_sweeper__broker_is_down__the_audit_stays_owed(world: World) -> None:
    work = world.ready()
    accept_opening(world.node, **work.opening(0))
    world.node.queue.is_down = True  # type: ignore[attr-defined]
    with pytest.raises(Unavailable):
        want_audits(world.node)
    world.node.queue.is_down = False  # type: ignore[attr-defined]
    assert want_audits(world.node) == 1
