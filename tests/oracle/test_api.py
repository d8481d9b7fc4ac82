"""The REST edge: bad input gets its status and its words and loses nothing; good input is kept once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from oracle.api import build_api
from oracle.config import Settings
from oracle.edges.metrics import Figures
from oracle.records.work import WatchRow
from oracle.wiring import Parts
from protocol.encoding import canonical_json, json_digest, keccak, to_hex
from protocol.limits import MAX_BLOB, MAX_JSON_BODY
from protocol.messages import audit_record_digest, settlement_digest
from protocol.types import AuditRecord, Decision, Outcome, VerdictKind
from protocol.wire import to_json
from tests.oracle.moves import SALT, commit
from tests.oracle.world import DOMAIN, MODEL, World

SETTINGS = Settings("", Path(), Path(), Path(), "", "")


@pytest.fixture
def api(world: World) -> TestClient:
    engine = world.node.store._engine  # type: ignore[attr-defined]
    parts = Parts(SETTINGS, world.node, engine, Figures(engine), {"escrow": DOMAIN.contract}, world.chain)  # type: ignore[arg-type]
    return TestClient(build_api(parts), raise_server_exceptions=False)


def code(answer: Any) -> tuple[int, str]:
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "fix"} and error["message"]
    return answer.status_code, error["code"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"report": NaN}', b'{"a":1,"a":2}', b'{"x": 1.5}'])
def test_report__malformed_body__400(api: TestClient, body: bytes) -> None:
    """R30: malformed."""
    assert code(api.post("/v1/reports", content=body)) == (400, "malformed")


def test_report__unknown_field__400(api: TestClient, world: World) -> None:
    body = {**to_json(world.ready().report()), "extra": 1}
    answer = api.post("/v1/reports", content=canonical_json(body))
    assert code(answer) == (400, "malformed") and "extra" in answer.json()["error"]["message"]


def test_body__announced_too_long__413_before_it_is_read(api: TestClient) -> None:
    """R30: oversized."""
    answer = api.post("/v1/reports", content=b"{}", headers={"content-length": str(MAX_JSON_BODY + 1)})
    assert code(answer) == (413, "too_large")


def test_body__too_long_in_pieces__413(api: TestClient) -> None:
    def pieces() -> Any:
        for _ in range(MAX_JSON_BODY // 65_536 + 2):
            yield b" " * 65_536

    assert code(api.post("/v1/reports", content=pieces())) == (413, "too_large")


def test_blob__oversized__413(api: TestClient) -> None:
    data = b"x" * (MAX_BLOB + 1)
    assert code(api.put(f"/v1/blobs/{to_hex(keccak(data))}", content=data)) == (413, "too_large")


@pytest.mark.parametrize(("digest", "status"), [("0x12", 400), ("nonsense", 400), (to_hex(keccak(b"none")), 404)])
def test_blob__bad_or_unknown_digest__says_so(api: TestClient, digest: str, status: int) -> None:
    assert api.get(f"/v1/blobs/{digest}").status_code == status


def test_blob__kept__201_and_back(api: TestClient) -> None:
    path = f"/v1/blobs/{to_hex(keccak(b'sealed'))}"
    answer = api.put(path, content=b"sealed")
    assert (answer.status_code, answer.json()["size"]) == (201, 6)
    assert api.get(path).content == b"sealed"


def test_offer__bad_signature__403_and_not_shown(api: TestClient, world: World) -> None:
    signed = {**to_json(world.offer), "signature": "0x" + "01" * 65}
    assert api.put("/v1/offers", content=canonical_json(signed)).status_code == 403
    assert api.get("/v1/offers").json() == {"offers": []}


def test_offer__other_chain__403(api: TestClient, world: World) -> None:
    from protocol.messages import Domain, offer_digest

    signature = world.node_signer.sign(offer_digest(Domain(1, DOMAIN.contract), world.offer.offer))
    signed = {**to_json(world.offer), "signature": to_hex(signature)}
    assert code(api.put("/v1/offers", content=canonical_json(signed))) == (403, "wrong_signer")


def test_offer__valid__202_and_shown_by_model(api: TestClient, world: World) -> None:
    assert api.put("/v1/offers", content=canonical_json(to_json(world.offer))).status_code == 202
    assert len(api.get("/v1/offers", params={"model": to_hex(MODEL)}).json()["offers"]) == 1
    assert api.get("/v1/offers", params={"model": to_hex(keccak(b"x"))}).json() == {"offers": []}


def test_report__key_used_for_another_body__409_and_the_first_stays(api: TestClient, world: World) -> None:
    work, key = world.open_job(), {"Idempotency-Key": "k1"}
    world.commit(work)
    body = canonical_json(to_json(work.report()))
    first = api.post("/v1/reports", content=body, headers=key)
    assert (first.status_code, first.json()["status"]) == (202, "accepted")
    assert api.post("/v1/reports", content=body, headers=key).json() == first.json()
    assert code(api.post("/v1/reports", content=b"{}", headers=key)) == (409, "replay")
    assert world.node.store.report(work.job_id) == work.report()


def test_record__another_members_key__keeps_no_finding_away(api: TestClient, world: World) -> None:
    """A liar that uses an honest oracle's key first must not turn its finding away."""
    work, key = world.ready(), {"Idempotency-Key": "record/guessed"}
    for seat, kind in ((3, VerdictKind.PASS), (1, VerdictKind.FRAUD)):
        evidence = {"reason": str(seat)}
        record = AuditRecord(1, 0, work.entry.leaf, kind, json_digest(evidence))
        commit(world, record, False, 0, world.signers[seat])
        signature = world.signers[seat].sign(audit_record_digest(DOMAIN, record))
        body = {"record": to_json(record), "evidence": evidence, "signature": to_hex(signature), "salt": to_hex(SALT),
                "held": []}
        assert api.post("/v1/peer/records", content=canonical_json(body), headers=key).status_code == 202
    assert len(world.node.store.records(1)) == 2


def test_report__not_ready_under_a_key__can_be_sent_again(api: TestClient, world: World) -> None:
    work, key = world.open_job(), {"Idempotency-Key": "k2"}
    body = canonical_json(to_json(work.report()))
    assert code(api.post("/v1/reports", content=body, headers=key)) == (409, "wrong_job")
    world.commit(work)
    assert api.post("/v1/reports", content=body, headers=key).status_code == 202


def test_opening__wanted_and_sent__202_and_gone_from_the_list(api: TestClient, world: World) -> None:
    work = world.ready()
    wanted = {"params": {"provider": world.owner.address}}
    listed = api.get("/v1/openings/wanted", **wanted).json()
    assert listed["auditor"] == world.node.address
    assert listed["wanted"] == [
        {"batch_id": 1, "index": 0, "job_id": to_hex(work.job_id), "group_seed": "0x" + "01" * 32}]
    opening = {name: to_hex(v) if isinstance(v, bytes) else v for name, v in work.opening(0).items()}
    assert api.post("/v1/openings", content=canonical_json(opening)).status_code == 202
    assert api.get("/v1/openings/wanted", **wanted).json()["wanted"] == []


def test_reveal__not_yet__404_not_ready(api: TestClient, world: World) -> None:
    assert code(api.get("/v1/reveals/3")) == (404, "not_ready")
    world.node.store.put_reveals(world.node.address, {3: b"\7" * 32})
    assert api.get("/v1/reveals/3").json()["reveal"] == "0x" + "07" * 32


def test_settlement__of_a_stranger__403(api: TestClient, world: World) -> None:
    work = world.ready()
    decision = Decision(1, world.node.store.batch(1).entries_hash, Outcome.PASS, work.entry.amount, 1)  # type: ignore[union-attr]
    signature = world.owner.sign(settlement_digest(DOMAIN, 1, [decision]))
    body = {"set_version": 1, "decisions": [to_json(decision)], "signature": to_hex(signature)}
    assert code(api.post("/v1/peer/settlements", content=canonical_json(body))) == (403, "not_member")


def test_settlement__not_passed_here__200_names_the_batch(api: TestClient, world: World) -> None:
    work = world.ready()
    decision = Decision(1, world.node.store.batch(1).entries_hash, Outcome.PASS, work.entry.amount, 1)  # type: ignore[union-attr]
    signature = world.signers[1].sign(settlement_digest(DOMAIN, 1, [decision]))
    body = {"set_version": 1, "decisions": [to_json(decision)], "signature": to_hex(signature)}
    answer = api.post("/v1/peer/settlements", content=canonical_json(body))
    assert answer.status_code == 200
    assert answer.json() == {"refused": [{"batch_id": 1, "reason": "Entry 0 is drawn and not passed yet."}]}


@pytest.mark.parametrize("path", [
    "/v1/jobs/0x12", "/v1/jobs?state=LOST", "/v1/jobs?requester=0x1", "/v1/offers?model=z", "/v1/jobs?limit=0",
    "/v1/jobs?limit=101", "/v1/batches/one", "/v1/openings/wanted",
])  # fmt: skip
def test_query__malformed__400(api: TestClient, path: str) -> None:
    assert code(api.get(path)) == (400, "malformed")


@pytest.mark.parametrize("path", ["/v1/jobs/0x" + "11" * 32, "/v1/batches/77", "/v1/receipts/0x" + "11" * 32])
def test_query__unknown__404(api: TestClient, path: str) -> None:
    assert code(api.get(path)) == (404, "not_found")


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v2/jobs", 404), ("DELETE", "/v1/jobs", 405)])
def test_route__unknown__has_the_same_form(api: TestClient, method: str, path: str, status: int) -> None:
    assert code(api.request(method, path)) == (status, "not_found")


def test_batch__drawn__shows_record_entries_and_draw(api: TestClient, world: World) -> None:
    world.ready()
    shown = api.get("/v1/batches/1").json()
    assert (shown["state"], len(shown["entries"]), shown["draw"]["drawn"]) == ("PENDING", 1, [0])
    assert shown["decision"] is None and shown["why"]


def test_network__asked__shows_set_and_terms(api: TestClient) -> None:
    shown = api.get("/v1/network").json()
    assert (len(shown["oracles"]), shown["faults"], shown["quorum"]) == (4, 1, 3)
    assert (shown["parameters"]["audit_bps"], shown["parameters"]["open_fee"]) == (10_000, "1000")


def test_health__nothing_runs__503_names_what_is_missing(api: TestClient, world: World) -> None:
    answer = api.get("/v1/health")
    assert (answer.status_code, answer.json()["waiting_for"]) == (503, ["watch", "worker"])
    world.node.store.beat(WatchRow(50, 100, world.clock()))
    world.node.store.note_model("worker", MODEL, world.clock())
    assert api.get("/v1/health").json()["waiting_for"] == ["chain"]


def test_health__all_there__200(api: TestClient, world: World) -> None:
    world.node.store.beat(WatchRow(98, 100, world.clock()))
    world.node.store.note_model("worker", MODEL, world.clock())
    answer = api.get("/v1/health")
    assert (answer.status_code, answer.json()["status"], answer.json()["lag"]) == (200, "ready", 2)


def test_metrics__scraped__are_prometheus_text(api: TestClient, world: World) -> None:
    world.ready()
    text = api.get("/metrics").text
    assert 'malla_oracle_jobs{state="COMMITTED"} 1\n' in text and "malla_oracle_reports 1\n" in text
