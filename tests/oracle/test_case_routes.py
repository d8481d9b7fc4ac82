"""Cases over REST: what is shown of them, and a ruling between peers; the command that lists them."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from oracle.api import build_api
from oracle.cli import app
from oracle.edges.metrics import Figures
from oracle.edges.peers import HttpPeers
from oracle.wiring import Parts
from protocol.encoding import canonical_json, from_hex, to_hex
from protocol.messages import ruling_digest
from protocol.signing import recover
from protocol.types import Ruling
from tests.oracle.court import BOND, WINDOW, disputed, review, rule
from tests.oracle.test_api import SETTINGS
from tests.oracle.world import DOMAIN, World


@pytest.fixture
def api(world: World) -> TestClient:
    engine = world.node.store._engine  # type: ignore[attr-defined]
    parts = Parts(SETTINGS, world.node, engine, Figures(engine), {"escrow": DOMAIN.contract}, world.chain)  # type: ignore[arg-type]
    return TestClient(build_api(parts), raise_server_exceptions=False)


def body(world: World, ruling: str, by: int = 1, **changes: Any) -> bytes:
    digest = ruling_digest(world.chain.court_domain, 1, Ruling[ruling])
    said = {"case_id": 1, "ruling": ruling, "signature": to_hex(world.signers[by].sign(digest)), "sealed": "0x"}
    return canonical_json(said | changes)


def test_cases__unknown_or_malformed__404_and_400(api: TestClient) -> None:
    assert api.get("/v1/cases/1").status_code == 404
    assert api.get("/v1/cases/0").status_code == 404
    assert api.get(f"/v1/cases/{2**70}").status_code == 404
    assert api.get("/v1/cases/x").status_code == 400
    assert api.get("/v1/cases?plaintiff=0x12").status_code == 400


@pytest.mark.parametrize("data", [b"", b"{}", b'{"case_id": 1, "ruling": "MAYBE", "signature": "0x", "sealed": "0x"}'])
def test_ruling__malformed__400(api: TestClient, data: bytes) -> None:
    assert api.post("/v1/peer/rulings", content=data).status_code == 400


def test_ruling__signature_of_nobody__403(api: TestClient, world: World) -> None:
    disputed(world)
    answer = api.post("/v1/peer/rulings", content=body(world, "REJECTED", signature="0x" + "00" * 65))
    assert answer.status_code == 403


def test_cases__none__an_empty_list(api: TestClient) -> None:
    assert api.get("/v1/cases").json() == {"cases": []}


def test_case__open__says_what_it_waits_for_and_shows_no_finding(api: TestClient, world: World) -> None:
    work = disputed(world)
    shown = api.get("/v1/cases/1").json()
    assert (shown["state"], shown["kind"], shown["bond"]) == ("OPEN", "DISPUTE", str(BOND))
    assert (shown["batch_id"], shown["index"], shown["job_id"]) == (1, 0, to_hex(work.job_id))
    assert shown["deadline"] == shown["opened_at"] + WINDOW
    assert "opening" in shown["waits_for"] and (shown["own_ruling"], shown["own_findings"]) == (None, [])
    review(world, work, 0)
    shown = api.get("/v1/cases/1").json()
    assert shown["own_findings"] == [] and "others" in shown["waits_for"]


def test_ruling__own_finding__is_signed_and_shown(api: TestClient, world: World) -> None:
    """R126: `POST /v1/peer/rulings` signs what an own replay found, nothing else."""
    work = disputed(world)
    assert api.post("/v1/peer/rulings", content=body(world, "REJECTED")).json() == {"refused": "needs_opening"}
    review(world, work, 0)
    assert api.post("/v1/peer/rulings", content=body(world, "UPHELD")).json()["refused"].startswith("Here it is")
    answer = api.post("/v1/peer/rulings", content=body(world, "REJECTED"))
    digest = ruling_digest(world.chain.court_domain, 1, Ruling.REJECTED)
    assert recover(digest, from_hex(answer.json()["signature"], 65)) == world.node.address
    assert api.get("/v1/cases/1").json()["own_ruling"] is None
    rule(world, Ruling.REJECTED)
    shown = api.get("/v1/cases/1").json()
    assert shown["own_ruling"] == "REJECTED"
    assert (shown["state"], [one["verdict"] for one in shown["own_findings"]]) == ("REJECTED", ["PASS"])


def test_cases__filters(api: TestClient, world: World) -> None:
    disputed(world)
    for query, count in ((f"plaintiff={world.requester.address}", 1), (f"plaintiff={world.owner.address}", 0),
                         (f"provider={world.owner.address}", 1), ("open=true", 1), ("open=false", 0)):
        assert len(api.get(f"/v1/cases?{query}").json()["cases"]) == count, query


def test_peers__ask_rulings__signature_refusal_and_silence(world: World) -> None:
    """What a peer says that is nonsense counts as silence."""
    answers = {"0": {"signature": "0x" + "11" * 65}, "1": {"refused": "not yet"}, "2": {"else": 1}, "3": ["x"]}

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v1/peer/rulings"
        return httpx.Response(200, json=answers[request.url.host[-1]])

    peers = HttpPeers(httpx.MockTransport(answer))
    members = [world.chain.member(signer.address) for signer in world.signers]
    asked = [(member, {"case_id": 1}) for member in members]
    answers_by = {peer: answer for peer, _, answer in peers.ask_rulings(asked, 5.0)}
    peers.close()
    found = [answers_by[member.address] for member in members]
    assert found[0].signature == b"\x11" * 65 and found[1].refused == {1: "not yet"}
    assert found[2].silent and found[3].silent


def test_command__lists_cases_of_an_api(api: TestClient, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    disputed(world)

    def get(url: str, **options: Any) -> Any:
        assert options["trust_env"] is False
        return api.get(url.removeprefix("http://oracle"), params=options["params"])

    monkeypatch.setattr(httpx, "get", get)
    said = CliRunner().invoke(app, ["cases", "--url", "http://oracle"])
    first, until, waits = said.stdout.splitlines()
    assert said.exit_code == 0 and "DISPUTE  OPEN" in first and f"against {world.owner.address}" in first
    assert until.strip().startswith("to be ruled until 2027-01-15 08:05:00 UTC (in ")
    assert waits.strip().startswith(f"waits for {world.owner.address}, until 2027-01-15 08:02:30 UTC (in ")
    found = json.loads(CliRunner().invoke(app, ["cases", "--url", "http://oracle", "--open", "--json"]).stdout)
    assert [(row["case_id"], row["waits_on"], row["waits_until"]) for row in found["cases"]] == [
        (1, world.owner.address, found["cases"][0]["opened_at"] + WINDOW // 2)]
    rule(world, Ruling.REJECTED)
    closed = CliRunner().invoke(app, ["cases", "--url", "http://oracle"]).stdout.splitlines()
    assert len(closed) == 2 and closed[1].endswith("own ruling none") and "closed 2027-01-15" in closed[1]
    assert "no cases" in CliRunner().invoke(app, ["cases", "--url", "http://oracle", "--open"]).stdout


def test_command__api_that_names_impossible_times__shows_them_as_they_are(
        api: TestClient, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    disputed(world)
    row = api.get("/v1/cases").json()["cases"][0] | {"deadline": 10**30, "waits_until": -1, "waits_on": "\x1b[2J"}
    monkeypatch.setattr(httpx, "get", lambda url, **options: httpx.Response(200, json={"cases": [row]}))
    said = CliRunner().invoke(app, ["cases", "--url", "http://oracle"])
    assert said.exit_code == 0 and "\x1b" not in said.stdout
    assert f"until second {10**30}" in said.stdout and "waits for ?[2J, until second -1" in said.stdout


def test_command__api_that_answers_nonsense__is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpx, "get", lambda url, **options: httpx.Response(200, json={"cases": [{}]}))
    said = CliRunner().invoke(app, ["cases", "--url", "http://oracle", "--json"])
    assert said.exit_code == 1 and json.loads(said.stdout)["error"]["code"] == "unavailable"
