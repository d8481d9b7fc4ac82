"""Session reports: which are refused, and that what is kept is exactly what the voucher's requester signed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oracle.flow.call_draw import make_units
from oracle.flow.decisions import decide_batch
from oracle.flow.session_reports import accept_session_report
from oracle.flow.sessions import show_session
from oracle.flow.turns import wanted_openings
from protocol.calls import CallLine
from protocol.encoding import keccak
from protocol.errors import Malformed, Reason, Refused, SignatureInvalid
from protocol.session_reports import MAX_CALLS
from protocol.signing import Signer
from protocol.types import BatchState, Outcome
from tests.oracle.metered import Call, Claimed, Metered, claim, commit, draw_all, talked
from tests.oracle.world import World


def refusal(voucher: Claimed, signer: Signer | None = None, **changes: object) -> Reason:
    report = voucher.report(**changes)
    with pytest.raises(Refused) as refused:
        accept_session_report(voucher.world.node, report, voucher.sign(report, signer))
    known = voucher.world.node.store.voucher(voucher.batch_id, voucher.index)
    assert known is None or known.report is None or known.report == voucher.report()
    return refused.value.reason


def test_report__unknown_batch__is_not_found(world: World) -> None:
    assert refusal(talked(world), batch_id=9) is Reason.NOT_FOUND


def test_report__batch_not_final_here__is_not_ready(world: World) -> None:
    voucher = talked(world)
    world.chain.batches[2] = replace(world.chain.batches[1])
    assert refusal(voucher, batch_id=2) is Reason.NOT_READY


def test_report__entry_is_a_job__is_wrong_job(world: World) -> None:
    work, metered = world.open_job(), Metered(world)
    metered.answer(Call(metered, 1))
    voucher = claim(metered, 1, 1)
    commit(world, voucher, works=[work])
    assert refusal(voucher, index=0) is Reason.WRONG_JOB
    assert refusal(voucher, index=2) is Reason.WRONG_JOB


def test_report__of_another_session__is_wrong_job(world: World) -> None:
    assert refusal(talked(world), session_id=keccak(b"another")) is Reason.WRONG_JOB


def test_report__signed_by_a_stranger__is_refused(world: World) -> None:
    """R113: by the node key that its provider had when the batch was committed."""
    assert refusal(talked(world), Signer(keccak(b"stranger"))) is Reason.WRONG_SIGNER


def test_report__signature_of_other_content__is_refused(world: World) -> None:
    voucher = talked(world)
    with pytest.raises(Refused) as refused:
        accept_session_report(world.node, voucher.report(first=2), voucher.sign(voucher.report()))
    assert refused.value.reason is Reason.WRONG_SIGNER
    with pytest.raises(SignatureInvalid):
        accept_session_report(world.node, voucher.report(), b"\xff" * 65)


@pytest.mark.parametrize("size", [MAX_CALLS + 1, 3 * MAX_CALLS])
def test_report__more_calls_than_a_voucher_may_add__is_malformed(world: World, size: int) -> None:
    voucher = talked(world)
    report = voucher.report(calls=(voucher.calls[0].line,) * size)
    with pytest.raises(Malformed, match="4096 calls"):
        accept_session_report(world.node, report, bytes(65))


def test_report__index_of_no_batch__is_malformed(world: World) -> None:
    with pytest.raises(Malformed):
        accept_session_report(world.node, talked(world).report(index=128), bytes(65))


def test_report__other_leaves__are_refused(world: World) -> None:
    """R113: an attack: the provider reports harmless leaves in the place of those that its requester signed."""
    voucher = talked(world)
    lines = voucher.report().calls
    assert refusal(voucher, calls=(replace(lines[0], leaf=keccak(b"harmless")), lines[1])) is Reason.TAMPERED


def test_report__calls_in_another_order__are_refused(world: World) -> None:
    """R113: an attack: then a draw that is known would name another call."""
    voucher = talked(world)
    assert refusal(voucher, calls=voucher.report().calls[::-1]) is Reason.TAMPERED


def test_report__a_call_left_out__is_refused(world: World) -> None:
    """R113: an attack: the call that cheated is not named."""
    voucher = talked(world, 3)
    first, second, third = voucher.report().calls
    for fewer in ((first, third), (second, third), (first, second), ()):
        assert refusal(voucher, calls=fewer) is Reason.TAMPERED


def test_report__a_call_too_many__is_refused(world: World) -> None:
    voucher = talked(world)
    lines = voucher.report().calls
    assert refusal(voucher, calls=(*lines, lines[0])) is Reason.TAMPERED


@pytest.mark.parametrize("first", [0, 2, 2**32])
def test_report__wrong_first_number__is_refused(world: World, first: int) -> None:
    voucher = talked(world)
    if first < 2**32:
        assert refusal(voucher, first=first) is Reason.TAMPERED
    else:
        with pytest.raises(Malformed):
            voucher.sign(voucher.report(first=first))


def test_report__tokens_that_do_not_add_up__are_refused(world: World) -> None:
    """R113: the tokens are those of which the requester signed the sum."""
    voucher = talked(world)
    first, second = voucher.report().calls
    assert refusal(voucher, calls=(CallLine(first.leaf, 4, 3), second)) is Reason.TAMPERED


def test_report__of_a_batch_that_is_over__is_stale(world: World) -> None:
    voucher = talked(world)
    world.mature(1)
    assert refusal(voucher) is Reason.STALE


def test_report__again__changes_nothing_and_another_one_is_a_replay(world: World) -> None:
    """R113: a voucher is reported once."""
    voucher = talked(world)
    voucher.tell(0)
    before = world.node.store.voucher(1, 0)
    world.clock.now += 5
    voucher.tell(0)
    assert world.node.store.voucher(1, 0) == before
    one, two = voucher.report().calls
    moved = (CallLine(one.leaf, one.input_tokens - 1, one.output_tokens + 1), two)  # the same sum, other prices
    assert refusal(voucher, calls=moved) is Reason.REPLAY
    assert refusal(voucher, first=2) is Reason.REPLAY
    world.mature(1)
    voucher.tell(0)  # nor does the same one when all is over


def test_report__missing__the_batch_never_passes_and_its_drawn_calls_count_as_not_opened(world: World) -> None:
    """R114: or a cheat would report no call, and wait for the default."""
    talked(world)
    batch = world.node.store.batch(1)
    assert batch is not None
    found, why = decide_batch(world.node, batch)
    assert found is None and "report of voucher 0" in why
    world.clock.now += 60 + 180
    found, _ = decide_batch(world.node, batch)
    assert found is not None and found.outcome is Outcome.NOT_OPENED


def test_report__missing_and_nothing_drawn__ends_as_not_opened_all_the_same(world: World) -> None:
    """R123: an attack: to commit an amount that no call explains, and so few calls that none is drawn."""
    metered = Metered(world)
    metered.answer(Call(metered, 1))
    commit(world, claim(metered, 1, 0))
    draw_all(world, rate=0)
    batch = world.node.store.batch(1)
    assert batch is not None and decide_batch(world.node, batch)[0] is None
    world.clock.now += 60 + 180
    found = decide_batch(world.node, batch)[0]
    assert found is not None and found.outcome is Outcome.NOT_OPENED


def test_report__voucher_with_more_calls_than_a_report_may_have__ends_as_not_opened(world: World) -> None:
    """R114: an attack: to commit so late that no report can be made."""
    metered = Metered(world)
    metered.answer(Call(metered, 1))
    commit(world, claim(metered, 1, 0, calls=MAX_CALLS + 1))
    draw_all(world, rate=0)
    world.clock.now += 60 + 180
    batch = world.node.store.batch(1)
    assert batch is not None
    found = decide_batch(world.node, batch)[0]
    assert found is not None and (found.outcome, found.auditors) == (Outcome.NOT_OPENED, 0)


def test_report__first_voucher__is_kept_and_its_drawn_calls_are_wanted(world: World) -> None:
    voucher = talked(world)
    accept_session_report(world.node, voucher.report(), voucher.sign(voucher.report()))
    assert make_units(world.node) == 1 and make_units(world.node) == 0
    rows = world.node.store.calls(1)
    assert [(row.index, row.entry.leaf) for row in rows] == [
        (voucher.unit(i), call.line.leaf) for i, call in enumerate(voucher.calls)]
    assert {row.entry.requester for row in rows} == {world.requester.address}
    mine = [row.index for row in rows if row.auditor == 0]
    assert [row.index for row in wanted_openings(world.node, world.owner.address)] == mine
    world.clock.now += 10_000  # everybody's turn
    assert len(wanted_openings(world.node, world.owner.address)) == 2


def test_report__second_voucher__goes_on_from_the_one_committed_before(world: World) -> None:
    """R113: heads, numbers and tokens go on across batches, whatever became of the batch before."""
    metered = Metered(world)
    metered.answer(Call(metered, 1))
    first = claim(metered, 1, 0)
    commit(world, first)
    world.apply(block=51)
    world._set_state(1, BatchState.FORFEITED)
    metered.answer(Call(metered, 2), Call(metered, 3))
    second = claim(metered, 2, 0)
    metered.answer(Call(metered, 4))
    third = claim(metered, 2, 1)
    commit(world, second, third, block=52)
    assert (second.first, third.first) == (2, 4)
    assert refusal(second, first=1, calls=tuple(call.line for call in metered.calls[:3])) is Reason.TAMPERED
    for voucher in (third, second, first):
        accept_session_report(world.node, voucher.report(), voucher.sign(voucher.report()))
    shown = show_session(world.node, metered.session_id)
    assert [(v["first"], v["calls"], v["is_reported"]) for v in shown["vouchers"]] == [
        (1, 1, True), (2, 3, True), (4, 4, True)]
    assert shown["committed"] == str(third.claim.amount) and shown["calls"] == 4
