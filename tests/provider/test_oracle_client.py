"""What an oracle's answers mean: also the wrong, the long and the hostile ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from protocol.encoding import keccak, to_hex
from protocol.errors import Malformed, MallaError, Reason, Refused, TooLarge, Unavailable
from protocol.limits import MAX_BLOB
from protocol.types import Report, SignedReport
from protocol.units import Address, Wei
from provider.edges.oracle_client import HttpOracleClient
from provider.ports import Oracle, Wanted

ADDRESS = Address("0x000000000000000000000000000000000000dEaD")
ORACLE = Oracle(ADDRESS, "http://oracle.example/", bytes(32), bytes(32), 0)
REPORT = SignedReport(Report(*[keccak(b"")] * 4, 1, 2, Wei(3), keccak(b""), 4), bytes(65), {"gpu": None, "note": ""})


def client(answer: Callable[[httpx.Request], httpx.Response]) -> HttpOracleClient:
    return HttpOracleClient(httpx.MockTransport(answer))


def saying(status: int, body: Any = None) -> HttpOracleClient:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client(lambda request: httpx.Response(status, content=data))


def error(code: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": "because", "fix": "do this"}}


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (409, error("wrong_job"), Refused, "wrong_job"),
        (409, error("not_ready"), Refused, "not_ready"),
        (425, None, Refused, "not_ready"),
        (503, error("starting"), Refused, "not_ready"),
        (429, error("quota"), Refused, "quota"),
        (429, None, Refused, "busy"),
        (500, b"<html>", Unavailable, "unavailable"),
        (400, error("malformed"), Malformed, "malformed"),
        (302, None, Malformed, "malformed"),
    ],
)
def test_post__refused__the_error_that_it_is(status: int, body: Any, kind: type[MallaError], code: str) -> None:
    with pytest.raises(kind) as caught:
        saying(status, body).post_report(ORACLE, REPORT)
    assert caught.value.code == code


def test_post__no_answer__unavailable_naming_the_oracle() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("timed out")

    with pytest.raises(Unavailable, match=f"{ADDRESS} at http://oracle.example/ does not answer: timed out"):
        client(fail).post_report(ORACLE, REPORT)


def test_blob__longer_than_a_blob_may_be__refused() -> None:
    with pytest.raises(TooLarge):
        saying(200, b"x" * (MAX_BLOB + 1)).get_blob(ORACLE, keccak(b""))


@pytest.mark.parametrize("body", [{}, {"signature": "0x12"}, {"signature": 7}, []])
def test_put__receipt_that_is_none__malformed(body: Any) -> None:
    with pytest.raises(Malformed):
        saying(201, body).put_blob(ORACLE, b"answer")


@pytest.mark.parametrize(
    "body",
    [
        {"wanted": []},
        {"auditor": "0x0000000000000000000000000000000000000001", "wanted": []},
        {"auditor": ADDRESS, "wanted": {}},
        {"auditor": ADDRESS, "wanted": [{"batch_id": -1, "index": 0}]},
        {"auditor": ADDRESS, "wanted": [{"batch_id": 1, "index": True}]},
    ],
)
def test_wanted__list_that_is_not_its_own_or_broken__malformed(body: Any) -> None:
    with pytest.raises(Malformed):
        saying(200, body).wanted(ORACLE, ADDRESS)


def test_wanted__good_list__what_is_asked_for() -> None:
    rows = [{"batch_id": 3, "index": 1, "job_id": "0x00"}]
    assert saying(200, {"auditor": ADDRESS.lower(), "wanted": rows}).wanted(ORACLE, ADDRESS) == [Wanted(3, 1)]


def test_blob__not_there__none() -> None:
    assert saying(404, error("not_found")).get_blob(ORACLE, keccak(b"")) is None


def test_reveal__not_yet__none_and_later_its_bytes() -> None:
    assert saying(404, error("not_ready")).reveal(ORACLE, 5) is None
    assert saying(200, {"reveal": to_hex(keccak(b"r"))}).reveal(ORACLE, 5) == keccak(b"r")


def test_put__blob__under_its_digest_and_the_signature_comes_back() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, json={"signature": to_hex(bytes(65))})

    assert client(answer).put_blob(ORACLE, b"answer") == bytes(65)
    assert str(seen[0].url) == f"http://oracle.example/v1/blobs/{to_hex(keccak(b'answer'))}"
    assert seen[0].content == b"answer"


def test_post__report__carries_a_key_that_is_its_content() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(202, json={})

    client(answer).post_report(ORACLE, REPORT)
    assert seen[0].headers["idempotency-key"] == keccak(seen[0].content).hex()


def test_count_offers__as_the_oracle_shows_them() -> None:
    assert saying(200, {"offers": [{}, {}]}).count_offers(ORACLE, ADDRESS) == 2
    with pytest.raises(Refused) as caught:
        saying(403, error("not_member")).count_offers(ORACLE, ADDRESS)
    assert caught.value.reason is Reason.NOT_MEMBER
