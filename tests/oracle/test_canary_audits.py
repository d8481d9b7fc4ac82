"""Own canaries, audited in full by their owner: what they raise, whom they are told, and that they convict nobody."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oracle.edges.fake_model import fake_profile
from oracle.flow.batch_view import view_batch
from oracle.flow.blobs import read_specs, sweep
from oracle.flow.bundles import build_bundle
from oracle.flow.canary_audits import audit_canary, tell_canaries
from oracle.flow.findings import perform_audit
from oracle.flow.intake import accept_opening
from oracle.flow.measuring import Case, measure
from oracle.flow.scoring import read_scores
from oracle.flow.turns import owes_audit
from oracle.records.canaries import CANARY, PAYER, CanaryOrder, CanaryState, OwnWallet
from oracle.records.work import OpeningRow, RecordRow
from protocol.encoding import keccak, pack_float32
from protocol.profile import CalibrationProfile, HonestRange
from protocol.score import PAYER_CAP
from protocol.types import CANARY_ONLY, AuditStatistics, Sampler, VerdictKind
from protocol.units import Address, Digest
from tests.oracle.moves import passed, post_all
from tests.oracle.test_scoring import BEYOND, batch_of, outcome, seen
from tests.oracle.world import NOW, PROFILE, Work, World

CHEATED = AuditStatistics(3.9, 0.0, 0.9, 3)
UNKNOWN, PASS = VerdictKind.UNKNOWN, VerdictKind.PASS


def own(world: World, work: Work, seat: int = 0) -> int:
    """Makes a job the placed canary of a seat's oracle; returns its number."""
    store = world.nodes[seat].store
    store.keep_wallets([OwnWallet("w1", world.requester.address)])
    (number,) = store.put_canaries([CanaryOrder("w1", NOW, 3, 8, Sampler("greedy", 0), "one")])
    store.place_canary(number, work.job_id)
    return number


def answered(world: World, work: Work, number: int, finding: AuditStatistics, seat: int = 0) -> VerdictKind | None:
    """The answer came: the owner's own model finds this."""
    world.replayers[seat].finding = finding
    row = world.nodes[seat].store.canary(number)
    assert row is not None
    return audit_canary(world.nodes[seat], world.replayers[seat], row, work.transcript)


def committed(world: World, drawn: bool, **changes: Any) -> Work:
    work = world.open_job(**changes)
    world.commit(work)
    for node in world.nodes:
        node.store.keep_draw(1, b"\1" * 32, [0] if drawn else [], [1], world.clock())
        node.store.put_report(work.report(), NOW)
        node.store.put_blob(work.entry.answer_digest, work.answer, NOW)
    return work


def record_of(world: World, seat: int = 0) -> RecordRow | None:
    rows = [row for row in world.nodes[seat].store.records(1) if row.oracle == world.signers[seat].address]
    return rows[0] if rows else None


def score(world: World, seat: int = 0) -> tuple[float, frozenset[str]]:
    found = read_scores(world.nodes[seat], PROFILE).get(world.owner.address)
    return (found.value, found.payers) if found else (0.0, frozenset())


def test_canary__not_committed_yet__waits(world: World) -> None:
    work = world.open_job()
    number = own(world, work)
    assert answered(world, work, number, BEYOND) is None
    row = world.node.store.canary(number)
    assert row is not None and row.state is CanaryState.PLACED


@pytest.mark.parametrize(("finding", "kind"), [
    (AuditStatistics(0.0, 0.0, 0.0, 3), PASS), (BEYOND, UNKNOWN), (CHEATED, VerdictKind.FRAUD),
])  # fmt: skip
def test_canary__leaf_not_drawn__is_audited_in_full_and_told_to_nobody(
    world: World, finding: AuditStatistics, kind: VerdictKind
) -> None:
    """R106: a canary's owner holds every token of its answer against the model, drawn or not; of a leaf that was not
    drawn nothing follows but its own suspicion."""
    work = committed(world, drawn=False)
    number = own(world, work)
    assert answered(world, work, number, finding) is kind
    row = world.node.store.canary(number)
    assert row is not None and (row.state, row.verdict) == (CanaryState.AUDITED, kind.name)
    assert row.evidence is not None and row.evidence["source"] == CANARY
    assert tell_canaries(world.node) == 0
    assert world.node.store.records(1) == [] and outcome(world) is not None
    value, payers = score(world)
    assert (value > 0) == (kind is not PASS) and payers <= {PAYER}


def test_canary__exact_finding_of_an_undrawn_leaf__counts_as_one_leaf_and_convicts_nobody(world: World) -> None:
    """R106: as the strongest that a leaf can say, and no more."""
    work = committed(world, drawn=False)
    answered(world, work, own(world, work), CHEATED)
    value, payers = score(world)
    assert 0 < value <= PAYER_CAP and payers == {PAYER}
    assert outcome(world).name == "PASS"  # type: ignore[union-attr]


def test_score__many_canaries_of_one_oracle__are_one_payer(world: World) -> None:
    """R106: conviction never rests on one oracle's canaries, whatever their wallets are."""
    wallets = [OwnWallet(f"w{i}", f"0x{100 + i:040x}") for i in range(9)]
    world.node.store.keep_wallets(wallets)
    seen(world, 9)
    found = read_scores(world.node, PROFILE)[world.owner.address]
    assert found.payers == {PAYER} and not found.convicts and found.value <= PAYER_CAP
    assert read_scores(world.nodes[1], PROFILE) == {}
    seen(world, 9, seat=1)
    assert read_scores(world.nodes[1], PROFILE)[world.owner.address].convicts, "the same leaves of nine strangers"


def test_canary__drawn_and_beyond__goes_to_every_oracle_and_its_owner_audits_again(world: World) -> None:
    """R107: every oracle asks the provider for the opening and recomputes; the canary itself is no one's verdict."""
    work = committed(world, drawn=True)
    number = own(world, work)
    answered(world, work, number, BEYOND)
    assert (tell_canaries(world.node), tell_canaries(world.node)) == (1, 0)
    row, mine = world.node.store.canary(number), record_of(world)
    assert row is not None and row.state is CanaryState.TOLD
    assert mine is not None and mine.record.verdict is UNKNOWN and "numbers" not in mine.evidence
    post_all(world, world.node)
    for node in world.nodes:
        batch = node.store.batch(1)
        assert batch is not None
        (entry,) = node.store.entries(1)
        assert entry.escalated_at is not None
        assert owes_audit(node, view_batch(node, batch), entry), "also its owner, which has only the answer so far"
    assert outcome(world) is None
    assert world.node.store.own_wallets() == [OwnWallet("w1", world.requester.address, spent=True)]


def test_canary__drawn_and_told__convicts_nobody_by_itself(world: World) -> None:
    """R107: even where the score of the provider convicts, the owner has to have the opened leaf."""
    work = committed(world, drawn=True)
    seen(world, 5)
    answered(world, work, own(world, work), BEYOND)
    tell_canaries(world.node)
    assert read_scores(world.node, PROFILE)[world.owner.address].convicts
    assert outcome(world) is None
    accept_opening(world.node, **work.opening(0))
    assert perform_audit(world.node, world.replayers[0], 1, 0) is UNKNOWN
    assert outcome(world).name == "FRAUD", "now an audit of its own opened leaf is beyond"  # type: ignore[union-attr]


def test_canary__told_and_honest_after_all__passes(world: World) -> None:
    """R107: an oracle that is wrong about its canary harms nobody but itself."""
    work = committed(world, drawn=True)
    answered(world, work, own(world, work), BEYOND)
    tell_canaries(world.node)
    post_all(world, world.node)
    for seat in range(1, 4):
        accept_opening(world.nodes[seat], **work.opening(seat))
        assert perform_audit(world.nodes[seat], world.replayers[seat], 1, 0) is PASS
        assert outcome(world, seat).name == "PASS"  # type: ignore[union-attr]


def test_canary__order_that_keeps_the_transcript_back__is_not_told(world: World) -> None:
    work = committed(world, drawn=True, audit=CANARY_ONLY)
    read_specs(world.node)
    answered(world, work, own(world, work), BEYOND)
    assert tell_canaries(world.node) == 0


def test_canary__audited_by_its_owner_before__keeps_the_better_finding(world: World) -> None:
    work = passed(world)
    before = score(world)
    answered(world, work, own(world, work), BEYOND)
    assert tell_canaries(world.node) == 0 and score(world) == before
    assert record_of(world).record.verdict is PASS  # type: ignore[union-attr]


def test_canary__fingerprint_root_in_the_leaf__other_numbers_are_judged_without_rows(world: World) -> None:
    """R106: no opened rows come with an answer, and their absence speaks against nobody; a missing root does."""
    world.replayers[0].profile = lambda profile, model: needing_fingerprints()  # type: ignore[method-assign]
    bare = committed(world, drawn=False)
    assert answered(world, bare, own(world, bare), AuditStatistics(0.0, 0.0, 0.0, 3)) is VerdictKind.FRAUD
    row = replace(bare.transcript, fingerprint_root=Digest(keccak(b"root")))
    (entry,) = world.node.store.entries(1)
    job = world.node.store.job(bare.job_id)
    assert job is not None
    opening = OpeningRow(1, 0, world.node.address, b"", CANARY, NOW)
    case = Case(entry, job, world.offer.offer, opening)
    assert measure(case, row, "stop", (0, 1, 2), world.replayers[0]).verdict.kind is PASS


def needing_fingerprints() -> CalibrationProfile:
    usual = fake_profile()
    return replace(usual, required=("fingerprint_distance",),
                   statistics={**usual.statistics, "fingerprint_distance": HonestRange("0.5", "0.1", {})})


def test_bundle__of_another_leaf__does_not_tell_which_were_canaries(world: World) -> None:
    """R107: an undrawn canary's leaf is in no bundle whose verdict it did not decide."""
    canary = world.open_job(nonce=2)
    world.commit(canary, batch_id=2)
    world.node.store.keep_draw(2, b"\1" * 32, [], [1], world.clock())
    answered(world, canary, own(world, canary), BEYOND)
    world.replayers[0].finding = AuditStatistics(0.0, 0.0, 0.0, 3)
    passed(world)
    told = build_bundle(world.node, 1, 0)["score"]["leaves"]
    assert PAYER in {row.payer for row in world.node.store.leaf_scores(PROFILE, 0)}
    assert [leaf["batch_id"] for leaf in told] == [1] and PAYER not in {leaf["payer"] for leaf in told}


def test_transcript__logprobs_that_are_not_the_models__are_seen_without_an_opening(world: World) -> None:
    """R106: the answer carries them, so that a requester can hold them against the model."""
    work = committed(world, drawn=False)
    other = replace(work.transcript, logprobs=pack_float32([-9.0, -9.0, -9.0]))
    row = world.node.store.canary(own(world, work))
    assert row is not None
    assert audit_canary(world.node, world.replayers[0], row, other) is VerdictKind.MALFORMED, "another leaf's logprobs"
    sweep(world.node)
    assert batch_of(world).provider == Address(world.owner.address)
