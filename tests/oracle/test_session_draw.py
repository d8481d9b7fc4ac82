"""The draw over the calls of vouchers: by number, from the batch's own seed, before anybody has to report anything."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oracle.flow import views
from oracle.flow.call_draw import make_units
from oracle.flow.decisions import decide_batch
from oracle.flow.intake import accept_opening
from oracle.flow.overview import show_batch
from oracle.flow.recompute import name_drawn_calls
from oracle.flow.sampling import draw_batches
from oracle.wiring import console
from protocol.calls import UNIT_STRIDE, call_unit, split_unit
from protocol.committee import seats_bitmap
from protocol.draw import Draw, auditor_of_unit, draw, draw_calls, is_drawn
from protocol.encoding import ZERO, keccak
from protocol.session_reports import MAX_CALLS
from protocol.types import Entry, VerdictKind
from protocol.units import Digest, Wei
from tests.oracle.metered import SEED, Call, Metered, claim, commit, draw_all, talked
from tests.oracle.moves import passed
from tests.oracle.world import World

pytestmark = pytest.mark.usefixtures("short_reveals")


def session_of(world: World, count: int, batch_id: int = 1) -> None:
    metered = Metered(world)
    for nonce in range(1, count + 1):
        metered.answer(Call(metered, nonce))
    commit(world, claim(metered, batch_id, 0))


def draw_now(world: World) -> None:
    world.link()
    world.chain.number = 200
    world.clock.now += 1_000  # no reveal is waited for any more: everything is drawn
    for node in world.nodes:
        assert draw_batches(node, 200) == 1


def test_units__of_entries_and_calls__never_share_a_number() -> None:
    units = {call_unit(index, call) for index in range(UNIT_STRIDE) for call in range(20)} | set(range(UNIT_STRIDE))
    assert len(units) == UNIT_STRIDE * 21
    assert all(call_unit(*split_unit(unit)) == unit for unit in units if unit >= UNIT_STRIDE)  # type: ignore[arg-type]


def test_draw__a_voucher_of_calls__itself_is_not_drawn_and_its_calls_are(world: World) -> None:
    """R114: how many calls there are stands on-chain, so that they are drawn before they are reported."""
    session_of(world, 3)
    draw_now(world)
    (entry,) = world.node.store.entries(1)
    assert entry.drawn is False and entry.voucher is not None
    assert (entry.voucher.drawn_calls, entry.voucher.is_reported) == (3, False)
    assert world.node.store.calls(1) == [] and make_units(world.node) == 0


def test_draw__reported_before_the_draw__its_calls_are_units_right_after_it(world: World) -> None:
    session_of_reported = Metered(world)
    session_of_reported.answer(Call(session_of_reported, 1), Call(session_of_reported, 2))
    voucher = claim(session_of_reported, 1, 0)
    commit(world, voucher)
    voucher.tell()
    assert all(node.store.calls(1) == [] for node in world.nodes)
    draw_now(world)
    for node in world.nodes:
        assert make_units(node) == 1
        assert [row.index for row in node.store.calls(1)] == [voucher.unit(0), voucher.unit(1)]


def test_draw__same_public_data__names_the_same_calls_and_auditors_at_every_oracle(world: World) -> None:
    """R114: by the batch's seed and the unit's number alone."""
    voucher = talked(world, 4)
    for seat in (2, 0, 3, 1):
        voucher.tell(seat)
    rows = [[(row.index, row.auditor) for row in node.store.calls(1)] for node in world.nodes]
    made = Draw(1, (), (), SEED, SEED)
    assert rows == [[(voucher.unit(i), auditor_of_unit(made, voucher.unit(i), 4)) for i in range(4)]] * 4


@pytest.mark.parametrize("rate", [0, 1_000, 5_000, 10_000])
def test_draw__at_a_rate__takes_the_calls_whose_hash_says_so(world: World, rate: int) -> None:
    metered = Metered(world)
    metered.answer(*(Call(metered, nonce) for nonce in range(1, 41)))
    voucher = claim(metered, 1, 0)
    commit(world, voucher)
    draw_all(world, rate=rate)
    voucher.tell(0)
    drawn = [row.index for row in world.node.store.calls(1)]
    assert drawn == [voucher.unit(i) for i in range(40) if is_drawn(SEED, voucher.unit(i), rate)]
    assert (rate, len(drawn)) in ((0, 0), (10_000, 40)) or 0 < len(drawn) < 40
    assert world.node.store.voucher(1, 0).drawn_calls == len(drawn)  # type: ignore[union-attr]


def test_draw__decision__names_the_auditors_of_calls_also_where_no_report_came(world: World) -> None:
    """R114: all oracles sign the same bits, or no quorum could say that the report is missing."""
    voucher = talked(world, 3)
    voucher.tell(1)
    world.clock.now += 300
    found = [decide_batch(node, batch)[0] for node in world.nodes if (batch := node.store.batch(1))]
    made = Draw(1, (), (), SEED, SEED)
    named = {world.signers[auditor_of_unit(made, voucher.unit(i), 4)].address for i in range(3)}
    assert {one.auditors for one in found if one} == {seats_bitmap(sorted(named), world.chain.seats(1))}


def test_draw__jobs_beside_vouchers__keep_their_draw_byte_for_byte() -> None:
    leaves = [keccak(bytes([i])) for i in range(20)]
    reveals = [keccak(b"reveal" + bytes([i])) for i in range(4)]
    alone, beside = draw(7, leaves, SEED, reveals, 3_000), draw(7, [*leaves, None, None], SEED, reveals, 3_000)
    assert (alone.drawn, alone.seed) == (beside.drawn, beside.seed) and beside.auditors[:20] == alone.auditors
    assert is_drawn(SEED, 5, 3_000) == (int.from_bytes(keccak(SEED + b"\x00\x05"), "big") * 10_000 < 3_000 * 2**256)


def test_draw_calls__without_a_seed__everything() -> None:
    made = Draw(1, (), (), None, SEED)
    assert draw_calls(made, 3, 2, 0) == (call_unit(3, 0), call_unit(3, 1))
    with pytest.raises(ValueError, match="no auditor"):
        auditor_of_unit(made, 3, 0)


def test_recompute__names_drawn_calls_from_their_numbers_alone() -> None:
    made = replace(Draw(1, (), (), SEED, SEED))
    named = name_drawn_calls(made, {2: (5, 3)}, 10_000, 4)
    assert [(row["unit"], row["index"], row["number"]) for row in named] == [
        (call_unit(2, 0), 2, 5), (call_unit(2, 1), 2, 6), (call_unit(2, 2), 2, 7)]
    assert {row["seat"] for row in named} <= {0, 1, 2, 3}


def test_batch__shown__counts_its_calls(world: World) -> None:
    voucher = talked(world, 3)
    assert show_batch(world.node, 1)["calls"] == {"committed": 3, "reported": 0, "drawn": 3, "audited": 0}
    voucher.tell()
    shown = show_batch(world.node, 1)
    assert shown["calls"] == {"committed": 3, "reported": 3, "drawn": 3, "audited": 0}
    assert [unit["unit"] for unit in shown["draw"]["calls"]] == [voucher.unit(i) for i in range(3)]
    figures = world.node.store.figures()
    assert (figures["sessions_open"], figures["calls_committed"]) == (1, 3)


def test_batch__of_jobs_alone__is_shown_without_calls(world: World) -> None:
    passed(world)
    shown = show_batch(world.node, 1)
    assert shown["calls"] == {"committed": 0, "reported": 0, "drawn": 0, "audited": 0}
    assert shown["records"][0]["record"]["verdict"] == VerdictKind.PASS.name
    assert Entry(Digest(ZERO), world.owner.address, Wei(0), Wei(0), ZERO, ZERO).is_voucher


def test_added_calls__as_oracles_show_them__are_read_with_care(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first oracle says that shows the session; nonsense names no call."""
    own = b"\7" * 32
    good = {"vouchers": ["x", {"batch_id": 1, "index": 0}, {"batch_id": 1, "index": 2, "first": 3, "calls": 7}]}
    shown: list[dict[str, object]] = [{"vouchers": None}, {"vouchers": [{"batch_id": 9, "index": 2}]}, good]
    monkeypatch.setattr(console, "_ask_all", lambda chain, path: iter(shown if path.endswith("07" * 32) else []))
    assert console.fetch_added_calls(world.chain, 1, {2: own, 3: b"\6" * 32}) == {2: (3, 5)}
    shown[:] = [{"vouchers": [{"batch_id": 1, "index": 2, "first": 1, "calls": 10**12}]}]
    assert console.fetch_added_calls(world.chain, 1, {2: own}) == {2: (1, MAX_CALLS)}


def test_wanted__more_than_fit_into_an_answer__are_asked_for_in_turn(world: World,
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "MOST_WANTED", 2)
    voucher = talked(world, 3)
    voucher.tell(0)
    world.clock.now += 200  # every seat's turn
    assert [row["index"] for row in views.list_wanted(world.node, world.owner.address)] == [
        voucher.unit(0), voucher.unit(1)]
    accept_opening(world.node, **voucher.opening(0, 0))
    assert [row["index"] for row in views.list_wanted(world.node, world.owner.address)] == [
        voucher.unit(1), voucher.unit(2)]
