"""What a proposer proposes, and what it does with its peers' answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oracle.flow.findings import perform_audit
from oracle.flow.intake import accept_opening
from oracle.flow.node import Node
from oracle.flow.settlement import largest_common, propose
from oracle.records.work import PeerAnswer
from protocol.chain.records import ProviderRecord
from protocol.committee import proposer
from protocol.messages import head_digest
from protocol.signing import recover
from protocol.types import BatchState, Decision, Outcome
from protocol.units import Wei
from tests.oracle.moves import passed
from tests.oracle.world import World


def turn_of(world: World, seat: int) -> Node:
    while proposer(world.chain.number, 1, list(world.chain.seat_order)) != world.signers[seat].address:
        world.chain.number += 1
    return world.nodes[seat]


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
    set_version, decisions, heads, entries, signatures = call.arguments
    assert (call.what, set_version) == ("settle", 1)
    assert ([d.batch_id for d in decisions], [len(e) for e in entries]) == ([1, 2], [1, 1])
    digests = [bytes(world.chain.batch(n).digest) for n in (1, 2)]
    assert [head_digest(n, head) for n, head in zip((1, 2), heads, strict=True)] == digests
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
    world.chain.records[world.owner.address] = ProviderRecord(Wei(0), 0, 0, 7, 0)
    assert propose(turn_of(world, 0)) == []


def test_propose__provider_frozen_and_not_opened__is_frozen_as_well(world: World) -> None:
    """R48: a freeze shields no other batch."""
    world.link()
    world.ready()
    world.clock.now += 3 * 60 + 180
    world.chain.records[world.owner.address] = ProviderRecord(Wei(0), 0, 0, 7, 0)
    node = turn_of(world, 0)
    assert len(propose(node)) == 1
    (call,) = node.sender.calls.values()  # type: ignore[attr-defined]
    _, decisions, _, entries, _ = call.arguments
    assert ([d.outcome for d in decisions], entries) == ([Outcome.NOT_OPENED], [[]])


def test_propose__peer_signs_another_list__its_signature_does_not_count(world: World) -> None:
    world.link(3)
    passed(world)
    node = turn_of(world, 0)
    node.peers.signs[world.signers[2].address] = lambda body: PeerAnswer(b"\1" * 65)  # type: ignore[attr-defined]
    assert propose(node) == []


def test_largest_common__two_of_three_agree__keeps_what_they_share() -> None:
    decisions = [Decision(i, b"\0" * 32, Outcome.PASS, Wei(1), 0) for i in (1, 2, 3)]  # type: ignore[arg-type]
    refusals = {"a": {1: "no"}, "b": {1: "no", 2: "no"}, "c": {1: "no"}}
    answers = {peer: PeerAnswer(None, refused) for peer, refused in refusals.items()}
    found = largest_common(decisions, answers, 2)  # type: ignore[arg-type]
    assert [d.batch_id for d in found] == [2, 3]
