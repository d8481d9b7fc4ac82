"""Health, status and metrics: ready only when the worker has its model and the node is at the head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from protocol.units import Address
from provider.api import build_api
from provider.config import Settings
from provider.edges.fake_journal import FakeJournal
from provider.edges.fakes import FakeClock
from provider.flow.status import STALE_SECONDS
from tests.provider.world import World

OWNER = Address("0x000000000000000000000000000000000000dEaD")
SETTINGS = Settings("http://rpc", Path("d"), Path("k"), Path("p"), "database", "broker", OWNER, Path("h"))
NODE = {"block": 98, "head": 100, "confirmations": 2, "node_key": "0xNode", "chain_id": 31337}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def journal() -> FakeJournal:
    return World().journal


@pytest.fixture
def client(clock: FakeClock, journal: FakeJournal) -> TestClient:
    return TestClient(build_api(SETTINGS, journal, clock))


def ask(client: TestClient) -> tuple[int, dict[str, Any]]:
    answer = client.get("/v1/health")
    return answer.status_code, answer.json()


def test_health__nothing_started__503_naming_both_processes(client: TestClient) -> None:
    status, body = ask(client)
    assert (status, body["status"], body["waiting_for"]) == (503, "starting", ["worker", "node"])


def test_health__worker_went_silent__503(client: TestClient, clock: FakeClock, journal: FakeJournal) -> None:
    journal.beat("worker", clock() - STALE_SECONDS, {})
    journal.beat("node", clock(), NODE)
    status, body = ask(client)
    assert (status, body["waiting_for"], body["why"]) == (503, ["worker"], ["The worker gives no sign of life."])


def test_health__node_is_behind__503_saying_how_far(client: TestClient, clock: FakeClock, journal: FakeJournal) -> None:
    journal.beat("worker", clock(), {})
    journal.beat("node", clock(), NODE | {"head": 110})
    status, body = ask(client)
    assert (status, body["why"]) == (503, ["The node is 10 blocks behind."])


def test_health__all_there__200_with_block_and_lag(client: TestClient, clock: FakeClock, journal: FakeJournal) -> None:
    journal.beat("worker", clock(), {})
    journal.beat("node", clock(), NODE)
    status, body = ask(client)
    assert (status, body["status"], body["block"], body["lag"], body["chain_id"]) == (200, "ready", 98, 0, 31337)
    assert (body["role"], body["address"], body["model_loaded"]) == ("provider", OWNER, True)


def test_status__jobs_by_stage_and_earnings(clock: FakeClock) -> None:
    world = World()
    world.do_job()
    world.open_job()
    body = TestClient(build_api(SETTINGS, world.journal, clock)).get("/v1/status").json()
    assert (body["jobs"], body["offers"], body["ready"]) == ({"DONE": 1, "SEEN": 1}, 1, False)
    assert body["earnings"]["payout_wei"] == "0"


def test_metrics__prometheus_text_with_our_prefix(client: TestClient) -> None:
    text = client.get("/metrics").text
    figures = [line for line in text.splitlines() if not line.startswith("#")]
    assert figures and all(line.startswith("malla_provider_") for line in figures)
    assert "malla_provider_ready 0" in figures


def test_api__unknown_path__404(client: TestClient) -> None:
    assert client.get("/v1/prompts").status_code == 404
