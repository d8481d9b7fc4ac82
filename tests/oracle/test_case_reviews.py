"""What a case makes an oracle ask for and replay: undrawn work of batches that are over, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oracle.flow.court import decide_case, is_contested
from oracle.flow.intake import accept_opening
from oracle.flow.reviews import perform_review, want_reviews
from oracle.flow.sampling import draw_batches
from oracle.flow.views import list_wanted
from oracle.records.work import RecordRow
from protocol.encoding import keccak
from protocol.errors import ChainUnreachable, Refused
from protocol.signing import Signer
from protocol.types import (
    CANARY_ONLY,
    AuditRecord,
    CaseKind,
    Ruling,
    VerdictKind,
)
from tests.oracle.court import CHEATED, WINDOW, disputed, later, open_case, review, rule
from tests.oracle.world import Work, World


def wanted(world: World, seat: int = 0) -> list[tuple[int, int]]:
    return [(row["batch_id"], row["index"]) for row in list_wanted(world.nodes[seat], world.owner.address)]


def test_opening__of_a_batch_that_is_over__is_refused_without_a_case(world: World) -> None:
    work = world.open_job()
    world.commit(work)
    world.draw([work])
    world.mature(1)
    with pytest.raises(Refused, match="MATURED already"):
        accept_opening(world.node, **work.opening(0))


def test_opening__of_a_closed_case__is_refused(world: World) -> None:
    work = disputed(world)
    rule(world, Ruling.REJECTED)
    with pytest.raises(Refused, match="MATURED already"):
        accept_opening(world.node, **work.opening(0))
    assert wanted(world) == []


def test_opening__of_a_case_by_a_stranger__is_refused(world: World) -> None:
    work = disputed(world)
    with pytest.raises(Refused, match="no node key"):
        accept_opening(world.node, **work.opening(0, signer=Signer(keccak(b"stranger"))))


def test_opening__for_somebody_who_is_no_judge__is_refused(world: World) -> None:
    work = disputed(world)
    body = work.opening(0) | {"auditor": world.requester.address}
    with pytest.raises(Refused, match="MATURED already"):
        accept_opening(world.node, **body)


def test_opening__by_the_present_key_after_a_rotation__is_taken(world: World) -> None:
    """R125: the key of the job's time may be gone when it is disputed."""
    work, fresh = disputed(world), Signer(keccak(b"fresh"))
    owner = world.owner.address
    world.chain.stakes[owner] = replace(world.chain.stakes[owner], node_key=fresh.address)
    accept_opening(world.node, **work.opening(0, signer=fresh))
    assert wanted(world) == []


def test_wanted__undrawn_entry_of_a_matured_batch__every_judge_asks_for_it(world: World) -> None:
    """R125: a disputed answer is opened to every oracle, drawn or not."""
    disputed(world)
    assert [wanted(world, seat) for seat in range(4)] == [[(1, 0)]] * 4


@pytest.mark.parametrize("audit", [CANARY_ONLY])
def test_wanted__order_that_kept_its_transcript_back__is_opened_by_its_dispute(world: World, audit: str) -> None:
    """R125: its requester asks for the ruling, so it agrees."""
    work = disputed(world, audit=audit)
    assert wanted(world) == [(1, 0)]
    review(world, work, 0)
    assert decide_case(world.node, world.node.store.cases()[0])[0] is Ruling.REJECTED


def test_wanted__batch_that_ended_undrawn__is_drawn_for_the_case(world: World, short_reveals: None) -> None:
    work = world.open_job()
    world.commit(work)
    world.mature(1)
    open_case(world, work)
    assert wanted(world) == []
    later(world, 1_000)
    case = world.chain.court_cases[1]
    world.clock.now = case.deadline - 10
    world.chain.number = int(world.clock()) - world.chain.start
    draw_batches(world.node, world.chain.number)
    assert wanted(world) == [(1, 0)]


def test_review__no_opening_here__does_nothing(world: World) -> None:
    disputed(world)
    assert want_reviews(world.node) == 0
    assert perform_review(world.node, world.replayers[0], 1, 0) is None
    assert world.node.queue.reviews == []  # type: ignore[attr-defined]


def test_review__honest_answer__passes_and_is_asked_for_no_more(world: World) -> None:
    """R125: each oracle replays the answer itself; nothing of it becomes an audit's record."""
    work = disputed(world)
    review(world, work, 0)
    (found,) = world.node.store.reviews(1)
    assert (found.verdict, found.beyond) == (VerdictKind.PASS, False)
    assert world.node.queue.reviews == [(1, 0)]  # type: ignore[attr-defined]
    assert wanted(world) == [] and world.node.store.records(1) == [] and want_reviews(world.node) == 0
    assert perform_review(world.node, world.replayers[0], 1, 0) is None


def test_review__tokens_of_another_model__is_fraud(world: World) -> None:
    world.replayers[0].finding = CHEATED
    work = disputed(world)
    review(world, work, 0)
    assert decide_case(world.node, world.node.store.cases()[0])[0] is Ruling.CONVICTED


def test_review__another_answer_was_delivered__is_fraud(world: World) -> None:
    work = disputed(world, delivered={"text": "another text"})
    review(world, work, 0)
    assert decide_case(world.node, world.node.store.cases()[0])[0] is Ruling.CONVICTED


def test_review__opening_of_another_leaf__counts_as_none_and_is_asked_for_again(world: World) -> None:
    """R125: what cannot be tied to the leaf convicts nobody; until half of the window another may come."""
    work = disputed(world, salt=keccak(b"another salt"))
    review(world, work, 0)
    case = world.node.store.cases()[0]
    assert wanted(world) == [(1, 0)] and decide_case(world.node, case)[0] is None
    later(world, WINDOW / 2)
    assert decide_case(world.node, case)[0] is Ruling.UPHELD


def test_review__own_failure__is_tried_again_and_then_signs_nothing(world: World) -> None:
    work = disputed(world)
    want_reviews(world.node)
    accept_opening(world.node, **work.opening(0))
    world.replayers[0].finding = RuntimeError("no memory")
    for _ in range(2):
        want_reviews(world.node)
        with pytest.raises(RuntimeError):
            perform_review(world.node, world.replayers[0], 1, 0)
    assert perform_review(world.node, world.replayers[0], 1, 0) is VerdictKind.UNKNOWN
    later(world, WINDOW - 1)
    assert decide_case(world.node, world.node.store.cases()[0])[0] is None


def test_review__chain_does_not_answer__costs_no_attempt(world: World) -> None:
    work = disputed(world)
    want_reviews(world.node)
    accept_opening(world.node, **work.opening(0))
    want_reviews(world.node)
    honest, world.replayers[0].finding = world.replayers[0].finding, ChainUnreachable("gone")
    for _ in range(5):
        with pytest.raises(ChainUnreachable):
            perform_review(world.node, world.replayers[0], 1, 0)
    world.replayers[0].finding = honest
    assert perform_review(world.node, world.replayers[0], 1, 0) is VerdictKind.PASS


def test_review__openings_of_an_open_case__outlive_their_batch(world: World) -> None:
    work = disputed(world)
    accept_opening(world.node, **work.opening(0))
    assert world.node.store.drop_openings(world.clock() + 1) == 0
    rule(world, Ruling.REJECTED)
    assert world.node.store.drop_openings(world.clock() + 1) == 1


def frozen(world: World, *verdicts: VerdictKind) -> Work:
    """A frozen batch of one job, about which the oracles of the first seats recorded these; it is appealed."""
    work = world.ready()
    for seat, kind in enumerate(verdicts):
        record = AuditRecord(1, 0, work.entry.leaf, kind, keccak(bytes([seat])))
        row = RecordRow(record, world.signers[seat].address, {}, b"", world.clock())
        for node in world.nodes:
            node.store.put_record(row, kind is VerdictKind.FRAUD)
    world.freeze(1, int(world.clock()) + WINDOW)
    open_case(world, work, CaseKind.APPEAL)
    return work


def test_appeal__no_finding_that_could_be_replayed__signs_nothing(world: World) -> None:
    frozen(world)
    assert wanted(world) == []
    assert decide_case(world.node, world.node.store.cases()[0])[0] is None


@pytest.mark.parametrize(("cheated", "expected"), [(True, Ruling.REJECTED), (False, Ruling.UPHELD)])
def test_appeal__what_convicted_is_replayed_anew(world: World, cheated: bool, expected: Ruling) -> None:
    """R125: the record of a peer is no evidence; the own replay of its leaf is."""
    work = frozen(world, VerdictKind.PASS, VerdictKind.FRAUD)
    assert is_contested(world.node, 1, 0, world.node.address) and wanted(world) == [(1, 0)]
    if cheated:
        world.replayers[0].finding = CHEATED
    review(world, work, 0)
    assert decide_case(world.node, world.node.store.cases()[0])[0] is expected
