"""The auditors that a decision names: seats by the draw, the same at every oracle, whoever audited in the end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oracle.flow.chores import do_chores
from oracle.flow.decisions import decide_batch
from oracle.flow.findings import perform_audit
from oracle.flow.intake import accept_opening
from oracle.flow.node import Node
from oracle.flow.sampling import draw_batches, due_block
from oracle.flow.settlement import propose
from protocol.chain.events import BatchCommitted, BatchSkipped, Claim, VouchersCommitted
from protocol.chain.records import SkipReason
from protocol.committee import seats_bitmap
from protocol.encoding import ZERO
from protocol.types import AuditStatistics, Entry, Outcome
from protocol.units import Digest
from tests.oracle.moves import passed
from tests.oracle.test_settlement import turn_of
from tests.oracle.world import World


def auditors_of(node: Node) -> int:
    batch = node.store.batch(1)
    assert batch is not None
    found = decide_batch(node, batch)[0]
    assert found is not None
    return found.auditors


@pytest.mark.parametrize(("seats", "named", "bits"), [
    (["a", "b", "c"], [], 0), (["a", "b", "c"], ["c", "a", "c"], 0b101), (["a", "B"], ["b"], 0b10), (["a"], ["x"], 0),
])
def test_bitmap__accounts__one_bit_a_seat(seats: list[str], named: list[str], bits: int) -> None:
    assert seats_bitmap(named, seats) == bits


def test_auditors__nothing_drawn__none(world: World) -> None:
    work = world.open_job()
    world.commit(work)
    for node in world.nodes:
        node.store.keep_draw(1, b"\1" * 32, [], [2], world.clock())
        node.store.put_report(work.report(), world.clock())
        node.store.put_blob(work.entry.answer_digest, work.answer, world.clock())
    assert [auditors_of(node) for node in world.nodes] == [0] * 4


def test_auditors__seat_is_not_the_place_in_the_set__its_bit_is_set(world: World) -> None:
    """R15: a set leaves out the seats that nobody has taken, the bits do not."""
    world.chain.empty_seats = 3
    passed(world)
    assert [auditors_of(node) for node in world.nodes] == [0b1000] * 4


def test_auditors__another_seat_took_over__the_drawn_one_is_named(world: World) -> None:
    """R15: all honest oracles sign the same bits, also when they know of different audits."""
    work = world.ready()
    world.clock.now += 60
    for seat in (1, 2):
        accept_opening(world.nodes[seat], **work.opening(seat))
    world.clock.now += 60
    for seat in (1, 2):
        assert perform_audit(world.nodes[seat], world.replayers[seat], 1, 0)
    assert [auditors_of(node) for node in world.nodes[1:3]] == [1, 1]


def test_auditors__fraud_and_not_opened__name_them_too(world: World) -> None:
    """R15: an audit costs the same whatever it finds."""
    work = world.ready()
    world.clock.now += 3 * 60 + 180
    assert [auditors_of(node) for node in world.nodes] == [1] * 4
    world.replayers[0].finding = AuditStatistics(9.0, 0.0, 0.0, 3)
    accept_opening(world.node, **work.opening(0))
    perform_audit(world.node, world.replayers[0], 1, 0)
    assert auditors_of(world.node) == 1


def test_auditors__two_leaves_of_two_seats__both_bits(world: World) -> None:
    first, second = world.open_job(1), world.open_job(2)
    world.commit(first, second)
    for node in world.nodes:
        node.store.keep_draw(1, b"\1" * 32, [0, 1], [3, 1], world.clock())
    world.clock.now += 3 * 60 + 180
    assert [auditors_of(node) for node in world.nodes] == [0b1010] * 4


def test_draw__a_voucher_among_the_entries__is_never_drawn_and_waits_for_its_report(world: World) -> None:
    """R123: what it adds is explained by no call, so that nobody is paid; the job beside it is audited as ever."""
    work = world.open_job()
    voucher = Entry(Digest(b"\5" * 32), world.requester.address, work.entry.price, work.entry.price, Digest(b"\6" * 32),
                    ZERO)
    for batch_id in (1, 2):  # the same session again
        world.apply(BatchCommitted(batch_id, world.owner.address, 1, 1, (work.entry, voucher)),
                    VouchersCommitted(batch_id, (Claim(voucher.amount, 0, 0),)), block=50)
    assert len(world.node.store.entries(2)) == 2
    world.clock.now += 1_000
    assert draw_batches(world.node, 200) == 2
    assert [row.drawn for row in world.node.store.entries(1)] == [True, False]
    world.node.store.put_report(work.report(), world.clock())
    world.node.store.put_blob(work.entry.answer_digest, work.answer, world.clock())
    work.batch_id = 1
    accept_opening(world.node, **work.opening(0))
    batch = world.node.store.batch(1)
    assert batch is not None
    assert perform_audit(world.node, world.replayers[0], 1, 0)
    assert decide_batch(world.node, batch)[0] is None
    world.clock.now += 1_000
    found = decide_batch(world.node, batch)[0]
    assert found is not None and (found.outcome, found.amount) == (Outcome.NOT_OPENED, 0)


def test_terms__changed_after_the_commitment__the_batch_keeps_its_own(world: World) -> None:
    world.commit(world.open_job(), block=59)
    world.chain.older_terms = {1: world.chain.terms}
    world.chain.terms = replace(world.chain.terms, draw_delay=99, maturity_window=5, evidence_window=5)
    batch = world.node.store.batch(1)
    assert batch is not None and due_block(world.node, batch) == 61
    world.chain.number += 300
    assert do_chores(turn_of(world, 0)) == 0


@pytest.mark.parametrize("reason", [SkipReason.OPENED_ON_CHAIN, SkipReason.PROVIDER_FROZEN])
def test_propose__an_old_settlement_was_sent_again__holds_up_nothing(world: World, reason: SkipReason) -> None:
    """Anybody can do that for as long as it takes until the default pays."""
    world.link()
    passed(world)
    world.apply(BatchSkipped(1, reason))
    assert len(propose(turn_of(world, 0))) == 1


def test_propose__skipped_at_the_slash_ceiling__waits_before_it_tries_again(world: World) -> None:
    world.link()
    passed(world)
    world.apply(BatchSkipped(1, SkipReason.SLASH_CEILING))
    assert propose(turn_of(world, 0)) == []
    world.chain.number += world.node.rules.skip_wait
    assert len(propose(turn_of(world, 0))) == 1
