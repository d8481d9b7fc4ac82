"""What an oracle decides about a batch from what it knows, what it signs, and that it signs one outcome only."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oracle.flow.decisions import decide_batch, sign_list, sign_once
from oracle.flow.findings import perform_audit
from oracle.flow.intake import accept_opening
from oracle.flow.node import Node
from protocol.errors import Reason, Refused, Unavailable
from protocol.messages import settlement_digest
from protocol.signing import recover
from protocol.types import AuditStatistics, Decision, Outcome, VerdictKind
from protocol.units import Wei
from tests.oracle.moves import passed, post_all, post_record
from tests.oracle.world import DOMAIN, World, take_post


def decision_of(node: Node, batch_id: int = 1) -> Decision | None:
    batch = node.store.batch(batch_id)
    assert batch is not None
    return decide_batch(node, batch)[0]


def ask(world: World, node: Node, *decisions: Decision, by: int = 0) -> tuple[bytes | None, dict[int, str]]:
    return sign_list(node, 1, decisions, world.signers[by].sign(settlement_digest(DOMAIN, 1, decisions)))


def test_decide__no_report__nothing(world: World) -> None:
    work = world.open_job()
    world.commit(work)
    world.draw([work])
    assert decision_of(world.node) is None


def test_decide__not_drawn_yet__nothing(world: World) -> None:
    world.commit(world.open_job())
    assert decision_of(world.node) is None


def test_decide__opening_overdue__not_opened_for_nothing(world: World) -> None:
    """R33: f turns and the open window after the draw."""
    world.ready()
    world.clock.now += 60 + 180 - 1  # one silent auditor's turn, and the window
    assert decision_of(world.node) is None
    world.clock.now += 1
    decision = decision_of(world.node)
    assert decision is not None and (decision.outcome, decision.amount) == (Outcome.NOT_OPENED, 0)


def test_decide__escalated_and_never_opened_here__not_opened_after_a_window_of_its_own(world: World) -> None:
    """R33: once escalated, `openWindow` after the escalation, and no turns any more."""
    work = world.ready()
    accept_opening(world.node, **work.opening(3))  # one for another auditor: this oracle can read nothing
    world.clock.now += 100
    post_record(world, work.entry.leaf, VerdictKind.FRAUD, 3)
    world.clock.now += 179
    assert decision_of(world.node) is None
    world.clock.now += 1
    decision = decision_of(world.node)
    assert decision is not None and (decision.outcome, decision.amount) == (Outcome.NOT_OPENED, 0)


def test_decide__named_auditor_silent__the_next_gets_the_whole_window(world: World) -> None:
    """R33: not before, by this oracle's own clock."""
    world.ready()
    world.clock.now += 180 + 1
    assert decision_of(world.node) is None


def test_decide__passed_by_an_oracle_whose_turn_it_is_not__nothing(world: World) -> None:
    """R32: a PASS counts when its oracle's turn has begun."""
    work = world.ready()
    accept_opening(world.nodes[2], **work.opening(2))
    perform_audit(world.nodes[2], world.replayers[2], 1, 0)
    post_all(world, world.nodes[2])
    assert decision_of(world.nodes[1]) is None
    world.clock.now += 3 * 60
    assert decision_of(world.nodes[1]) is None, "the named auditor was passed over: f + 1 have to pass it"
    for seat in (1, 2):
        post_record(world, work.entry.leaf, VerdictKind.PASS, 3, to=seat)
    assert decision_of(world.nodes[1]) is None, "the pass of seat 2 is shown only now"
    post_all(world, world.nodes[2])
    assert decision_of(world.nodes[1]) is not None


def test_decide__own_replay_found_fraud__fraud(world: World) -> None:
    """R33: FRAUD by its own replay."""
    work = world.ready()
    world.replayers[0].finding = AuditStatistics(9.0, 0.0, 0.0, 3)
    accept_opening(world.node, **work.opening(0))
    perform_audit(world.node, world.replayers[0], 1, 0)
    decision = decision_of(world.node)
    assert decision is not None and decision.outcome is Outcome.FRAUD


def test_decide__a_peer_found_fraud__nobody_signs_it_without_a_replay(world: World) -> None:
    """R33: FRAUD by nobody else's replay."""
    work = world.ready()
    world.replayers[0].finding = AuditStatistics(9.0, 0.0, 0.0, 3)
    accept_opening(world.node, **work.opening(0))
    perform_audit(world.node, world.replayers[0], 1, 0)
    for delivery in world.node.store.due_deliveries(world.clock(), 99):
        take_post(next(n for n in world.nodes if n.address == delivery.peer), delivery.body)
    assert [decision_of(node) for node in world.nodes[1:]] == [None, None, None]


def test_decide__auditor_passed__pass_over_the_sum(world: World) -> None:
    work = passed(world)
    for node in world.nodes:
        decision = decision_of(node)
        assert decision is not None and (decision.outcome, decision.amount) == (Outcome.PASS, work.entry.amount)


def test_sign__list_not_of_a_member__is_refused(world: World) -> None:
    passed(world)
    decision = decision_of(world.node)
    assert decision is not None
    with pytest.raises(Refused) as refused:
        sign_list(world.node, 1, [decision], world.owner.sign(settlement_digest(DOMAIN, 1, [decision])))
    assert refused.value.reason is Reason.NOT_MEMBER


@pytest.mark.parametrize("change", [{"outcome": Outcome.FRAUD}, {"amount": Wei(1)}, {"batch_id": 7}, {"auditors": 2},
                                    {"auditors": 0},
                                    {"entries_hash": b"\0" * 32}])  # fmt: skip
def test_sign__differs_from_its_own_decision__names_the_batch(world: World, change: dict[str, object]) -> None:
    passed(world)
    decision = decision_of(world.node)
    assert decision is not None
    other = replace(decision, **change)
    signature, refused = ask(world, world.nodes[1], other)
    assert signature is None and list(refused) == [other.batch_id]


def test_sign__empty_or_repeated_list__is_refused(world: World) -> None:
    passed(world)
    decision = decision_of(world.node)
    assert decision is not None
    for decisions in ((), (decision, decision)):
        with pytest.raises(Refused):
            ask(world, world.nodes[1], *decisions)


def test_sign__equal_list__signs_it(world: World) -> None:
    passed(world)
    decision = decision_of(world.node)
    assert decision is not None
    signature, refused = ask(world, world.nodes[1], decision)
    assert refused == {} and signature is not None
    assert recover(settlement_digest(DOMAIN, 1, [decision]), signature) == world.signers[1].address


def test_sign__other_outcome_than_before__never(world: World) -> None:
    """R36: what it would decide now does not count: one outcome a batch and set, whatever it learned since."""
    passed(world)
    decision, node = decision_of(world.node), world.nodes[1]
    assert decision is not None
    earlier = Decision(1, decision.entries_hash, Outcome.NOT_OPENED, Wei(0), 1)
    assert sign_once(node, earlier, 1) == earlier
    signature, refused = ask(world, node, decision)
    assert signature is None and "NOT_OPENED" in refused[1]


def test_sign__outcome_that_could_not_be_kept__is_not_signed(world: World) -> None:
    """R36: the outcome is kept before the signature leaves."""
    passed(world)
    decision, node = decision_of(world.node), world.nodes[1]
    assert decision is not None

    def fail(*_: object) -> Decision:
        raise Unavailable("The database is away.")

    node.store.sign_once = fail  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        ask(world, node, decision)
