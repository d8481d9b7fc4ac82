"""Challenges over REST: sizes, statuses, words."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from oracle.api import build_api
from oracle.edges.metrics import Figures
from oracle.wiring import Parts
from protocol.encoding import canonical_json, to_hex
from protocol.limits import MAX_CHALLENGE_OPENING
from protocol.wire import to_json
from tests.oracle.cards import TERMS, WINDOW, Card, challenged_world
from tests.oracle.test_api import SETTINGS
from tests.oracle.world import DOMAIN, World


@pytest.fixture
def world() -> World:
    return challenged_world()


@pytest.fixture
def api(world: World) -> TestClient:
    engine = world.node.store._engine  # type: ignore[attr-defined]
    parts = Parts(SETTINGS, world.node, engine, Figures(engine), {"escrow": DOMAIN.contract}, world.chain)  # type: ignore[arg-type]
    return TestClient(build_api(parts), raise_server_exceptions=False)


@pytest.mark.parametrize("body", [b"", b"null", b"{}", b"[]", b'{"commitment": NaN}', b'{"commitment": 1e999}'])
def test_commitment__malformed_body__400(api: TestClient, body: bytes) -> None:
    assert api.put("/v1/challenges", content=body).status_code == 400


@pytest.mark.parametrize(("field", "value"), [
    ("products", -1), ("products", None), ("products", 2**64), ("products", "4"), ("window", True), ("root", "0x00"),
    ("provider", "0x1"), ("claim", None),
])
def test_commitment__null_infinite_or_mistyped__400(api: TestClient, world: World, field: str, value: Any) -> None:
    body = to_json(Card(world).commit())
    body["commitment"][field] = value
    assert api.put("/v1/challenges", content=canonical_json(body)).status_code == 400


def test_opening__too_long_or_of_nothing_known__413_and_404(api: TestClient) -> None:
    path = "/v1/challenges/0x" + "11" * 32
    assert api.put(path, content=bytes(MAX_CHALLENGE_OPENING + 1)).status_code == 413
    assert api.put(path, content=b"").status_code == 404
    assert api.put("/v1/challenges/0x11", content=b"").status_code == 400


def test_challenge__committed_opened_and_asked_for__is_shown(api: TestClient, world: World) -> None:
    """R93: anyone may ask what a provider's last challenge said."""
    card = Card(world)
    card.compute()
    answer = api.put("/v1/challenges", content=canonical_json(to_json(card.commit())))
    assert (answer.status_code, answer.json()["state"]) == (202, "COMMITTED")
    path = f"/v1/challenges/{to_hex(card.digest)}"
    assert api.put(path, content=card.sign(b"early")).status_code == 503
    world.chain.number = WINDOW + 31
    assert api.put(path, content=card.open()).json()["state"] == "OPENED"
    shown = api.get(f"/v1/challenges?provider={card.address}").json()
    assert shown == {"terms": to_json(TERMS), "challenge": {"result": "none", "devices": []}}
