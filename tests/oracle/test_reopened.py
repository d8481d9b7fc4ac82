"""NOT_OPENED freezes; openings posted on-chain give a batch back, once, and after that PASS or FRAUD is said."""

from __future__ import annotations

import pytest

from oracle.flow.decisions import decide_batch, sign_once
from oracle.flow.findings import perform_audit, want_audits
from oracle.flow.node import Node
from oracle.flow.turns import wanted_openings
from oracle.flow.views import show_job
from oracle.records.work import OpeningRow
from protocol.types import AuditStatistics, BatchState, Decision, Outcome, VerdictKind
from protocol.units import Wei
from tests.oracle.moves import post_all, post_record
from tests.oracle.world import NOW, Work, World

TURN, WINDOW = 60, 180
LAST = 3 * TURN + WINDOW
"""Seconds after which the last seat, whose turn begins last, calls an opening overdue."""


def outcome_of(node: Node) -> Outcome | None:
    batch = node.store.batch(1)
    assert batch is not None
    decision = decide_batch(node, batch)[0]
    return decision.outcome if decision else None


def frozen(world: World) -> Work:
    """A batch that was frozen because nothing was opened in time."""
    work = world.ready()
    world.clock.now += LAST
    assert [outcome_of(node) for node in world.nodes] == [Outcome.NOT_OPENED] * 4
    world.freeze(1, int(world.clock()) + 60, Outcome.NOT_OPENED)
    return work


def test_freeze__for_not_opened__is_kept_as_such_and_still_asks(world: World) -> None:
    """R45: the last chance begins, and whoever has to audit still wants its opening."""
    frozen(world)
    batch = world.node.store.batch(1)
    assert batch is not None
    assert (batch.state, batch.outcome, batch.opened_at) == (BatchState.FROZEN, Outcome.NOT_OPENED, None)
    assert [row.index for row in wanted_openings(world.node, world.owner.address)] == [0]
    assert outcome_of(world.node) is None


def test_freeze__for_fraud__asks_for_nothing_any_more(world: World) -> None:
    world.ready()
    world.freeze(1, NOW + 60)
    assert wanted_openings(world.node, world.owner.address) == []


def test_posted__for_its_auditor__is_audited_and_passes(world: World) -> None:
    """R45: what the chain shows is audited like any opening."""
    work = frozen(world)
    world.reopen(1, *[work.posted(seat) for seat in range(4)])
    assert want_audits(world.node) == 1
    assert perform_audit(world.node, world.replayers[0], 1, 0) is VerdictKind.PASS
    post_all(world, world.node)
    assert [outcome_of(node) for node in world.nodes] == [Outcome.PASS] * 4


def test_posted__computed_by_another_model__is_fraud(world: World) -> None:
    work = frozen(world)
    world.reopen(1, work.posted(0))
    world.replayers[0].finding = AuditStatistics(9.0, 0.0, 0.0, 3)
    assert perform_audit(world.node, world.replayers[0], 1, 0) is VerdictKind.FRAUD
    assert outcome_of(world.node) is Outcome.FRAUD


@pytest.mark.parametrize("rubbish", [b"", b"x" * 22, b"\0\7" + b"a" * 60, b"\0\0" + b"a" * 60])
def test_posted__no_opening_for_anybody__fraud_after_a_window_and_never_not_opened(
    world: World, rubbish: bytes
) -> None:
    """R46: after the last chance what is still missing is the provider's failure."""
    frozen(world)
    world.reopen(1, rubbish)
    world.clock.now += TURN + WINDOW - 1
    assert [outcome_of(node) for node in world.nodes] == [None] * 4
    world.clock.now += 2 * TURN + 1
    assert [outcome_of(node) for node in world.nodes] == [Outcome.FRAUD] * 4


def test_posted__unreadable__malformed_then_fraud(world: World) -> None:
    """R46: so is what its auditor cannot read."""
    work = frozen(world)
    world.reopen(1, work.posted(0, b"no transcript"))
    assert perform_audit(world.node, world.replayers[0], 1, 0) is VerdictKind.MALFORMED
    world.clock.now += WINDOW - 1
    assert outcome_of(world.node) is None
    world.clock.now += 1
    assert outcome_of(world.node) is Outcome.FRAUD


def test_posted__turns_begin_again__the_next_auditor_has_its_time(world: World) -> None:
    """R32: the named auditor first, once more."""
    work = frozen(world)
    world.reopen(1, *[work.posted(seat) for seat in range(4)])
    assert [want_audits(node) for node in world.nodes] == [1, 0, 0, 0]
    world.clock.now += TURN
    assert [want_audits(node) for node in world.nodes[1:]] == [1, 0, 0]


def test_posted__after_a_spoiled_opening__takes_its_place(world: World) -> None:
    work = world.ready()
    world.node.store.put_opening(_row(world, work, b"rubbish"), b"")
    assert perform_audit(world.node, world.replayers[0], 1, 0) is VerdictKind.MALFORMED
    world.freeze(1, NOW + 60, Outcome.NOT_OPENED)
    world.reopen(1, work.posted(0))
    assert perform_audit(world.node, world.replayers[0], 1, 0) is VerdictKind.PASS


def test_posted__block_applied_twice__counts_once(world: World) -> None:
    work = frozen(world)
    for _ in range(2):
        world.reopen(1, work.posted(0), work.posted(1))
    batch = world.node.store.batch(1)
    assert batch is not None and len(world.node.store.openings(1)) == 2
    assert (batch.state, batch.outcome, batch.frozen_until, batch.opened_at) == (
        BatchState.PENDING, Outcome.NONE, None, int(world.clock()))


def test_sign__not_opened_before__decides_anew_once(world: World) -> None:
    """R36: one more outcome, because openings were posted on-chain; the committee knows that case."""
    frozen(world)
    node, before = world.node, decision(world, Outcome.NOT_OPENED)
    assert sign_once(node, before, 1) == before
    world.reopen(1, b"x")
    later, other = decision(world, Outcome.FRAUD), decision(world, Outcome.PASS)
    assert sign_once(node, later, 1) == later
    assert sign_once(node, other, 1) == later


@pytest.mark.parametrize("first", [Outcome.PASS, Outcome.FRAUD])
def test_sign__passed_or_convicted_before__never_says_otherwise(world: World, first: Outcome) -> None:
    """R36: PASS and FRAUD of one oracle would prove that it contradicted itself, openings or not."""
    world.ready()
    signed = decision(world, first)
    assert sign_once(world.node, signed, 1) == signed
    world.freeze(1, NOW + 60, Outcome.NOT_OPENED)
    world.reopen(1, b"x")
    assert sign_once(world.node, decision(world, Outcome.FRAUD), 1) == signed
    assert sign_once(world.node, decision(world, Outcome.PASS), 1) == signed


def test_verdict__convicted_for_what_was_not_opened__is_shown_with_its_check(world: World) -> None:
    work = frozen(world)
    world.reopen(1, b"x")
    world.freeze(1, NOW + 900)
    verdict = show_job(world.node, work.job_id)["verdict"]
    assert (verdict["kind"], verdict["checks"]) == ("FRAUD", ["not_opened"])
    post_record(world, work.entry.leaf, VerdictKind.PASS, 1)
    assert show_job(world.node, work.job_id)["verdict"]["kind"] == "PASS"


def decision(world: World, outcome: Outcome) -> Decision:
    batch = world.node.store.batch(1)
    assert batch is not None
    return Decision(1, batch.entries_hash, outcome, Wei(0), 1)


def _row(world: World, work: Work, plaintext: bytes) -> OpeningRow:
    opening = work.opening(0, plaintext)
    return OpeningRow(1, 0, opening["auditor"], opening["sealed"], "provider", world.clock())
