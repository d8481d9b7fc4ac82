"""Forecasts and scores of one node over the real ways: api, broker, Celery worker with both models, database; and what
the requester checks."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.serving import DOMAIN
from benchmarks.serving_client import Client
from protocol.documents import document_digest
from protocol.encoding import to_hex
from protocol.engine.vector_catalogue import find_vector_model, find_vector_profile
from protocol.engine.vector_model import load_vector_model
from protocol.envelope import CallRequest, open_part
from protocol.messages import offer_digest
from protocol.types import SignedOffer, VerdictKind
from protocol.vector_manifest import VectorManifest
from protocol.vector_verdict import judge_vectors
from protocol.vectors import VectorInputs, prompt_of_inputs
from requester.flow.endings import check_end, vector_of
from scripts.testnet.engines import Valkey
from scripts.testnet.watching import wait_until
from tests.integration.provider import test_calls
from tests.integration.provider.test_calls import KEY, Place

DEMAND, CHURN = find_vector_model("Demand-M3-Monthly"), find_vector_model("Churn-Telco")
INPUTS = {
    DEMAND.name: VectorInputs(rows=(tuple(100.0 + x % 12 for x in range(36)), tuple(float(x) for x in range(36)))),
    CHURN.name: VectorInputs(rows=(tuple(float(x % 3) for x in range(24)), tuple(float(x) for x in range(24)))),
}


class VectorPlace(Place):
    """With the worker as a provider runs it, and an offer for each model."""

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        return super()._start("provider", "api" if words[-1] == "api" else "worker")

    def ask_for(self, manifest: VectorManifest, number: int) -> Client:
        """A requester with a session by the offer for this model."""
        served = {"model": document_digest(manifest), "profile": document_digest(find_vector_profile(manifest))}
        offer = replace(self.offer, **served, nonce=number)
        self.journal.keep_offer(offer_digest(DOMAIN, offer), SignedOffer(offer, bytes(65)), True)
        plain, self.offer = self.offer, offer
        client, self.offer = self.client(number), plain
        return client


@pytest.fixture
def place(tmp_path: Path, database_url: str, broker: Valkey,
          monkeypatch: pytest.MonkeyPatch) -> Iterator[VectorPlace]:
    write_home, both = test_calls.write_home, f"{DEMAND.name},{CHURN.name}"
    monkeypatch.setattr(test_calls, "write_home", lambda *where: write_home(*where) | {"MALLA_MODEL": both})
    its = VectorPlace(tmp_path, database_url, broker, 0)
    try:
        assert wait_until(its.is_up, 180)
        yield its
    finally:
        its.stop()


def ask(place: Place, client: Client, manifest: VectorManifest, path: str) -> tuple[CallRequest, Any]:
    """One call, and the answer as it came."""
    inputs = INPUTS[manifest.name]
    count = inputs.count * manifest.input_width
    request = client.request(prompt_of_inputs(inputs, bytes(32)).messages, count, 1)
    return request, httpx.post(f"{place.url}{path}", json=client.body(KEY, request), timeout=90)


def owed(place: Place, client: Client) -> tuple[int, int]:
    """What the session owes, and what calls in flight hold of it."""
    totals = place.sessions.session_totals(client.id)
    assert totals is not None
    return totals.owed.amount, totals.held


def test_prediction__two_models_of_one_node__each_in_its_own_session_and_its_own_leaf(place: VectorPlace) -> None:
    """R120: one part, no tokens; R121: a replay here agrees. A session is of one offer: it never pays for the other
    model, which the node serves as well."""
    mixed = place.ask_for(DEMAND, 2)
    mixed.offer = place.ask_for(CHURN, 3).offer
    for path in ("/v1/predictions", "/v1/embeddings", "/v1/chat/completions"):
        _, refused = ask(place, mixed, CHURN, path)
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "unknown_model"), refused.text
    assert owed(place, mixed) == (0, 0)

    rows = httpx.get(f"{place.url}/v1/models").json()["data"]
    assert [(row["id"], row["malla"]["kinds"]) for row in rows] == [
        (DEMAND.name, ["prediction"]), (CHURN.name, ["prediction"])]
    assert [row["malla"]["model"] for row in rows] == [to_hex(document_digest(one)) for one in (DEMAND, CHURN)]

    for number, manifest in ((4, DEMAND), (5, CHURN)):
        client = place.ask_for(manifest, number)
        request, answer = ask(place, client, manifest, "/v1/predictions")
        assert answer.status_code == 200, answer.text
        (event,) = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
        part, count = open_part(request.key, 0, event), 2 * manifest.input_width
        ending = check_end(part, vector_of(part), request.spec, (), "")
        assert (part["kind"], ending.line.input_tokens, ending.line.output_tokens) == ("vector", count, 0)
        assert owed(place, client) == (count * client.offer.input_price, 0)
        replay = load_vector_model(manifest).run(INPUTS[manifest.name], batch=1).vector
        verdict = judge_vectors(find_vector_profile(manifest), manifest, 2, ending.answer.vector, replay)
        assert verdict.kind is VerdictKind.PASS
