"""A planted fault: an own canary whose answer is spoiled on purpose shows who audits and who makes numbers up."""

from __future__ import annotations

from typing import Any

from oracle.edges.fake_model import FakeReplayer
from oracle.flow.auditors import note_missed, show_auditors
from oracle.flow.batch_view import view_batch
from oracle.flow.canary_audits import tell_canaries
from oracle.flow.decisions import decide_batch
from oracle.flow.findings import perform_audit
from oracle.flow.intake import accept_opening
from oracle.records.scores import Measured
from protocol.claim import Asked, Claim
from protocol.types import AuditStatistics, Outcome, VerdictKind
from scripts.lazy_oracle import guess
from tests.oracle.moves import post_all
from tests.oracle.test_canary_audits import answered, committed, own
from tests.oracle.world import MODEL, PROFILE, Work, World

LAZY, OWNER = 1, 0
SPOILED = AuditStatistics(2.4, 0.0, 0.9, 3)
HONEST = AuditStatistics(0.01, 0.0, 0.002, 3)


class FakeLazyReplayer(FakeReplayer):
    def measure(self, model: bytes, asked: Asked, claim: Claim) -> Measured:
        return guess(claim)


def faults(world: World, seat: int) -> dict[str, dict[str, int]]:
    return {row["oracle"]: {kind: row[kind] for kind in ("missed", "off_spread", "copied")}
            for row in show_auditors(world.nodes[seat])}


def act(world: World, work: Work, finding: AuditStatistics) -> None:
    """The named auditor, in seat 1, is lazy; everybody who asks gets the opening and audits as it is."""
    for seat, replayer in enumerate(world.replayers):
        replayer.finding = finding
        if seat == LAZY:
            world.replayers[seat] = FakeLazyReplayer(MODEL, PROFILE)
    accept_opening(world.nodes[LAZY], **work.opening(LAZY))
    assert perform_audit(world.nodes[LAZY], world.replayers[LAZY], 1, 0) is VerdictKind.PASS
    post_all(world, world.nodes[LAZY])


def outcomes(world: World) -> list[Any]:
    found = []
    for node in world.nodes:
        batch = node.store.batch(1)
        assert batch is not None
        decision = decide_batch(node, batch)[0]
        found.append(decision.outcome if decision else None)
    return found


def test_lazy_oracle__no_planted_fault__passes_a_spoiled_answer_and_nobody_notices(world: World) -> None:
    """R107: the control: an honest majority signs what the named auditor made up, and nothing is counted."""
    work = committed(world, drawn=True)
    act(world, work, SPOILED)
    assert outcomes(world) == [Outcome.PASS] * 4
    world.clock.now += 200
    for seat in (0, 2, 3):
        batch = world.nodes[seat].store.batch(1)
        assert batch is not None
        note_missed(world.nodes[seat], view_batch(world.nodes[seat], batch))
        assert faults(world, seat) == {}


def test_lazy_oracle__planted_fault__is_caught_by_its_statistics_and_the_honest_are_not(world: World) -> None:
    """R107: the owner of the canary knows what is in it; all recompute, and only the made-up numbers lie outside."""
    work = committed(world, drawn=True)
    number = own(world, work, OWNER)
    act(world, work, SPOILED)
    assert answered(world, work, number, SPOILED, OWNER) is VerdictKind.FRAUD
    assert tell_canaries(world.nodes[OWNER]) == 1
    post_all(world, world.nodes[OWNER])
    for seat in (0, 2, 3):
        accept_opening(world.nodes[seat], **work.opening(seat))
        assert perform_audit(world.nodes[seat], world.replayers[seat], 1, 0) is VerdictKind.FRAUD
    for seat in (0, 2, 3):
        post_all(world, world.nodes[seat])
    for seat in (0, 2, 3):
        assert faults(world, seat) == {
            world.signers[LAZY].address: {"missed": 0, "off_spread": 1, "copied": 0}}, f"as seat {seat} counts"
    assert [outcomes(world)[seat] for seat in (0, 2, 3)] == [Outcome.FRAUD] * 3, "three of four: a quorum convicts"


def test_lazy_oracle__canary_with_an_honest_answer__nobody_is_counted(world: World) -> None:
    """R107: nobody is caught by an answer that is as it should be: the fault has to be planted."""
    work = committed(world, drawn=True)
    number = own(world, work, OWNER)
    act(world, work, HONEST)
    assert answered(world, work, number, HONEST, OWNER) is VerdictKind.PASS
    assert tell_canaries(world.nodes[OWNER]) == 0
    assert outcomes(world) == [Outcome.PASS] * 4
    assert [faults(world, seat) for seat in range(4)] == [{}] * 4
