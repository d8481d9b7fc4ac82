"""What is shown of sessions and calls: state, amounts, verdicts, receipts that verify offline, evidence bundles."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from oracle.api import build_api
from oracle.config import Settings
from oracle.edges.metrics import Figures
from oracle.flow.bundles import build_bundle
from oracle.flow.findings import perform_audit
from oracle.flow.intake import accept_opening
from oracle.flow.receipts import read_settlements
from oracle.flow.sessions import build_call_receipt, show_call, show_session, show_sessions
from oracle.records.work import SettlementRow
from oracle.wiring import Parts
from protocol.bundle import consent_digest
from protocol.bundle_check import check_bundle
from protocol.bundle_leaf import BundleInvalid
from protocol.call_receipt import CallReceipt, verify_call_receipt
from protocol.chain.events import SessionClosed, SessionClosing, SessionToppedUp
from protocol.encoding import keccak, to_hex
from protocol.errors import Reason, Refused
from protocol.messages import entries_hash, settlement_digest
from protocol.types import AuditStatistics, BatchState, Decision, Outcome, VerdictKind
from protocol.units import Digest, Wei
from protocol.wire import from_json, to_json
from tests import verify_bundle
from tests.oracle.metered import Claimed, talked
from tests.oracle.world import DOMAIN, NOW, TX, World


def api_of(world: World) -> TestClient:
    engine = world.node.store._engine  # type: ignore[attr-defined]
    settings = Settings("", Path(), Path(), Path(), "", "")
    parts = Parts(settings, world.node, engine, Figures(engine), {"escrow": DOMAIN.contract}, world.chain)  # type: ignore[arg-type]
    return TestClient(build_api(parts), raise_server_exceptions=False)


def settled(world: World, count: int = 2, linked: int = 0) -> Claimed:
    """A session whose voucher was reported, passed and settled by a quorum; so many of its calls are linked ones."""
    voucher = talked(world, count, linked=linked)
    voucher.tell()
    batch = world.node.store.batch(1)
    assert batch is not None
    decision = Decision(1, batch.entries_hash, Outcome.PASS, voucher.entry.amount, 1)
    digest = settlement_digest(DOMAIN, 1, [decision])
    signatures = tuple(signer.sign(digest) for signer in world.signers[:3])
    world.chain.settled[TX] = SettlementRow(TX, 90_000, 1, (decision,), signatures)
    world.mature(1)
    read_settlements(world.node)
    return voucher


def complete(world: World, voucher: Claimed, call: int) -> CallReceipt:
    """The receipt with what its requester adds."""
    bare = build_call_receipt(world.node, voucher.metered.session_id, voucher.first + call)
    own = {"spec": to_json(voucher.calls[call].spec), "answer": to_json(voucher.calls[call].answer)}
    return from_json(CallReceipt, json.loads(json.dumps(bare)) | own)


def refusal(world: World, session_id: bytes, number: int) -> Reason:
    with pytest.raises(Refused) as refused:
        build_call_receipt(world.node, session_id, number)
    return refused.value.reason


def test_receipt__of_what_is_not_settled__is_refused(world: World) -> None:
    voucher = talked(world)
    own = voucher.metered.session_id
    assert refusal(world, keccak(b"no session"), 1) is Reason.NOT_FOUND
    assert [refusal(world, own, number) for number in (0, 3, 10**30)] == [Reason.NOT_FOUND] * 3
    assert refusal(world, own, 1) is Reason.NOT_READY  # not reported
    voucher.tell()
    assert refusal(world, own, 1) is Reason.NOT_READY  # pending
    world.mature(1)
    assert refusal(world, own, 1) is Reason.NOT_READY  # its settlement is not read
    read_settlements(world.node)
    assert refusal(world, own, 1) is Reason.NOT_FOUND  # by default: nobody signed
    for rows in world.rows:
        rows.end_batch(1, BatchState.FORFEITED, None, TX)
    assert refusal(world, own, 1) is Reason.NOT_FOUND


@pytest.mark.parametrize(("changes", "check"), [
    (lambda r: {"chain_id": 1}, "deployment"),
    (lambda r: {"session": replace(r.session, nonce=9)}, "session"),
    (lambda r: {"spec": replace(r.spec, nonce=9)}, "answer"),
    (lambda r: {"answer": replace(r.answer, output_token_ids=(5, 6, 8))}, "answer"),
    (lambda r: {"number": 1}, "answer"),
    (lambda r: {"number": 7}, "answer"),
    (lambda r: {"before": Digest(keccak(b"x"))}, "head"),
    (lambda r: {"report": replace(r.report, calls=r.report.calls[1:], first=2)}, "head"),
    (lambda r: {"signature": b"\1" * 65}, "report"),
    (lambda r: {"report": replace(r.report, offer=replace(r.report.offer, nonce=99))}, "amount"),
    (lambda r: {"report": replace(r.report, calls=(*r.report.calls[:1], replace(r.report.calls[1], output_tokens=2)))},
     "amount"),
    (lambda r: {"entries": (replace(r.entries[0], amount=Wei(1)),)}, "entries"),
    (lambda r: {"entries": ()}, "session"),
    (lambda r: {"members": r.members[:1]}, "committee"),
    (lambda r: {"signatures": r.signatures[:2]}, "quorum"),
    (lambda r: {"decisions": (replace(r.decisions[0], outcome=Outcome.FRAUD),)}, "verdict"),
])
def test_receipt__altered_anywhere__does_not_verify(world: World, changes: Any, check: str) -> None:
    """R113: entry, head, line and answer hold each other."""
    receipt = complete(world, settled(world), 1)
    seats = frozenset(signer.address for signer in world.signers)
    found = verify_call_receipt(replace(receipt, **changes(receipt)), 31337, DOMAIN.contract, seats)
    assert check in [one.name for one in found if not one.holds]


def test_receipt__of_each_settled_call__verifies_offline(world: World) -> None:
    voucher = settled(world, 3)
    seats = frozenset(signer.address for signer in world.signers)
    for call in range(3):
        receipt = complete(world, voucher, call)
        found = verify_call_receipt(receipt, 31337, DOMAIN.contract, seats)
        assert len(found) == 12 and all(check.holds for check in found), found
        assert entries_hash(receipt.entries) == receipt.decisions[0].entries_hash


def test_receipt__of_linked_calls__verifies_offline_and_only_for_the_linked_spec(world: World) -> None:
    """R123: a call beyond its session's last voucher has a receipt as all others."""
    voucher = settled(world, 3, linked=2)
    seats = frozenset(signer.address for signer in world.signers)
    for call in range(3):
        receipt = complete(world, voucher, call)
        found = verify_call_receipt(receipt, 31337, DOMAIN.contract, seats)
        assert [check.holds for check in found] == [True] * 12
    said = receipt.report
    for report in (replace(said, specs=said.specs[::-1]), replace(said, specs=(), in_flight=())):
        found = verify_call_receipt(replace(receipt, report=report), 31337, DOMAIN.contract, seats)
        assert {"head", "report"} <= {one.name for one in found if not one.holds}
    found = verify_call_receipt(replace(receipt, spec=replace(receipt.spec, nonce=9)), 31337, DOMAIN.contract, seats)
    assert [one.name for one in found if not one.holds] == ["answer", "link"]


def test_session__through_its_life__shows_state_and_amounts(world: World) -> None:
    voucher = talked(world)
    own, amount = voucher.metered.session_id, str(voucher.entry.amount)
    shown = show_session(world.node, own)
    assert (shown["state"], shown["committed"], shown["settled"], shown["calls"]) == ("OPEN", amount, "0", 2)
    assert shown["vouchers"][0] == shown["vouchers"][0] | {
        "batch_state": "PENDING", "is_reported": False, "drawn_calls": 2, "settlement_tx": None}
    world.apply(SessionToppedUp(own, Wei(5), Wei(10**9 + 5)), SessionClosing(own, NOW + 99))
    shown = show_session(world.node, own)
    assert (shown["state"], shown["cap"], shown["ends_at"]) == ("CLOSING", str(10**9 + 5), NOW + 99)
    world.mature(1)
    world.apply(SessionClosed(own, voucher.claim.amount, Wei(77)))
    (shown,) = show_sessions(world.node, world.requester.address, world.owner.address, "CLOSED", 9)
    assert (shown["settled"], shown["refunded"], shown["state"]) == (amount, "77", "CLOSED")
    assert show_sessions(world.node, world.owner.address, None, None, 9) == []
    with pytest.raises(Refused):
        show_session(world.node, keccak(b"no session"))


def test_call__shown__says_whether_it_was_drawn_and_what_was_found(world: World) -> None:
    voucher = talked(world)
    voucher.tell()
    own = voucher.metered.session_id
    assert show_call(world.node, own, 2)["verdict"] is None
    world.replayers[0].finding = AuditStatistics(3.9, 0.0, 0.9, 3)
    accept_opening(world.node, **voucher.opening(1, 0))
    perform_audit(world.node, world.replayers[0], 1, voucher.unit(1))
    for row in world.node.store.unrevealed():
        world.node.store.mark_revealed(row, world.clock())
    shown = show_call(world.node, own, 2)
    assert (shown["unit"], shown["is_drawn"], shown["escalated"]) == (voucher.unit(1), True, True)
    assert shown["verdict"]["kind"] == "FRAUD" and show_call(world.node, own, 1)["verdict"] is None


def test_bundle__of_a_call__is_verified_by_two_programs_and_by_nobody_when_altered(world: World) -> None:
    """R115: the evidence bundle of a call shows how its leaf hangs on the committed head."""
    voucher = talked(world)
    voucher.tell()
    world.replayers[0].finding = AuditStatistics(3.2, 0.0, 0.9, 3, (1.0) / 3)
    accept_opening(world.node, **voucher.opening(1, 0))
    assert perform_audit(world.node, world.replayers[0], 1, voucher.unit(1)) is VerdictKind.FRAUD
    for row in world.node.store.unrevealed():
        world.node.store.mark_revealed(row, world.clock())
    consent = world.requester.sign(consent_digest(31337, DOMAIN.contract, voucher.metered.session_id))
    found = json.loads(json.dumps(build_bundle(world.node, 1, voucher.unit(1), consent)))
    checked = check_bundle(found)
    assert checked.verdict.kind is VerdictKind.FRAUD and f"signed by {world.node_signer.address}" in str(checked.checks)
    assert verify_bundle.verify(found)["verdict"] == "FRAUD"
    for name, value in (("before", to_hex(bytes(32))), ("head", to_hex(bytes(32))), ("report", None)):
        altered = copy.deepcopy(found)
        altered["session"][name] = value
        with pytest.raises(BundleInvalid):
            check_bundle(altered)
    swapped, bare = copy.deepcopy(found), {name: value for name, value in found.items() if name != "session"}
    swapped["session"]["report"]["calls"].reverse()
    for altered in (swapped, bare):
        with pytest.raises(BundleInvalid):
            check_bundle(altered)


def test_bundle__of_a_call_that_was_left__is_verified_by_two_programs(world: World) -> None:
    """R111: a call of a session may end early; its bundle says so, and proves as much as any other."""
    voucher = talked(world, made={"output_token_ids": (5, 6, 8)})
    voucher.tell()
    accept_opening(world.node, **voucher.opening(1, 0))
    assert perform_audit(world.node, world.replayers[0], 1, voucher.unit(1)) is VerdictKind.PASS
    for row in world.node.store.unrevealed():
        world.node.store.mark_revealed(row, world.clock())
    found = json.loads(json.dumps(build_bundle(world.node, 1, voucher.unit(1))))
    assert found["numbers"]["finish"] == "cancelled"
    assert check_bundle(found).verdict.kind is VerdictKind.PASS
    assert verify_bundle.verify(found)["verdict"] == "PASS"


def test_api__sessions__answers_in_the_words_of_the_page(world: World) -> None:
    api, voucher = api_of(world), talked(world)
    own = to_hex(voucher.metered.session_id)
    body = {"report": to_json(voucher.report()), "signature": to_hex(voucher.sign(voucher.report()))}
    for _ in range(2):
        answer = api.post("/v1/session-reports", json=body, headers={"Idempotency-Key": "once"})
        assert (answer.status_code, answer.json()["status"]) == (202, "accepted")
    wrong = api.post("/v1/session-reports", json=body | {"signature": to_hex(world.owner.sign(keccak(b"x")))})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (403, "wrong_signer")
    assert api.get(f"/v1/sessions/{own}").json()["vouchers"][0]["is_reported"] is True
    assert api.get(f"/v1/sessions/{own}/calls/1").json()["leaf"] == to_hex(voucher.calls[0].line.leaf)
    assert len(api.get("/v1/sessions", params={"state": "OPEN"}).json()["sessions"]) == 1
    assert api.get("/v1/listings").json() == {"listings": []}
    for path, status in ((f"/v1/sessions/{own}/calls/9", 404), (f"/v1/sessions/{own}/calls/1/receipt", 503),
                         ("/v1/sessions?state=NO", 400), ("/v1/sessions/0x12", 400), ("/v1/listings?provider=x", 400)):
        assert api.get(path).status_code == status, path
    assert 'malla_oracle_sessions{state="OPEN"} 1' in api.get("/metrics").text
