"""Auditors commit to their numbers before they see anybody's, and what is counted against those that do not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oracle.flow.auditors import show_auditors
from oracle.flow.batch_view import BatchView, view_batch
from oracle.flow.commitments import MOST_FINDINGS, accept_audit_commitment
from oracle.flow.confirmations import accept_record, reveal_findings
from oracle.flow.decisions import decide_batch
from oracle.flow.findings import perform_audit, want_audits
from oracle.flow.intake import accept_opening
from oracle.flow.node import Node
from oracle.flow.overview import show_batch
from oracle.flow.turns import owes_audit
from oracle.records.confirmations import AuditCommitment
from protocol.encoding import json_digest, keccak
from protocol.errors import Reason, Refused
from protocol.messages import audit_commitment, audit_commitment_digest, audit_record_digest
from protocol.types import AuditRecord, AuditStatistics, Outcome, VerdictKind
from protocol.wire import from_json
from tests.oracle.moves import SALT, commit, post_all, post_record
from tests.oracle.world import DOMAIN, Work, World

CHEATED = AuditStatistics(9.0, 0.0, 0.0, 3)
TURN = 60
NUMBERS = {"max_margin": "0.01", "mean_logprob_distance": "0.002"}
LIMITS = {"max_margin": "0.1", "mean_logprob_distance": "0.01"}


def audit(world: World, work: Work, seat: int) -> VerdictKind | None:
    accept_opening(world.nodes[seat], **work.opening(seat))
    return perform_audit(world.nodes[seat], world.replayers[seat], 1, 0)


def posts(node: Node) -> list[str]:
    return [d.path.rsplit("/", 1)[1] for d in node.store.due_deliveries(node.clock(), 99)]


def view(node: Node) -> BatchView:
    batch = node.store.batch(1)
    assert batch is not None
    return view_batch(node, batch)


def finding(leaf: Any, statistics: dict[str, str] | None = None) -> tuple[AuditRecord, dict[str, Any]]:
    evidence = {"statistics": NUMBERS if statistics is None else statistics, "thresholds": LIMITS}
    return AuditRecord(1, 0, leaf, VerdictKind.PASS, json_digest(evidence)), evidence


def show(world: World, record: AuditRecord, evidence: dict[str, Any], seat: int, to: int = 0) -> None:
    signature = world.signers[seat].sign(audit_record_digest(DOMAIN, record))
    accept_record(world.nodes[to], record, evidence, signature, SALT)


def kinds(node: Node) -> dict[str, dict[str, int]]:
    return {row["oracle"]: {k: row[k] for k in ("missed", "off_spread", "copied")} for row in show_auditors(node)}


@pytest.mark.parametrize("changed", ["salt", "evidence", "verdict", "nothing committed"])
def test_record__not_what_was_committed_to__is_not_taken(world: World, changed: str) -> None:
    """R86: a finding counts with the commitment that came before it, and with no other."""
    work = world.ready()
    record, evidence = finding(work.entry.leaf)
    if changed != "nothing committed":
        commit(world, record, False, 0, world.signers[1])
    if changed == "evidence":
        record, evidence = finding(work.entry.leaf, {"max_margin": "0.0"})
    if changed == "verdict":
        record = replace(record, verdict=VerdictKind.UNKNOWN)
    signature = world.signers[1].sign(audit_record_digest(DOMAIN, record))
    with pytest.raises(Refused) as refused:
        accept_record(world.node, record, evidence, signature, keccak(b"other") if changed == "salt" else SALT)
    assert refused.value.reason is Reason.NOT_READY and world.node.store.records(1) == []


def test_commitment__of_another_oracle__opens_nothing_for_this_one(world: World) -> None:
    work = world.ready()
    record, evidence = finding(work.entry.leaf)
    commit(world, record, False, 0, world.signers[1])
    with pytest.raises(Refused, match="has not committed"):
        show(world, record, evidence, 2)


def test_commitment__more_than_anybody_needs__is_refused(world: World) -> None:
    work = world.ready()
    for number in range(MOST_FINDINGS + 1):
        said = AuditCommitment(1, 0, work.entry.leaf, False, keccak(bytes([number])))
        digest = audit_commitment_digest(DOMAIN, 1, 0, work.entry.leaf, False, said.commitment)
        signature = world.signers[1].sign(digest)
        if number < MOST_FINDINGS:
            accept_audit_commitment(world.node, said, signature)
    with pytest.raises(Refused, match="findings about one leaf"):
        accept_audit_commitment(world.node, said, signature)


def test_commitment__repeated_with_other_copies__the_opening_is_asked_for_all_the_same(world: World) -> None:
    """R32: one copy for each finding; a peer cannot send garbage anew whenever the last one was found unreadable."""
    work = world.ready()
    said = AuditCommitment(1, 0, work.entry.leaf, True, keccak(b"one"))
    signature = world.signers[1].sign(audit_commitment_digest(DOMAIN, 1, 0, work.entry.leaf, True, said.commitment))
    for garbage in (b"a" * 64, b"b" * 64):
        accept_audit_commitment(world.node, said, signature, garbage)
        kept = world.node.store.opening(1, 0, world.node.address)
        assert kept is not None and kept.sealed == b"a" * 64


def test_audit__of_the_named_auditor__commits_and_shows_in_one_round(world: World) -> None:
    """R86: the commitment binds its numbers, and costs no time."""
    work = world.ready()
    audit(world, work, 0)
    assert posts(world.node) == ["commitments"] * 3
    assert show_batch(world.node, 1)["records"] == [], "the api shows nothing before the peers have it"
    assert reveal_findings(world.node) == 1 and reveal_findings(world.node) == 0
    assert posts(world.node) == ["commitments"] * 3 + ["records"] * 3
    assert len(show_batch(world.node, 1)["records"]) == 1


def test_audit__found_fraud__others_audit_upon_its_commitment_and_see_no_number(world: World) -> None:
    """R86: it escalates at once; the finding waits until all others have committed."""
    work = world.ready()
    for replayer in world.replayers:
        replayer.finding = CHEATED
    assert audit(world, work, 0) is VerdictKind.FRAUD
    post_all(world, world.node)
    for seat in (1, 2, 3):
        node = world.nodes[seat]
        assert node.store.records(1) == [] and owes_audit(node, view(node), view(node).entries[0])
        assert want_audits(node) == 1, "the sealed transcript came with the commitment"
        perform_audit(node, world.replayers[seat], 1, 0)
        assert reveal_findings(world.node) == 0
        post_all(world, node)
    assert [decide_batch(node, view(node).batch)[0].outcome for node in world.nodes] == [Outcome.FRAUD] * 4  # type: ignore[union-attr]
    for node in world.nodes:
        post_all(world, node)
    for node in world.nodes:
        rows = node.store.records(1)
        assert len(rows) == 4 and all(row.timely for row in rows)
        assert show_auditors(node) == []


def test_finding__against_the_provider_and_a_peer_says_nothing__is_shown_after_a_turn(world: World) -> None:
    work = world.ready()
    world.replayers[0].finding = CHEATED
    audit(world, work, 0)
    world.clock.now += world.node.rules.reveal_turn - 1
    assert reveal_findings(world.node) == 0
    world.clock.now += 1
    assert reveal_findings(world.node) == 1


def test_finding__batch_was_decided_meanwhile__is_shown(world: World) -> None:
    work = world.ready()
    world.replayers[0].finding = CHEATED
    audit(world, work, 0)
    world.freeze(1, int(world.clock()) + 60)
    assert reveal_findings(world.node) == 1


def test_pass__of_an_auditor_that_was_not_named__waits_for_one_more(world: World) -> None:
    """R86: by itself it says nothing, and f + 1 that copied one would say no more."""
    work = world.ready()
    world.clock.now += 3 * TURN
    audit(world, work, 1)
    assert reveal_findings(world.nodes[1]) == 0
    record, _ = finding(work.entry.leaf)
    commit(world, record, False, 1, world.signers[2])
    assert reveal_findings(world.nodes[1]) == 1


def test_pass__committed_to_after_a_finding_was_shown__confirms_nothing(world: World) -> None:
    """R86: whoever has seen the numbers can repeat them. The named auditor is away."""
    work = world.ready()
    world.clock.now += 3 * TURN
    record, evidence = finding(work.entry.leaf)
    commit(world, record, False, 0, world.signers[3])  # two have committed: the first may show
    commit(world, record, False, 0, world.signers[1])
    show(world, record, evidence, 1)
    world.clock.now += 1
    commit(world, record, False, 0, world.signers[2])
    show(world, record, evidence, 2)
    assert [row.timely for row in world.node.store.records(1)] == [True, False]
    assert decide_batch(world.node, view(world.node).batch)[0] is None
    assert kinds(world.node) == {world.signers[2].address: {"missed": 0, "off_spread": 0, "copied": 1}}


def test_pass__shown_before_its_time__makes_no_later_one_worthless(world: World) -> None:
    """Else one oracle could hold up every batch whose named auditor is away."""
    work = world.ready()
    world.clock.now += 2 * TURN
    post_record(world, work.entry.leaf, VerdictKind.PASS, 1, to=3)
    world.clock.now += 1
    post_record(world, work.entry.leaf, VerdictKind.PASS, 2, to=3)
    assert [row.timely for row in world.nodes[3].store.records(1)] == [True, True]
    decision = decide_batch(world.nodes[3], view(world.nodes[3]).batch)[0]
    assert decision is not None and decision.outcome is Outcome.PASS


def test_commitment__came_by_way_of_whoever_showed_first__is_in_time(world: World) -> None:
    """What one honest auditor held before it showed anything was not copied from it."""
    work = world.ready()
    record, evidence = finding(work.entry.leaf)
    said = AuditCommitment(1, 0, work.entry.leaf, False, audit_commitment(DOMAIN, record, SALT))
    digest = audit_commitment_digest(DOMAIN, 1, 0, work.entry.leaf, False, said.commitment)
    commit(world, record, False, 3, world.signers[0])
    signature = world.signers[0].sign(audit_record_digest(DOMAIN, record))
    accept_record(world.nodes[3], record, evidence, signature, SALT, [(said, world.signers[2].sign(digest)),
                                                                      (said, b"\1" * 65)])
    world.clock.now += 5
    show(world, record, evidence, 2, to=3)
    assert [row.timely for row in world.nodes[3].store.records(1)] == [True, True]


def test_reveal__sent__carries_what_was_held_and_its_peer_can_read_it(world: World) -> None:
    work = world.ready()
    record, _ = finding(work.entry.leaf)
    commit(world, record, False, 0, world.signers[2])
    audit(world, work, 0)
    reveal_findings(world.node)
    body = next(d.body for d in world.node.store.due_deliveries(world.clock(), 99) if d.path.endswith("records"))
    assert [from_json(AuditCommitment, one["said"]).leaf for one in body["held"]] == [work.entry.leaf]
