"""Leaves beyond their profile that are not exact: they go to all, wait, and convict only together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oracle.flow.batch_view import view_batch
from oracle.flow.decisions import decide_batch
from oracle.flow.findings import perform_audit, want_audits
from oracle.flow.intake import accept_opening
from oracle.flow.scoring import read_scores
from oracle.flow.turns import owes_audit
from oracle.records.scores import LeafScore
from oracle.records.work import BatchRow
from protocol.score import BOUND, CLEAN, PAYER_CAP
from protocol.types import AuditStatistics, Outcome, VerdictKind
from protocol.units import Address, Digest
from tests.oracle.moves import passed, post_record
from tests.oracle.world import MODEL, PROFILE, Work, World, take_post

BEYOND = AuditStatistics(0.7, 0.0, 0.1, 3)
UNKNOWN = VerdictKind.UNKNOWN


def suspicious(world: World, seat: int = 0) -> Work:
    """A batch whose only leaf the oracle of a seat found beyond its profile."""
    work = world.ready()
    find(world, work, seat)
    return work


def find(world: World, work: Work, seat: int, finding: AuditStatistics = BEYOND) -> VerdictKind | None:
    node, replayer = world.nodes[seat], world.replayers[seat]
    replayer.finding = finding
    accept_opening(node, **work.opening(seat))
    return perform_audit(node, replayer, 1, 0)


def seen(world: World, payers: int, log_e: float = 12.0, *, provider: str = "", at: float = 0.0, seat: int = 0,
         first: int = 100) -> None:
    """That many other leaves, each of a payer of its own, that the oracle of a seat found before."""
    for i in range(payers):
        row = LeafScore(first + i, 0, Address(provider or world.owner.address), PROFILE, Address(f"0x{first + i:040x}"),
                        log_e, world.signers[seat].address, at or world.clock())
        world.nodes[seat].store.put_leaf_score(row, own=True)


def batch_of(world: World, seat: int = 0) -> BatchRow:
    batch = world.nodes[seat].store.batch(1)
    assert batch is not None
    return batch


def outcome(world: World, seat: int = 0) -> Outcome | None:
    decision = decide_batch(world.nodes[seat], batch_of(world, seat))[0]
    return decision.outcome if decision else None


def score(world: World, seat: int = 0) -> float:
    return read_scores(world.nodes[seat], PROFILE)[world.owner.address].value


def test_beyond__of_a_single_leaf__is_unknown_and_waits(world: World) -> None:
    """R78: neither passed nor convicted; without more it ends by the default."""
    suspicious(world)
    (row,) = world.node.store.records(1)
    assert (row.record.verdict, row.evidence["checks"][0]) == (UNKNOWN, "beyond_profile")
    assert 0 < score(world) <= PAYER_CAP and outcome(world) is None


def test_beyond__made_once__is_not_owed_again(world: World) -> None:
    suspicious(world)
    view = view_batch(world.node, batch_of(world))
    assert not owes_audit(world.node, view, view.entries[0])
    world.clock.now += 1000
    assert want_audits(world.node) == 0


def test_beyond__found_by_one__goes_to_all_with_the_opening(world: World) -> None:
    """R78: every oracle recomputes it, and believes its own numbers."""
    suspicious(world)
    sent = {d.peer: d for d in world.node.store.due_deliveries(world.clock(), 9)}
    assert {d.path for d in sent.values()} == {"/v1/peer/commitments"} and len(sent) == 3
    for seat, finding in ((1, BEYOND), (2, AuditStatistics(0.6, 0.0, 0.1, 3))):
        node = world.nodes[seat]
        take_post(node, sent[node.address].body)
        assert want_audits(node) == 1
        world.replayers[seat].finding = finding
        perform_audit(node, world.replayers[seat], 1, 0)
    assert outcome(world, 1) is None
    assert outcome(world, 2) is Outcome.PASS, "its own numbers are within the profile"
    assert outcome(world, 3) is None


def test_escalated_by_a_peer__passed_by_the_named_auditor__needs_an_own_pass(world: World) -> None:
    """R78."""
    work = passed(world)
    assert outcome(world, 2) is Outcome.PASS
    for seat in (1, 3):
        world.replayers[seat].finding = BEYOND
        find(world, work, seat)
    sent = [d for d in world.nodes[1].store.due_deliveries(world.clock(), 9) if d.peer == world.nodes[2].address]
    take_post(world.nodes[2], sent[0].body)
    assert outcome(world, 2) is None
    assert find(world, work, 2, AuditStatistics(0.0, 0.0, 0.0, 3)) is VerdictKind.PASS
    assert outcome(world, 2) is Outcome.PASS


def test_peer_says_beyond__without_own_numbers__convicts_nobody(world: World) -> None:
    work = world.ready()
    seen(world, 9)
    post_record(world, work.entry.leaf, UNKNOWN, 3)
    assert score(world) > BOUND and outcome(world) is None


def test_score__of_unrelated_payers_above_the_bound__convicts(world: World) -> None:
    """R79: by every pending batch in which this oracle itself found a leaf beyond the profile."""
    suspicious(world)
    seen(world, 2)
    assert outcome(world) is None, "three payers, but only a little of the third"
    seen(world, 4)
    assert score(world) > BOUND and outcome(world) is Outcome.FRAUD
    assert "score" in decide_batch(world.node, batch_of(world))[1]


def test_score__of_one_requester__never_convicts(world: World) -> None:
    """R79."""
    suspicious(world)
    for i in range(50):
        world.node.store.put_leaf_score(
            LeafScore(200 + i, 0, world.owner.address, PROFILE, world.requester.address, 12.0, world.node.address,
                      world.clock()), own=True)
    assert score(world) == pytest.approx(PAYER_CAP) and outcome(world) is None


@pytest.mark.parametrize("related", ["owner", "node_signer"])
def test_score__provider_that_pays_itself__thins_out_nothing(world: World, related: str) -> None:
    """R79: its own leaves count in neither direction."""
    suspicious(world)
    seen(world, 6)
    before = score(world)
    payer = getattr(world, related).address
    for i in range(500):
        world.node.store.put_leaf_score(
            LeafScore(300 + i, 0, world.owner.address, PROFILE, payer, CLEAN, world.node.address, world.clock()),
            own=True)
    assert score(world) == before > BOUND


def test_score__leaves_of_another_profile_or_provider__do_not_count(world: World) -> None:
    suspicious(world)
    seen(world, 9, provider="0x" + "77" * 20)
    for i in range(9):
        world.node.store.put_leaf_score(
            LeafScore(500 + i, 0, world.owner.address, Digest(b"\5" * 32), Address(f"0x{i:040x}"), 12.0,
                      world.node.address, world.clock()), own=True)
    assert outcome(world) is None


def test_score__leaf_matured_and_older_than_the_unstake_delay__is_forgotten(world: World) -> None:
    """R79: as long as it is not matured, or the stake that it would take could still leave, it counts."""
    delay = world.chain.unstake_delay()
    suspicious(world)
    before = score(world)
    world.clock.now += delay + 1
    assert score(world) == before, "its batch is pending"
    world.mature(1)
    assert read_scores(world.node, PROFILE) == {}
    world.clock.now -= 2
    assert score(world) == before, "younger than the delay"


def test_score__leaf_that_a_peer_passed__counts_as_clean_until_audited_here(world: World) -> None:
    """R79: else a score would see all leaves beyond the profile and only its own share of the clean ones."""
    work = world.ready()
    world.node.store.keep_spec(work.job_id, MODEL, PROFILE)
    post_record(world, work.entry.leaf, VerdictKind.PASS, 3)
    (row,) = world.node.store.leaf_scores(PROFILE, 0.0)
    assert (row.log_e, row.oracle) == (CLEAN, world.signers[3].address)
    find(world, work, 0)
    (row,) = world.node.store.leaf_scores(PROFILE, 0.0)
    assert row.log_e > 0 and row.oracle == world.node.address
    post_record(world, work.entry.leaf, VerdictKind.PASS, 2)
    assert world.node.store.leaf_scores(PROFILE, 0.0) == [row]


def test_exact_evidence__convicts_without_a_score_and_enters_none(world: World) -> None:
    work = world.ready()
    assert find(world, work, 0, AuditStatistics(3.0, 0.0, 0.1, 3)) is VerdictKind.FRAUD
    assert read_scores(world.node, PROFILE) == {} and outcome(world) is Outcome.FRAUD


def test_self_noise__leaves_the_profile__is_unknown_and_nothing_more(world: World) -> None:
    """R77: it neither escalates nor counts, and its provider is paid by the default at the latest."""
    world.replayers[0].noise = replace(BEYOND, max_margin=0.64)
    work = world.ready()
    assert find(world, work, 0) is UNKNOWN
    (row,) = world.node.store.records(1)
    assert row.evidence["checks"][0] == "self_noise" and len(row.evidence["self_noise"]) == 2
    assert read_scores(world.node, PROFILE) == {} and world.node.store.entries(1)[0].escalated_at is None


def test_suspension__three_providers_rise_together__convicts_nobody_by_scores(world: World) -> None:
    """R80: a profile under which many rise is at fault itself; exact evidence still convicts."""
    work = suspicious(world)
    seen(world, 6)
    assert outcome(world) is Outcome.FRAUD
    for i in (1, 2):
        seen(world, 3, provider=f"0x{i:040x}", first=100 * i + 500)
    assert outcome(world) is None
    find(world, work, 1, AuditStatistics(3.0, 0.0, 0.1, 3))
    assert outcome(world, 1) is Outcome.FRAUD
