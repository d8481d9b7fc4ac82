"""One oracle of four that lies, with a provider that cheats or against one that is honest: neither pays."""

from __future__ import annotations

from typing import Any

import pytest

from oracle.flow.decisions import decide_batch, sign_list
from oracle.flow.findings import perform_audit
from oracle.flow.intake import accept_opening
from oracle.flow.node import Node
from oracle.flow.settlement import propose
from oracle.flow.turns import wanted_openings
from oracle.records.work import PeerAnswer
from protocol.errors import Reason, Refused
from protocol.messages import settlement_digest
from protocol.types import Decision, Outcome, VerdictKind
from tests.oracle.moves import passed, post_record
from tests.oracle.test_settlement import turn_of
from tests.oracle.world import DOMAIN, Work, World

TURN, WINDOW = 60, 200


def decision(node: Node, batch_id: int = 1) -> Outcome | None:
    batch = node.store.batch(batch_id)
    assert batch is not None
    found = decide_batch(node, batch)[0]
    return found.outcome if found else None


def give(world: World, work: Work, auditor: int, *to: int, **opening: Any) -> None:
    for seat in to:
        accept_opening(world.nodes[seat], **work.opening(auditor, **opening))


def wants(world: World, seat: int) -> bool:
    return bool(wanted_openings(world.nodes[seat], world.owner.address))


def test_decide__answer_was_never_delivered__does_not_pass(world: World) -> None:
    """R28: a report alone pays nobody; the sealed answer must lie here."""
    work = world.open_job()
    world.commit(work)
    for node in world.nodes:
        node.store.keep_draw(1, b"\1" * 32, [], [0], world.clock())
        node.store.put_report(work.report(), world.clock())
    assert decision(world.node) is None
    world.node.store.put_blob(work.entry.answer_digest, work.answer, world.clock())
    assert decision(world.node) is Outcome.PASS


def test_pass__of_an_oracle_whose_turn_has_not_come__keeps_nobody_from_auditing(world: World) -> None:
    work = world.ready()
    for seat in (0, 1, 2):
        post_record(world, work.entry.leaf, VerdictKind.PASS, 3, to=seat)
    assert wants(world, 0)


def test_pass__provider_kept_its_opening_from_the_named_auditor__needs_one_honest_pass(world: World) -> None:
    """A provider must not be able to wait for the auditor that it likes."""
    work = world.ready()
    world.clock.now += TURN
    for seat in (0, 2, 3):
        post_record(world, work.entry.leaf, VerdictKind.PASS, 1, to=seat)
    assert decision(world.nodes[2]) is None
    world.clock.now += TURN
    for seat in (0, 3):
        post_record(world, work.entry.leaf, VerdictKind.PASS, 2, to=seat)
    assert decision(world.nodes[3]) is Outcome.PASS


def test_malformed__said_before_the_draw__waits_and_leaves_the_provider_its_window(world: World) -> None:
    work = world.open_job()
    world.commit(work)
    with pytest.raises(Refused) as refused:
        post_record(world, work.entry.leaf, VerdictKind.MALFORMED, 3)
    assert refused.value.reason is Reason.NOT_READY
    world.clock.now += 10 * WINDOW
    world.draw([work])
    assert decision(world.node) is None


def test_opening__given_to_all_but_its_auditor__is_overdue_everywhere_in_the_end(world: World) -> None:
    """Else nobody could say anything, and the default would pay."""
    work = world.ready()
    for _ in range(8):
        for seat in range(4):
            give(world, work, seat, *(other for other in range(4) if other != seat))
        world.clock.now += TURN
    assert [decision(node) for node in world.nodes] == [Outcome.NOT_OPENED] * 4


def test_opening__sent_again_and_again_unreadable__is_overdue_in_the_end(world: World) -> None:
    work = world.ready()
    post_record(world, work.entry.leaf, VerdictKind.MALFORMED, 3, to=1)
    for _ in range(8):
        give(world, work, 1, 1, plaintext=b"nothing")
        assert perform_audit(world.nodes[1], world.replayers[1], 1, 0) is VerdictKind.MALFORMED
        world.clock.now += TURN
    give(world, work, 1, 1, plaintext=b"nothing")
    assert decision(world.nodes[1]) is Outcome.NOT_OPENED


def test_sign_list__asked_again_and_again__leaves_the_batch_to_others(world: World) -> None:
    """A member that collects signatures and submits nothing must not hold everything up."""
    world.link()
    passed(world)
    batch = world.node.store.batch(1)
    assert batch is not None
    wanted = decide_batch(world.node, batch)[0]
    assert isinstance(wanted, Decision)
    signature = world.signers[3].sign(settlement_digest(DOMAIN, 1, [wanted]))
    for _ in range(3):
        for node in world.nodes[:3]:
            assert sign_list(node, 1, [wanted], signature)[0]
        world.clock.now += world.node.rules.settle_hold - 1
    assert len(propose(turn_of(world, 0))) == 1


@pytest.mark.parametrize("lie", [PeerAnswer(b"\1" * 65), PeerAnswer(None, {99: "no"}), PeerAnswer(None, {1: "no"})])
def test_propose__liar_beside_a_peer_that_lacks_one_batch__settles_the_rest(world: World, lie: PeerAnswer) -> None:
    world.link()
    for number in (1, 2, 3):
        passed(world, number, number)
    odd = passed(world, 4, 4)
    node = turn_of(world, 0)
    peers: Any = node.peers
    peers.signs[world.signers[3].address] = lambda body: lie
    answer = peers.signs[world.signers[2].address]

    def lacks_one(body: dict[str, Any]) -> PeerAnswer:
        lacking = any(d["batch_id"] == odd.batch_id for d in body["decisions"])
        return PeerAnswer(None, {odd.batch_id: "no report"}) if lacking else answer(body)

    peers.signs[world.signers[2].address] = lacks_one
    assert len(propose(node)) == 1
    (call,) = node.sender.calls.values()  # type: ignore[attr-defined]
    assert [d.batch_id for d in call.arguments[1]] == [1, 2, 3]
