"""The client of a provider's api: what comes is bounded and decoded strictly."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from protocol.calls import begin
from protocol.encoding import keccak, to_hex
from protocol.envelope import SignedTotals
from protocol.errors import BadInput, Malformed, TooLarge, Unavailable
from protocol.units import Digest, Wei
from protocol.wire import to_json
from requester.edges.provider_client import MAX_LINE, ProviderClient
from requester.ports.sessions import ProviderSaid
from tests.requester.fakes import signer

ID = keccak(b"session")
TOTALS = SignedTotals(ID, Wei(5), 3, 1, keccak(b"head"), (), b"\x01" * 65)


def client(answer: Callable[[httpx.Request], httpx.Response]) -> ProviderClient:
    return ProviderClient("http://provider/", httpx.Client(transport=httpx.MockTransport(answer)))


def answering(status: int, body: Any, **headers: str) -> ProviderClient:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client(lambda request: httpx.Response(status, content=data, headers=headers))


def streaming(*chunks: bytes, fails: bool = False) -> list[str]:
    def body() -> Iterator[bytes]:
        yield from chunks
        if fails:
            raise httpx.ReadError("reset")

    its = client(lambda request: httpx.Response(200, content=body()))
    reply = its.start_call("chat", ID, b"sealed")
    try:
        return list(reply)
    finally:
        reply.close()


def test_any__no_answer__is_unavailable() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    its = client(refuse)
    asks: list[Callable[[], object]] = [
        lambda: its.read_session(ID, 1, ""), lambda: its.start_call("chat", ID, b""), lambda: its.send_voucher(TOTALS)]
    for ask in asks:
        with pytest.raises(Unavailable):
            ask()


@pytest.mark.parametrize("url", ["http://[", "http://\ud800", "ftp://x"])
def test_any__url_that_is_none__is_unavailable(url: str) -> None:
    with pytest.raises(Unavailable):
        ProviderClient(url, httpx.Client()).read_session(ID, 1, "")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"a":NaN}', b'{"a":1,"a":2}', b"[" * 100_000,
                                  b'{"owed":{}}', b'{"owed":null,"open_calls":[{"nonce":"x"}]}'])
def test_read_session__what_is_no_session__is_refused(body: bytes) -> None:
    with pytest.raises(BadInput):
        answering(200, body).read_session(ID, 1, "")


def test_any__endless_answer__is_cut_off() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 65_536

    with pytest.raises(TooLarge):
        client(lambda request: httpx.Response(200, content=endless())).read_session(ID, 1, "")


@pytest.mark.parametrize("body", [b"", b"oops", b'{"error":"text"}', b'{"error":{"code":3,"totals":7}}'])
def test_refusal__of_any_form__is_a_refusal(body: bytes) -> None:
    with pytest.raises(ProviderSaid) as caught:
        answering(500, body).start_call("chat", ID, b"")
    assert caught.value.status == 500


def test_refusal__whole__carries_its_words_its_wait_and_its_totals() -> None:
    totals = {"owed": to_json(begin(ID)), "open_calls": [{"nonce": 7, "produced": 1, "granted": 32}]}
    its = answering(409, {"error": {"code": "wrong_head", "message": "m" * 900, "fix": "f", "totals": totals}},
                    **{"retry-after": "3"})
    with pytest.raises(ProviderSaid) as caught:
        its.send_voucher(TOTALS)
    said = caught.value
    assert (said.status, said.code, said.fix, said.retry_after, len(said.message)) == (409, "wrong_head", "f", 3.0, 500)
    assert said.totals is not None and said.totals.open_calls == (7,)


@pytest.mark.parametrize("after", ["soon", "-5", "1e99", "nan"])
def test_refusal__odd_wait__is_bounded(after: str) -> None:
    with pytest.raises(ProviderSaid) as caught:
        answering(429, {"error": {}}, **{"retry-after": after}).start_call("chat", ID, b"")
    assert caught.value.retry_after is None or 0 <= caught.value.retry_after <= 600


def test_start_call__body_and_path__are_those_of_the_protocol() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=iter([b"data: a\n\n"]))

    assert list(client(answer).start_call("embedding", ID, b"\x00\x01")) == ["a"]
    assert seen[0].url.path == "/v1/embeddings"
    assert json.loads(seen[0].content) == {"session": to_hex(ID), "sealed": "AAE="}


def test_stream__events_and_comments_in_any_pieces__come_in_order() -> None:
    pieces = (b"da", b"ta: one\r\n\r", b"\n: keep-alive\n\n", b"data:two\n", b"\ndata: lost")
    assert streaming(*pieces) == ["", "one", "", "two"]


@pytest.mark.parametrize("chunk", [b"\n", b"id: 1\n", b"data: x\n", b": \n", b"x", b": \n\n"])
def test_stream__that_says_nothing__lets_its_reader_look_at_the_clock(chunk: bytes) -> None:
    assert len(streaming(*[chunk] * 20)) >= 19


def test_stream__event_of_endless_lines__is_cut_off() -> None:
    with pytest.raises(TooLarge):
        streaming(*[b"data: " + b"x" * 65_536 + b"\n"] * (MAX_LINE // 65_536 + 2))


def test_any__answer_that_drips__is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("requester.edges.provider_client.WHOLE", -1.0)
    with pytest.raises(Unavailable):
        answering(200, {"sealed": "x"}).read_call(ID, 1, "")


def test_stream__that_breaks__is_unavailable_after_what_came() -> None:
    with pytest.raises(Unavailable):
        streaming(b"data: one\n\n", fails=True)


def test_stream__line_without_end__is_cut_off() -> None:
    with pytest.raises(TooLarge):
        streaming(*[b"data: " + b"x" * 65_536] * (MAX_LINE // 65_536 + 2))


def test_stream__bytes_that_are_none__are_refused() -> None:
    with pytest.raises(BadInput):
        streaming(b"data: \xff\xfe\n\n")


def test_quote__malformed__is_refused() -> None:
    with pytest.raises(Malformed):
        answering(200, {"quote": {}, "signature": "0x"}).ask_quote(signer(1).address, Digest(ID), 1, 1)


def test_read_call__without_a_sealed_end__is_refused() -> None:
    with pytest.raises(Malformed):
        answering(200, {"sealed": 3}).read_call(ID, 1, "")
