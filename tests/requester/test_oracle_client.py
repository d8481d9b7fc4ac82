"""The REST edge: whatever an oracle answers becomes a value or one of our errors, in bounded memory."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from protocol.encoding import keccak, to_hex
from protocol.errors import BadInput, Malformed, Reason, Refused, TooLarge, Unavailable
from protocol.limits import MAX_BLOB, MAX_JSON_BODY
from protocol.units import Address, Digest
from protocol.wire import to_json
from requester.edges.oracle_client import OracleClient
from tests.requester.world import World

ADDRESS = Address("0x" + "33" * 20)
DIGEST = keccak(b"data")


def client(answer: Callable[[httpx.Request], httpx.Response]) -> OracleClient:
    return OracleClient(ADDRESS, "http://oracle/", httpx.Client(transport=httpx.MockTransport(answer)))


def says(status: int, body: Any) -> OracleClient:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client(lambda request: httpx.Response(status, content=content))


def refusal(code: str) -> dict[str, object]:
    return {"error": {"code": code, "message": "No.", "fix": "Do this."}}


def test_any__no_connection__is_unavailable() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(Unavailable, match="http://oracle does not answer"):
        client(fail).get_blob(DIGEST)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_any__busy_or_broken__is_unavailable_so_that_another_is_asked(status: int) -> None:
    with pytest.raises(Unavailable):
        says(status, refusal("busy")).get_blob(DIGEST)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{\"error\": 3}"])
def test_any__refusal_that_is_no_error_body__is_bad_input(body: bytes) -> None:
    with pytest.raises(BadInput, match="status 400"):
        says(400, body).list_offers(None, None)


def test_any__refusal_with_a_reason__keeps_reason_and_fix() -> None:
    with pytest.raises(Refused) as caught:
        says(409, refusal("quota")).put_blob(DIGEST, b"data")
    assert (caught.value.reason, caught.value.message, caught.value.fix) == (Reason.QUOTA, "No.", "Do this.")


def test_get_blob__endless_answer__is_cut_off() -> None:
    sent = 0

    def endless() -> Any:
        nonlocal sent
        while True:
            sent += 65_536
            yield b"x" * 65_536

    with pytest.raises(TooLarge):
        client(lambda request: httpx.Response(200, content=endless())).get_blob(DIGEST)
    assert sent <= MAX_BLOB + 2 * 65_536


def test_read_job__answer_without_an_end__is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("requester.edges.oracle_client.LONGEST", 0.05)
    over = threading.Event()

    def drip(request: httpx.Request) -> httpx.Response:
        over.wait(10)
        return httpx.Response(200, content=b"{}")

    with pytest.raises(Unavailable, match="takes longer than"):
        client(drip).read_job(DIGEST)
    over.set()


def test_read_receipt__larger_than_the_limit__is_refused() -> None:
    with pytest.raises(TooLarge):
        says(200, b" " * (MAX_JSON_BODY + 1)).read_receipt(DIGEST)


def test_put_blob__larger_than_the_limit__is_not_even_sent() -> None:
    with pytest.raises(TooLarge):
        client(lambda request: pytest.fail("sent")).put_blob(DIGEST, b"x" * (MAX_BLOB + 1))


@pytest.mark.parametrize("body", [{}, {"offers": {}}, {"offers": ["x"]}, {"offers": [{"offer": {}}]}])
def test_list_offers__malformed__is_refused(body: object) -> None:
    with pytest.raises(Malformed):
        says(200, body).list_offers(None, None)


@pytest.mark.parametrize("body", [{}, {"digest": "0x00", "oracle": ADDRESS, "signature": "0x"}])
def test_put_blob__malformed_storage_receipt__is_refused(body: object) -> None:
    with pytest.raises(Malformed):
        says(201, body).put_blob(DIGEST, b"data")


def test_get_blob__unknown__is_none() -> None:
    assert says(404, refusal("not_found")).get_blob(DIGEST) is None


def test_read_job__unknown__is_none() -> None:
    assert says(404, refusal("not_found")).read_job(DIGEST) is None


def test_put_blob__taken__sends_octets_under_the_digest() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, json={"digest": to_hex(DIGEST), "size": 4, "oracle": ADDRESS, "signature": "0x01"})

    receipt = client(answer).put_blob(DIGEST, b"data")
    assert (receipt.blob, receipt.oracle, receipt.signature) == (DIGEST, ADDRESS, b"\x01")
    assert (seen[0].method, str(seen[0].url)) == ("PUT", f"http://oracle/v1/blobs/{to_hex(DIGEST)}")
    assert (seen[0].content, seen[0].headers["content-type"]) == (b"data", "application/octet-stream")


def test_list_offers__with_what_the_oracle_adds__reads_the_signed_part() -> None:
    offer = World().offer
    row = {**to_json(offer), "digest": "0x", "encryption_key": "0x", "active_stake": "1", "reserved": "0"}
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.query.decode())
        return httpx.Response(200, json={"offers": [row]})

    assert client(answer).list_offers(Digest(DIGEST), None) == [offer]
    assert asked == [f"model={to_hex(DIGEST)}"]
