"""What the provider's client makes of an oracle's answers."""

from __future__ import annotations

import threading
from dataclasses import replace

import httpx
import pytest

from protocol.errors import Unavailable
from protocol.units import Address
from provider.edges.oracle_client import HttpOracleClient
from provider.records.work import Oracle

ORACLE = Oracle(Address("0x" + "11" * 20), "http://oracle", bytes(32), bytes(32), 0)


def client(status: int, body: bytes) -> HttpOracleClient:
    return HttpOracleClient(httpx.MockTransport(lambda request: httpx.Response(status, content=body)))


def test_get_blob__oracle_that_fails__is_unavailable() -> None:
    with pytest.raises(Unavailable, match="failed with status 500"):
        client(500, b"").get_blob(ORACLE, bytes(32))


@pytest.mark.parametrize("url", ["http://a..b", "http://xn--a.com", "http://\ufffd", "http://" + "a" * 70])
def test_wanted__url_that_is_none__is_unavailable(url: str) -> None:
    """An oracle writes its URL into the chain; whatever it writes must not end our loop."""
    real = HttpOracleClient()
    with pytest.raises(Unavailable):
        real.wanted(replace(ORACLE, url=url), "0x" + "22" * 20)
    real.close()


def test_wanted__answer_without_an_end__is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not asked anew before it has ended."""
    monkeypatch.setattr("provider.edges.oracle_client.LONGEST", 0.05)
    over = threading.Event()

    def drip(request: httpx.Request) -> httpx.Response:
        over.wait(10)
        return httpx.Response(200, content=b"{}")

    slow = HttpOracleClient(httpx.MockTransport(drip))
    for words in ("takes longer than", "still answers"):
        with pytest.raises(Unavailable, match=words):
            slow.wanted(ORACLE, "0x" + "22" * 20)
    over.set()


def test_get_blob__unknown_digest__is_none() -> None:
    assert client(404, b"{}").get_blob(ORACLE, bytes(32)) is None


@pytest.mark.parametrize("first", [b"{", b"[", b"\x00"])
def test_get_blob__octets_that_begin_like_json__come_back_as_they_are(first: bytes) -> None:
    """One sealed box in 128 begins like that."""
    blob = first + bytes(range(128, 256))
    assert client(200, blob).get_blob(ORACLE, bytes(32)) == blob
