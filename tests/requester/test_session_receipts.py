"""Receipts of calls: kept only when every check holds, whichever oracle gave them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from protocol.call_receipt import CallReceipt, verify_call_receipt
from protocol.encoding import ZERO, keccak
from protocol.messages import entries_hash, settlement_digest
from protocol.session_reports import SessionReport, session_report_digest
from protocol.types import Decision, Entry, Outcome
from protocol.units import Digest
from protocol.wire import to_json
from requester.edges import session_store
from requester.flow.session_receipts import collect_receipts, parse_call_receipt
from requester.records.sessions import CallStage
from tests.requester.sessions_world import CallOracle, CallWorld


@pytest.fixture
def world(tmp_path: Path) -> CallWorld:
    world = CallWorld(tmp_path)
    for _ in range(3):
        world.call()
    return world


def settle(world: CallWorld) -> list[CallReceipt]:
    """A quorum passes the one voucher; every oracle has the receipts of its calls."""
    provider, session = world.providers[0], world.session()
    at, head = Digest(session.ends[0].head), session.ends[-1]
    entry = Entry(at, world.wallet.address, head.amount, head.amount, head.head, ZERO)
    offer = provider.offer_of(session.standing.session.offer_digest).offer
    report = SessionReport(1, 0, at, 1, tuple(world.lines()), offer)
    decisions = (Decision(1, entries_hash((entry,)), Outcome.PASS, entry.amount, 0b10),)
    digest = settlement_digest(world.domain, 1, decisions)
    made = []
    for call in world.store.calls(at):
        assert call.answer is not None
        made.append(CallReceipt(
            world.domain.chain_id, world.domain.contract, session.standing.session, call.number, call.spec, call.answer,
            report, provider.node.sign(session_report_digest(world.domain, report)), provider.node.address, at, 1, 0,
            (entry,), 1, tuple(o.address for o in world.oracles), decisions,
            tuple(o.signer.sign(digest) for o in world.oracles[:3]), keccak(b"settlement")))
    for oracle in world.oracles:
        for receipt in made:
            give(oracle, receipt)
    return made


def give(oracle: CallOracle, receipt: CallReceipt) -> None:
    bare = to_json(receipt)
    del bare["spec"], bare["answer"]
    oracle.receipts[Digest(receipt.report.session_id + receipt.number.to_bytes(8, "big"))] = bare


def test_collect__before_the_settlement__keeps_nothing(world: CallWorld) -> None:
    assert collect_receipts(world.desk) == 0


ALTERED: list[Callable[[CallReceipt], CallReceipt]] = [
    lambda r: replace(r, signatures=r.signatures[:2]),
    lambda r: replace(r, decisions=(replace(r.decisions[0], outcome=Outcome.DEFAULT),)),
    lambda r: replace(r, entries=(replace(r.entries[0], amount=r.entries[0].amount + 1),)),
    lambda r: replace(r, report=replace(r.report, calls=r.report.calls[::-1])),
    lambda r: replace(r, number=r.number % 3 + 1),
    lambda r: replace(r, chain_id=1),
    lambda r: replace(r, members=r.members[:3]),
]


@pytest.mark.parametrize("alter", ALTERED, ids=range(len(ALTERED)))
def test_collect__receipt_that_does_not_hold__is_not_kept(
        world: CallWorld, alter: Callable[[CallReceipt], CallReceipt]) -> None:
    made = settle(world)
    for oracle in world.oracles:
        oracle.receipts.clear()
        for receipt in made:
            bare = to_json(alter(receipt))
            del bare["spec"], bare["answer"]
            oracle.receipts[Digest(receipt.report.session_id + receipt.number.to_bytes(8, "big"))] = bare
    assert collect_receipts(world.desk) == 0
    assert {call.stage for call in world.store.calls(made[0].report.session_id)} == {CallStage.ENDED}


def test_collect__two_oracles_lie_or_are_silent__a_third_has_it(world: CallWorld) -> None:
    made = settle(world)
    world.oracles[0].down = True
    world.oracles[1].receipts = {key: {"nonsense": 1} for key in world.oracles[1].receipts}
    assert collect_receipts(world.desk) == 3
    calls = world.store.calls(made[0].report.session_id)
    assert {call.stage for call in calls} == {CallStage.PROVEN}
    for call in calls:
        receipt = parse_call_receipt(json.loads(Path(call.receipt_path).read_text()))
        members = frozenset(o.address for o in world.oracles)
        found = verify_call_receipt(receipt, 31337, world.domain.contract, members)
        assert [check.holds for check in found] == [True] * 12
    assert collect_receipts(world.desk) == 0, "each is kept once"


def test_collect__first_call_has_none__does_not_hide_the_others(world: CallWorld) -> None:
    made = settle(world)
    for oracle in world.oracles:
        del oracle.receipts[Digest(made[0].report.session_id + (1).to_bytes(8, "big"))]
    world.pick = 0.5
    assert collect_receipts(world.desk) == 2


def test_collect__many_calls_and_no_receipt_yet__reads_two_of_them(
        world: CallWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the whole list every half minute: a session may have thousands, each with its answer."""
    read: list[int] = []
    honest = session_store.call_of
    monkeypatch.setattr(session_store, "call_of", lambda body: read.append(1) or honest(body))
    assert collect_receipts(world.desk) == 0
    assert len(read) <= 2 < len(world.store.calls(world.store.sessions()[0].session_id))
