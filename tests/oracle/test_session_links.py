"""Calls that are linked beyond a voucher's head: what explains an amount, and that they are audited as all others."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest
from sqlalchemy import delete

from oracle.edges.store.tables import OFFERS
from oracle.flow.bundles import build_bundle
from oracle.flow.call_draw import make_units
from oracle.flow.decisions import decide_batch
from oracle.flow.findings import perform_audit
from oracle.flow.intake import accept_opening
from oracle.flow.session_reports import accept_session_report, read_posted
from protocol.bundle import consent_digest
from protocol.bundle_check import check_bundle
from protocol.bundle_leaf import BundleInvalid
from protocol.encoding import keccak, to_hex
from protocol.errors import Reason, Refused
from protocol.transcript import spec_digest
from protocol.types import AuditStatistics, Outcome, VerdictKind
from protocol.units import Digest, Wei
from tests import verify_bundle
from tests.oracle.metered import Call, Claimed, Metered, claim, commit, draw_all
from tests.oracle.world import DOMAIN, World


def metered(world: World, count: int = 3) -> Metered:
    its = Metered(world)
    for nonce in range(1, count + 1):
        its.answer(Call(its, nonce))
    return its


def linked(world: World, its: Metered | None = None, rate: int = 10_000, **changes: object) -> Claimed:
    """Three calls, the last two beyond the voucher's head, committed and drawn everywhere."""
    voucher = claim(its or metered(world), 1, 0, **{"linked": 2, **changes})  # type: ignore[arg-type]
    commit(world, voucher)
    draw_all(world, rate=rate)
    return voucher


def refusal(voucher: Claimed, **changes: object) -> str:
    report = voucher.report(**changes)
    with pytest.raises(Refused) as refused:
        accept_session_report(voucher.world.node, report, voucher.sign(report))
    assert refused.value.reason is Reason.TAMPERED
    kept = voucher.world.node.store.voucher(1, 0)
    assert kept is not None and kept.report is None
    return refused.value.message


def ends_as_not_opened(world: World) -> bool:
    batch = world.node.store.batch(1)
    assert batch is not None and decide_batch(world.node, batch)[0] is None
    world.clock.now += 60 + 180
    found = decide_batch(world.node, batch)[0]
    return found is not None and found.outcome is Outcome.NOT_OPENED


@pytest.mark.parametrize("more", [1, -1])
def test_report__one_wei_that_no_call_explains__is_refused_and_counts_as_not_opened(world: World, more: int) -> None:
    """R123: an attack: to claim more of the advance than the linked calls cost."""
    voucher = linked(world, more=more, rate=0)
    cost = voucher.entry.amount - more
    assert f"The calls cost {cost} wei, the voucher added {cost + more} wei" in refusal(voucher)
    assert ends_as_not_opened(world)


def test_report__advance_without_a_call__is_refused_and_counts_as_not_opened(world: World) -> None:
    """R123: an attack: to commit a voucher for a call in flight, and never take the exact one."""
    commit(world, claim(metered(world, 0), 1, 0, more=400))
    draw_all(world, rate=0)
    voucher = world.node.store.voucher(1, 0)
    assert voucher is not None and voucher.added_calls == 0
    assert ends_as_not_opened(world)


def test_report__advance_beside_an_ended_call__is_refused(world: World) -> None:
    """R123: an attack: the ended call is reported, the advance for another one is in the amount."""
    voucher = linked(world, metered(world, 1), linked=0, more=400)
    assert "the voucher added" in refusal(voucher)
    assert ends_as_not_opened(world)


def test_report__spec_that_was_not_named__is_refused(world: World) -> None:
    """R123: an attack: a link of a call that its provider made up itself."""
    its = metered(world)
    named = tuple(sorted((spec_digest(its.calls[1].spec), keccak(b"lost"))))
    assert "each one of those that the voucher names" in refusal(linked(world, its, named=named))
    assert ends_as_not_opened(world)


def test_report__list_that_its_requester_did_not_sign__is_refused(world: World) -> None:
    voucher = linked(world, named=(keccak(b"a call"),))
    assert "The calls lead from" in refusal(voucher, in_flight=tuple(sorted(voucher.specs)))


def test_report__same_spec_twice__is_refused(world: World) -> None:
    """R123: an attack: one signed spec pays for two answers."""
    its = metered(world)
    spec = spec_digest(its.calls[1].spec)
    assert "each once" in refusal(linked(world, its, specs=(spec, spec), named=(spec,)))
    assert ends_as_not_opened(world)


def test_report__prices_that_do_not_add_up__is_refused(world: World) -> None:
    """R123: an attack: as many tokens as committed, and cheaper ones told as dearer ones."""
    its = metered(world)
    its.calls[1].line = replace(its.calls[1].line, input_tokens=2, output_tokens=4)
    voucher = linked(world, its, more=-1)
    assert "The calls cost" in refusal(voucher)


@pytest.mark.parametrize("count", [0, 2])
def test_report__tokens_moved_to_a_call_that_is_not_drawn__is_refused(world: World, count: int) -> None:
    """R113, R123: an attack: more is claimed than was computed, and behind the draw the report says it of calls that
    nobody opens. The leaves are those that are committed; the tokens beside them are fixed with them."""
    voucher = linked(world, linked=count)
    first, second, third = voucher.report().calls
    assert first.input_tokens == second.input_tokens and first.output_tokens == second.output_tokens
    less, more = replace(first, output_tokens=1), replace(first, output_tokens=5)
    for calls in ((replace(less, leaf=first.leaf), replace(more, leaf=second.leaf), third),
                  (replace(more, leaf=first.leaf), replace(less, leaf=second.leaf), third),
                  (first, replace(less, leaf=second.leaf), replace(more, leaf=third.leaf))):
        assert sum(line.output_tokens for line in calls) == 9
        assert "The calls lead from" in refusal(voucher, calls=calls)
    assert ends_as_not_opened(world)


@pytest.mark.parametrize("change", ["none", "fewer", "other", "order", "more", "unsorted"])
def test_report__links_told_otherwise__is_refused(world: World, change: str) -> None:
    """R113: the head is that of the voucher's list, and of each link in its order."""
    voucher = linked(world)
    named, specs = voucher.named, voucher.specs
    changes = {"none": {"in_flight": (), "specs": ()}, "fewer": {"specs": specs[1:]},
               "other": {"specs": (keccak(b"lost"), specs[1])}, "order": {"specs": specs[::-1]},
               "more": {"specs": specs * 2}, "unsorted": {"in_flight": named[::-1]}}[change]
    refusal(voucher, **changes)


def test_report__names_and_links_nothing__is_refused(world: World) -> None:
    voucher = linked(world, linked=0)
    assert "links none of them" in refusal(voucher, in_flight=(keccak(b"a call"),))


def test_report__another_offer_than_the_session_s__is_refused(world: World) -> None:
    """R123: an attack: prices at which the amount adds up. The session's id holds its offer: nobody has to be asked."""
    its = metered(world)
    voucher = linked(world, its, more=9)
    dearer = replace(world.offer.offer, output_price=Wei(world.offer.offer.output_price + 1))
    assert "is not the one of its session" in refusal(voucher, offer=dearer)
    assert "The calls cost" in refusal(voucher)


def test_report__offer_that_its_oracle_never_saw__is_taken_all_the_same(world: World) -> None:
    voucher = linked(world)
    with world.node.store._engine.begin() as connection:  # type: ignore[attr-defined]
        connection.execute(delete(OFFERS))
    voucher.tell()
    kept = world.node.store.voucher(1, 0)
    assert kept is not None and kept.report == voucher.report()
    # An attack: calls under an offer that is hidden from the oracles. They are audited, not left to the default.
    accept_opening(world.node, **voucher.opening(2, 0))
    assert perform_audit(world.node, world.replayers[0], 1, voucher.unit(2)) is VerdictKind.PASS


def test_audit__drawn_linked_calls__pass_and_the_batch_is_paid(world: World) -> None:
    """R123: requester gone, its calls linked: they are drawn, opened, audited, and paid exactly."""
    voucher = linked(world)
    voucher.tell()
    rows = world.node.store.calls(1)
    assert [row.call.spec for row in rows if row.call] == [None, *voucher.specs]
    for place in range(3):
        accept_opening(world.node, **voucher.opening(place, 0))
        assert perform_audit(world.node, world.replayers[0], 1, voucher.unit(place)) is VerdictKind.PASS
    batch = world.node.store.batch(1)
    assert batch is not None
    found = decide_batch(world.node, batch)[0]
    assert found is not None and (found.outcome, found.amount) == (Outcome.PASS, voucher.entry.amount)


def test_audit__opening_of_another_spec_than_the_link__is_no_opening(world: World) -> None:
    """R123: an attack: a cheap call that was computed is linked to the spec of one that was not."""
    its = metered(world)
    spec = spec_digest(Call(its, 7).spec)
    voucher = linked(world, its, specs=(spec_digest(its.calls[1].spec), spec), named=None)
    voucher.tell()
    accept_opening(world.node, **voucher.opening(2, 0))
    assert perform_audit(world.node, world.replayers[0], 1, voucher.unit(2)) is VerdictKind.MALFORMED
    accept_opening(world.node, **voucher.opening(1, 0))
    assert perform_audit(world.node, world.replayers[0], 1, voucher.unit(1)) is VerdictKind.PASS


def test_last_chance__report_with_links_posted_on_chain__is_taken(world: World) -> None:
    """R113: what is posted says which specs are linked, as the report does."""
    voucher = linked(world)
    assert ends_as_not_opened(world)
    world.reopen(1, voucher.posted_report())
    for node in world.nodes:
        assert (read_posted(node), make_units(node), node.store.posted_lines()) == (1, 1, [])
        kept = node.store.voucher(1, 0)
        assert kept is not None and kept.report == voucher.report() and kept.signature == b""


def test_last_chance__posted_amount_that_no_call_explains__is_fraud(world: World) -> None:
    """R123: who explains it neither to the oracles nor on-chain is convicted."""
    voucher = linked(world, more=1)
    assert ends_as_not_opened(world)
    world.reopen(1, voucher.posted_report())
    assert read_posted(world.node) == 0
    batch = world.node.store.batch(1)
    assert batch is not None
    world.clock.now += 10_000
    found = decide_batch(world.node, batch)[0]
    assert found is not None and found.outcome is Outcome.FRAUD


def test_bundle__of_a_linked_call__is_verified_by_two_programs(world: World) -> None:
    """R123: its evidence shows how the leaf hangs on the committed head, by the voucher's list and the links."""
    voucher = linked(world)
    voucher.tell()
    world.replayers[0].finding = AuditStatistics(3.2, 0.0, 0.9, 3, 1.0 / 3)
    accept_opening(world.node, **voucher.opening(2, 0))
    assert perform_audit(world.node, world.replayers[0], 1, voucher.unit(2)) is VerdictKind.FRAUD
    for row in world.node.store.unrevealed():
        world.node.store.mark_revealed(row, world.clock())
    consent = world.requester.sign(consent_digest(31337, DOMAIN.contract, voucher.metered.session_id))
    found = json.loads(json.dumps(build_bundle(world.node, 1, voucher.unit(2), consent)))
    assert check_bundle(found).verdict.kind is VerdictKind.FRAUD and verify_bundle.verify(found)["verdict"] == "FRAUD"
    for field, value in (("specs", []), ("specs", [to_hex(spec) for spec in voucher.specs[::-1]]),
                         ("in_flight", [to_hex(Digest(bytes(32)))])):
        altered = copy.deepcopy(found)
        altered["session"]["report"][field] = value
        with pytest.raises(BundleInvalid):
            check_bundle(altered)
        with pytest.raises((AssertionError, ValueError)):
            verify_bundle.verify(altered)
