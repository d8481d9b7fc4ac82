"""A forecast over the real ways: api, broker, Celery worker with the model, database; and what the requester checks."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from protocol.documents import document_digest
from protocol.encoding import to_hex
from protocol.engine.vector_catalogue import find_vector_model, find_vector_profile
from protocol.engine.vector_model import load_vector_model
from protocol.envelope import open_part
from protocol.types import VerdictKind
from protocol.vector_verdict import judge_vectors
from protocol.vectors import VectorInputs, prompt_of_inputs
from requester.flow.endings import check_end, vector_of
from scripts.testnet.engines import Valkey
from scripts.testnet.watching import wait_until
from tests.integration.provider import test_calls
from tests.integration.provider.test_calls import KEY, Place

DEMAND = find_vector_model("Demand-M3-Monthly")
INPUTS = VectorInputs(rows=(tuple(100.0 + month % 12 for month in range(36)), tuple(float(x) for x in range(36))))


class VectorPlace(Place):
    """With the worker as a provider runs it."""

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        return super()._start("provider", "api" if words[-1] == "api" else "worker")


@pytest.fixture
def place(tmp_path: Path, database_url: str, broker: Valkey, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    write_home = test_calls.write_home
    monkeypatch.setattr(test_calls, "write_home", lambda *where: write_home(*where) | {"MALLA_MODEL": DEMAND.name})
    its = VectorPlace(tmp_path, database_url, broker, 0)
    try:
        assert wait_until(its.is_up, 180)
        yield its
    finally:
        its.stop()


def ask(place: Place, path: str) -> tuple[Any, Any]:
    """One call of a new session, and the answer as it came."""
    client = place.client()
    request = client.request(prompt_of_inputs(INPUTS, bytes(32)).messages, 72, 1)
    return request, httpx.post(f"{place.url}{path}", json=client.body(KEY, request), timeout=90)


def test_prediction__over_the_real_ways__is_the_models_and_in_its_leaf(place: Place) -> None:
    """R120: one part, no tokens; R121: a replay here agrees."""
    _, refused = ask(place, "/v1/chat/completions")
    assert refused.status_code == 404 and "chat" in refused.json()["error"]["message"]
    served = httpx.get(f"{place.url}/v1/models").json()["data"][0]
    assert (served["id"], served["malla"]["kinds"]) == (DEMAND.name, ["prediction"])
    assert served["malla"]["model"] == to_hex(document_digest(DEMAND))

    request, answer = ask(place, "/v1/predictions")
    assert answer.status_code == 200, answer.text
    (event,) = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    part = open_part(request.key, 0, event)
    ending = check_end(part, vector_of(part), request.spec, (), "")
    assert (part["kind"], ending.line.input_tokens, ending.line.output_tokens) == ("vector", 72, 0)
    replay = load_vector_model(DEMAND).run(INPUTS, batch=1).vector
    verdict = judge_vectors(find_vector_profile(DEMAND), DEMAND, 2, ending.answer.vector, replay)
    assert verdict.kind is VerdictKind.PASS
