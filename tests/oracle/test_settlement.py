"""What an oracle signs, that it signs one outcome only, and what a proposer does with the answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oracle.flow.decisions import decide_batch, sign_list
from oracle.flow.findings import perform_audit
from oracle.flow.intake import accept_opening
from oracle.flow.node import Node
from oracle.flow.settlement import largest_common, propose
from oracle.records import PeerAnswer
from protocol.chain.records import ProviderRecord
from protocol.committee import proposer
from protocol.errors import Reason, Refused
from protocol.messages import settlement_digest
from protocol.signing import recover
from protocol.types import AuditStatistics, BatchState, Decision, Outcome
from protocol.units import Wei
from tests.oracle.world import DOMAIN, Work, World, take_post


def decision_of(node: Node, batch_id: int = 1) -> Decision | None:
    batch = node.store.batch(batch_id)
    assert batch is not None
    return decide_batch(node, batch)[0]


def passed(world: World, nonce: int = 1, batch_id: int = 1) -> Work:
    """A batch that the auditor of seat 0 passed and everyone knows of it."""
    work = world.ready(nonce, batch_id)
    accept_opening(world.node, **work.opening(0))
    perform_audit(world.node, world.replayers[0], batch_id, 0)
    for delivery in world.node.store.due_deliveries(world.clock(), 99):
        take_post(next(n for n in world.nodes if n.address == delivery.peer), delivery.body)
        world.node.store.delivered(delivery.number, world.clock())
    return work


def ask(world: World, node: Node, *decisions: Decision, by: int = 0) -> tuple[bytes | None, dict[int, str]]:
    return sign_list(node, 1, decisions, world.signers[by].sign(settlement_digest(DOMAIN, 1, decisions)))


def turn_of(world: World, seat: int) -> Node:
    while proposer(world.chain.number, 1, list(world.chain.seats)) != world.signers[seat].address:
        world.chain.number += 1
    return world.nodes[seat]


def test_decide__no_report__nothing(world: World) -> None:
    work = world.open_job()
    world.commit(work)
    world.draw([work])
    assert decision_of(world.node) is None


def test_decide__not_drawn_yet__nothing(world: World) -> None:
    world.commit(world.open_job())
    assert decision_of(world.node) is None


def test_decide__opening_overdue__not_opened_for_nothing(world: World) -> None:
    world.ready()
    world.clock.now += 60 + 180 + 1  # one silent auditor's turn, and the window
    decision = decision_of(world.node)
    assert decision is not None and (decision.outcome, decision.amount) == (Outcome.NOT_OPENED, 0)


def test_decide__named_auditor_silent__the_next_gets_the_whole_window(world: World) -> None:
    world.ready()
    world.clock.now += 180 + 1
    assert decision_of(world.node) is None


def test_decide__passed_by_an_oracle_whose_turn_it_is_not__nothing(world: World) -> None:
    work = world.ready()
    accept_opening(world.nodes[2], **work.opening(2))
    perform_audit(world.nodes[2], world.replayers[2], 1, 0)
    for delivery in world.nodes[2].store.due_deliveries(world.clock(), 99):
        take_post(next(n for n in world.nodes if n.address == delivery.peer), delivery.body)
    assert decision_of(world.nodes[1]) is None
    world.clock.now += 2 * 60
    assert decision_of(world.nodes[1]) is not None


def test_decide__own_replay_found_fraud__fraud(world: World) -> None:
    work = world.ready()
    world.replayers[0].finding = AuditStatistics(9.0, 0.0, 0.0, 3)
    accept_opening(world.node, **work.opening(0))
    perform_audit(world.node, world.replayers[0], 1, 0)
    decision = decision_of(world.node)
    assert decision is not None and decision.outcome is Outcome.FRAUD


def test_decide__a_peer_found_fraud__nobody_signs_it_without_a_replay(world: World) -> None:
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


@pytest.mark.parametrize("change", [{"outcome": Outcome.FRAUD}, {"amount": Wei(1)}, {"batch_id": 7},
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
    """What it would decide now does not count: one outcome a batch and set, whatever it learned since."""
    passed(world)
    decision, node = decision_of(world.node), world.nodes[1]
    assert decision is not None
    earlier = Decision(1, decision.entries_hash, Outcome.NOT_OPENED, Wei(0))
    assert node.store.sign_once(earlier, 1, world.clock()) == earlier
    signature, refused = ask(world, node, decision)
    assert signature is None and "NOT_OPENED" in refused[1]


def test_propose__not_its_turn__does_nothing(world: World) -> None:
    world.link()
    passed(world)
    turn_of(world, 1)
    assert propose(world.node) == []


@pytest.mark.parametrize("dead", [(), (3,)])
def test_propose__quorum_answers__settles_with_three_signatures(world: World, dead: tuple[int, ...]) -> None:
    world.link(*dead)
    passed(world, 1, 1)
    passed(world, 2, 2)
    node = turn_of(world, 0)
    (digest,) = propose(node)
    (call,) = node.sender.calls.values()  # type: ignore[attr-defined]
    set_version, decisions, entries, signatures = call.arguments
    assert (call.what, set_version) == ("settle", 1)
    assert ([d.batch_id for d in decisions], [len(e) for e in entries]) == ([1, 2], [1, 1])
    assert len({recover(digest, signature) for signature in signatures}) == 3


def test_propose__two_peers_dead__submits_nothing(world: World) -> None:
    world.link(2, 3)
    passed(world)
    assert propose(turn_of(world, 0)) == []


def test_propose__peers_do_not_know_one_batch__settles_the_other(world: World) -> None:
    world.link()
    passed(world, 1, 1)
    work = world.ready(2, 2)  # only the proposer has audited it
    accept_opening(world.node, **work.opening(0))
    perform_audit(world.node, world.replayers[0], 2, 0)
    node = turn_of(world, 0)
    assert len(propose(node)) == 1
    (call,) = node.sender.calls.values()  # type: ignore[attr-defined]
    assert [d.batch_id for d in call.arguments[1]] == [1]


def test_propose__again_and_by_another__one_list_is_on_its_way(world: World) -> None:
    world.link()
    passed(world)
    node = turn_of(world, 0)
    assert len(propose(node)) == 1
    assert propose(node) == []
    assert propose(turn_of(world, 1)) == []


def test_propose__signed_before_the_answer_was_lost__is_asked_again_later(world: World) -> None:
    world.link(2, 3)
    passed(world)
    assert propose(turn_of(world, 0)) == []
    world.link()
    world.clock.now += world.node.rules.settle_hold + 1
    assert len(propose(turn_of(world, 0))) == 1


def test_propose__settled_at_the_head__leaves_it(world: World) -> None:
    world.link()
    passed(world)
    world.chain.batches[1] = replace(world.chain.batches[1], state=BatchState.MATURED)
    assert propose(turn_of(world, 0)) == []


def test_propose__provider_frozen_at_the_head__leaves_it(world: World) -> None:
    world.link()
    passed(world)
    world.chain.records[world.owner.address] = ProviderRecord(Wei(0), 0, 0, 7)
    assert propose(turn_of(world, 0)) == []


def test_propose__peer_signs_another_list__its_signature_does_not_count(world: World) -> None:
    world.link(3)
    passed(world)
    node = turn_of(world, 0)
    node.peers.signs[world.signers[2].address] = lambda body: PeerAnswer(b"\1" * 65)  # type: ignore[attr-defined]
    assert propose(node) == []


def test_largest_common__two_of_three_agree__keeps_what_they_share() -> None:
    decisions = [Decision(i, b"\0" * 32, Outcome.PASS, Wei(1)) for i in (1, 2, 3)]  # type: ignore[arg-type]
    refusals = {"a": {1: "no"}, "b": {1: "no", 2: "no"}, "c": {1: "no"}}
    answers = {peer: PeerAnswer(None, refused) for peer, refused in refusals.items()}
    found = largest_common(decisions, answers, 2)  # type: ignore[arg-type]
    assert [d.batch_id for d in found] == [2, 3]
