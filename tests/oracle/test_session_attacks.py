"""Providers that cheat in one call of a voucher, and oracles that withhold what they know of it."""

from __future__ import annotations

import pytest

from oracle.flow.call_draw import make_units
from oracle.flow.confirmations import accept_record
from oracle.flow.decisions import decide_batch
from oracle.flow.findings import perform_audit, want_audits
from oracle.flow.intake import accept_opening
from oracle.flow.node import Node
from oracle.flow.session_reports import accept_session_report, read_posted
from oracle.flow.settlement import propose
from oracle.flow.turns import wanted_openings
from protocol.calls import call_unit
from protocol.encoding import json_digest, keccak
from protocol.errors import Reason, Refused
from protocol.messages import audit_record_digest
from protocol.openings import PostedReport, pack_report
from protocol.transcript import transcript_bytes
from protocol.types import AuditRecord, AuditStatistics, Decision, Outcome, VerdictKind
from protocol.units import Digest
from tests.oracle.metered import Call, Claimed, claim, commit, draw_all, talked
from tests.oracle.moves import SALT, post_all
from tests.oracle.world import DOMAIN, World

HONEST = AuditStatistics(0.0, 0.0, 0.1, 3)
INT4 = AuditStatistics(3.9, 0.0, 0.9, 3)


def decided(node: Node, batch_id: int = 1) -> Decision | None:
    batch = node.store.batch(batch_id)
    assert batch is not None
    return decide_batch(node, batch)[0]


def audit_all(world: World, voucher: Claimed, cheated: int | None = None) -> None:
    """Every call is opened to the oracle that the draw names, which audits it; `cheated` is the place of one that was
    not computed with the model's own weights."""
    for place, row in enumerate(world.node.store.calls(voucher.batch_id)):
        seat = row.auditor or 0
        accept_opening(world.nodes[seat], **voucher.opening(place, seat))
        world.replayers[seat].finding = INT4 if place == cheated else HONEST
        perform_audit(world.nodes[seat], world.replayers[seat], voucher.batch_id, row.index)
        post_all(world, world.nodes[seat])


def round_of_all(world: World, cheated: int | None = None, but: tuple[int, ...] = ()) -> None:
    """Every oracle but those makes the audits that it owes, and tells the others."""
    for seat, node in enumerate(world.nodes):
        if seat in but:
            continue
        want_audits(node)
        for row in node.store.audits_due(world.clock() + 1_000, 99):
            bad = cheated is not None and row.index == call_unit(0, cheated)
            world.replayers[seat].finding = INT4 if bad else HONEST
            perform_audit(node, world.replayers[seat], row.batch_id, row.index)
    for _ in range(2):
        world.clock.now += 50
        for seat, node in enumerate(world.nodes):
            if seat not in but:
                post_all(world, node)


def test_cheat__int4_in_one_call_of_a_voucher__every_oracle_convicts(world: World) -> None:
    """R115: exact evidence of one call convicts, whatever the other calls of its batch are worth."""
    world.link()
    voucher = talked(world, 3)
    voucher.tell()
    audit_all(world, voucher, cheated=1)
    for node in world.nodes:
        assert [row.escalated_at is not None for row in node.store.calls(1)] == [False, True, False]
    round_of_all(world, cheated=1)
    found = [decided(node) for node in world.nodes]
    assert {(one.outcome, one.amount) for one in found if one} == {(Outcome.FRAUD, 0)} and None not in found
    assert len(set(found)) == 1


def test_cheat__opens_another_call_of_the_session__is_not_opened_and_convicted_in_the_end(world: World) -> None:
    """An attack: the honest transcript of call 1 in the place of the cheated one of call 2."""
    voucher = talked(world, 2)
    voucher.tell()
    wrong = transcript_bytes(voucher.calls[0].transcript)
    accept_opening(world.node, **voucher.opening(1, 0, wrong))
    assert perform_audit(world.node, world.replayers[0], 1, voucher.unit(1)) is VerdictKind.MALFORMED
    assert voucher.unit(1) in [row.index for row in wanted_openings(world.node, world.owner.address)]
    world.clock.now += 300
    found = decided(world.node)
    assert found is not None and found.outcome is Outcome.NOT_OPENED
    world.freeze(1, 0, Outcome.NOT_OPENED)
    world.reopen(1, voucher.posted(0, 0))
    world.clock.now += 300
    found = decided(world.node)
    assert found is not None and found.outcome is Outcome.FRAUD


def test_cheat__report_to_one_oracle_alone__the_others_sign_not_opened(world: World) -> None:
    """R114: an attack: to keep the quorum from ever seeing which calls there were."""
    voucher = talked(world, 2)
    voucher.tell(0)
    world.clock.now += 241
    found = [decided(node) for node in world.nodes[1:]]
    assert {one.outcome for one in found if one} == {Outcome.NOT_OPENED} and len(set(found)) == 1


def test_last_chance__report_and_openings_posted_on_chain__pass(world: World) -> None:
    """R114: nobody's word is needed that they were sent: they stand in the provider's own transaction."""
    world.link()
    voucher = talked(world, 2)
    world.clock.now += 300
    assert {one.outcome for node in world.nodes if (one := decided(node))} == {Outcome.NOT_OPENED}
    world.freeze(1, 0, Outcome.NOT_OPENED)
    auditors = [0, 1, 2, 3]
    world.reopen(1, voucher.posted_report(), *(voucher.posted(i, seat) for i in range(2) for seat in auditors))
    for node in world.nodes:
        assert (read_posted(node), read_posted(node), make_units(node)) == (1, 0, 1)
        assert node.store.posted_lines() == []
    round_of_all(world)
    assert {(one.outcome, one.amount) for node in world.nodes if (one := decided(node))} == {
        (Outcome.PASS, voucher.entry.amount)}


def test_last_chance__posted_lines_that_are_not_the_calls__are_none(world: World) -> None:
    voucher = talked(world, 2)
    world.freeze(1, 0, Outcome.NOT_OPENED)
    swapped = pack_report(PostedReport(0, voucher.report().calls[::-1], world.offer.offer))
    world.reopen(1, swapped, b"\xff\xfe\x00", pack_report(PostedReport(9, voucher.report().calls, world.offer.offer)))
    assert read_posted(world.node) == 0 and world.node.store.voucher(1, 0).report is None  # type: ignore[union-attr]
    world.clock.now += 300
    found = decided(world.node)
    assert found is not None and found.outcome is Outcome.FRAUD  # openings were posted, and still it is missing


def test_oracle__withholds_its_audits__the_next_seats_take_over(world: World) -> None:
    """R114: turns go on for calls as for jobs; one silent oracle holds nothing up."""
    world.link(0)
    voucher = talked(world, 4)
    voucher.tell()
    silent, rows = 0, world.nodes[1].store.calls(1)
    assert len(rows) == 4
    for place, row in enumerate(rows):
        for seat in (1, 2, 3):
            accept_opening(world.nodes[seat], **voucher.opening(place, seat))
        assert row.auditor is not None
    world.clock.now += 130
    round_of_all(world, but=(silent,))
    found = [decided(node) for node in world.nodes[1:]]
    assert {(one.outcome, one.amount) for one in found if one} == {(Outcome.PASS, voucher.entry.amount)}
    assert None not in found


def test_oracle__withholds_the_report_from_itself__a_quorum_of_the_others_settles(world: World) -> None:
    world.link()
    voucher = talked(world, 2)
    voucher.tell(0, 1, 2)
    for place in range(2):
        for seat in (0, 1, 2):
            accept_opening(world.nodes[seat], **voucher.opening(place, seat))
    for seat, node in enumerate(world.nodes[:3]):
        for row in node.store.calls(1):
            perform_audit(node, world.replayers[seat], 1, row.index)
    assert {one.outcome for node in world.nodes[:3] if (one := decided(node))} == {Outcome.PASS}
    assert decided(world.nodes[3]) is None
    world.chain.number = next(n for n in range(100, 200) if (n // 4 + 1) % 4 == 0)
    assert len(propose(world.node)) == 1


def test_peer__speaks_of_a_call_that_is_not_reported_here__is_asked_to_come_again(world: World) -> None:
    voucher = talked(world, 1)
    record = AuditRecord(1, voucher.unit(0), voucher.calls[0].line.leaf, VerdictKind.FRAUD, json_digest({"a": 1}))
    signature = world.signers[1].sign(audit_record_digest(DOMAIN, record))
    for reason in (Reason.NOT_READY, Reason.TAMPERED):
        said = record if reason is Reason.NOT_READY else AuditRecord(
            1, voucher.unit(0), Digest(keccak(b"x")), record.verdict, record.evidence)
        with pytest.raises(Refused) as refused:
            accept_record(world.node, said, {"a": 1}, signature, SALT)
        assert refused.value.reason is reason
        voucher.tell()


def test_batch__of_jobs_and_vouchers__passes_when_all_units_passed(world: World) -> None:
    """R114: and is settled over the sum of both."""
    world.link()
    work = world.open_job()
    voucher = talked(world, 2, batch_id=2)
    voucher.metered.answer(Call(voucher.metered, 9))
    mixed = claim(voucher.metered, 3, 1)
    commit(world, mixed, works=[work])
    draw_all(world, 3)
    mixed.tell()
    accept_opening(world.node, **mixed.opening(0, 0))
    assert perform_audit(world.node, world.replayers[0], 3, mixed.unit(0)) is VerdictKind.PASS
    for node in world.nodes:
        node.store.put_report(work.report(), world.clock())
        node.store.put_blob(work.entry.answer_digest, work.answer, world.clock())
    accept_opening(world.node, **work.opening(0))
    assert decided(world.node, 3) is None
    assert perform_audit(world.node, world.replayers[0], 3, 0) is VerdictKind.PASS
    found = decided(world.node, 3)
    assert found is not None and (found.outcome, found.amount) == (Outcome.PASS, work.entry.amount + mixed.entry.amount)
    accept_session_report(world.node, voucher.report(), voucher.sign(voucher.report()))
    assert make_units(world.node) == 1 and decided(world.node, 2) is None
    for place in range(2):
        accept_opening(world.node, **voucher.opening(place, 0))
        assert decided(world.node, 2) is None
        assert perform_audit(world.node, world.replayers[0], 2, voucher.unit(place)) is VerdictKind.PASS
    found = decided(world.node, 2)
    assert found is not None and (found.outcome, found.amount) == (Outcome.PASS, voucher.entry.amount)
