"""The routes of sessions over fakes: what is refused with which status, and what streams."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from protocol.encoding import keccak, to_hex
from protocol.envelope import open_part, seal_part
from protocol.errors import Unavailable
from protocol.limits import MAX_JSON_BODY
from protocol.signing import Signer
from protocol.types import Sampler
from provider.edges.fakes import DOMAIN, FakeKeys
from provider.flow import admission
from provider.ports.replies import Entry, Event
from provider.records.sessions import CallStage, call_id
from provider.shelf import Shelf
from tests.provider.session_world import CAP, NOW, Payer
from tests.provider.shop import CHAT, Shop
from tests.provider.world import OWNER, SERVED


@pytest.fixture
def shop() -> Shop:
    return Shop()


def parts_of(text: str, key: bytes) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in text.split("\n\n") if line.startswith("data: ")]
    return [open_part(key, number, line) for number, line in enumerate(lines)]


def test_body__openai_without_a_session__402_that_names_the_gateway(shop: Shop) -> None:
    answer = shop.client.post(CHAT, content=b'{"model": "m", "temperature": 0.7, "messages": []}')
    assert (answer.status_code, answer.json()["error"]["code"]) == (402, "no_session")
    assert "malla request serve" in answer.json()["error"]["fix"]


@pytest.mark.parametrize(("content", "status"), [
    (b"[" * 100_000, 400), (b'{"session": NaN}', 400), (b"\xff\xfe", 400), (b"[]", 400), (b"", 400),
    (b'{"session": 5, "sealed": ""}', 400), (b'{"session": "0x00", "sealed": ""}', 400), (b"x" * 10**7, 413),
    (b'{"session": "0x' + b"00" * 32 + b'", "sealed": "*"}', 400),
    (b'{"session": "0x' + b"00" * 32 + b'", "sealed": "", "model": "m"}', 400),
])
def test_body__malformed_or_too_large__standard_error_object(shop: Shop, content: bytes, status: int) -> None:
    answer = shop.client.post(CHAT, content=content)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"].keys() == {"message", "type", "param", "code", "fix"}


def test_body__length_not_announced__refused_while_it_is_read(shop: Shop) -> None:
    taken = 0

    def parts() -> Any:
        nonlocal taken
        while taken < 10**8:
            taken += 2**16
            yield b"x" * 2**16

    assert shop.client.post(CHAT, content=parts()).status_code == 413
    assert MAX_JSON_BODY < 10**8


def test_call__sealed_to_another_key__400(shop: Shop) -> None:
    answer = shop.client.post(CHAT, json=shop.body(shop.payer.ask(), FakeKeys("other").encryption_key))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_seal")


def test_call__altered_by_a_relay__400(shop: Shop) -> None:
    body = shop.body(shop.payer.ask())
    sealed = bytearray(base64.b64decode(body["sealed"]))
    sealed[100] ^= 1
    answer = shop.client.post(CHAT, json=body | {"sealed": base64.b64encode(sealed).decode()})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_seal")


def test_call__session_not_seen_yet__404_and_when_to_try_again(shop: Shop) -> None:
    shop.payer = Payer(nonce=9)
    answer = shop.ask(shop.payer.ask())
    assert (answer.status_code, answer.json()["error"]["code"], answer.headers["retry-after"]) == (
        404, "session_unknown", "1")


@pytest.mark.parametrize(("changes", "status", "code"), [
    ({"chain_id": 1}, 403, "wrong_chain"), ({"escrow": OWNER}, 403, "wrong_chain"),
    ({"requester": OWNER}, 403, "wrong_session"), ({"provider": Payer().signer.address}, 403, "wrong_session"),
    ({"prompt_blob": keccak(b"another")}, 403, "wrong_session"), ({"model": keccak(b"m")}, 404, "unknown_model"),
    ({"profile": keccak(b"p")}, 404, "unknown_profile"), ({"sampler": Sampler("beam", 0)}, 400, "unknown_sampler"),
    ({"audit": "never"}, 400, "unknown_audit"), ({"input_tokens": 8}, 400, "input_tokens"),
    ({"input_tokens": 1001}, 400, "too_many_tokens"), ({"max_output_tokens": 2001}, 400, "too_many_tokens"),
    ({"max_output_tokens": 1900}, 400, "too_many_tokens"), ({"prompt_digest": keccak(b"q")}, 400, "tampered"),
])
def test_call__spec_that_does_not_fit__refused_before_its_voucher(shop: Shop, changes: dict[str, Any], status: int,
                                                                  code: str) -> None:
    answer = shop.ask(shop.payer.request(shop.payer.sign(10**6), **changes))
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    assert not shop.sessions.calls and shop.sessions.rows[shop.payer.id].voucher is None


@pytest.mark.parametrize("sampler", [Sampler("gumbel", 1, 700), Sampler("greedy", 0, min_tokens=1)])
def test_call__sampler_that_the_profile_does_not_know__refused_before_its_voucher(sampler: Sampler) -> None:
    shop = Shop(changes={"shelf": Shelf((replace(SERVED, samplers=("greedy",), min_tokens=0),))})
    answer = shop.ask(shop.payer.request(shop.payer.sign(10**6), sampler=sampler))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unknown_sampler")
    assert not shop.sessions.calls and shop.sessions.rows[shop.payer.id].voucher is None


def voucher(payer: Payer, kind: str) -> Any:
    enough = payer.needs()
    return {"low": lambda: payer.sign(enough - 1), "over": lambda: payer.sign(CAP + 1),
            "chain": lambda: payer.sign(enough, domain=replace(DOMAIN, chain_id=1)),
            "stranger": lambda: payer.sign(enough, by=Signer(keccak(b"stranger"))),
            "head": lambda: payer.sign(enough, head=keccak(b"head"))}[kind]()


@pytest.mark.parametrize(("kind", "status", "code"), [
    ("low", 402, "not_covered"), ("over", 402, "over_cap"), ("chain", 403, "wrong_signer"),
    ("stranger", 403, "wrong_signer"), ("head", 409, "wrong_head")])
def test_call__voucher_that_is_not_taken__status_code_and_totals(shop: Shop, kind: str, status: int, code: str) -> None:
    answer = shop.ask(shop.payer.request(voucher(shop.payer, kind)))
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    owed = {"amount": "0", "units": 0, "calls": 0, "head": to_hex(shop.payer.id)}
    assert error.get("totals", {}).get("owed") == (None if code == "wrong_signer" else owed)
    assert shop.desk.backend.runs == 0


def test_call__of_a_stranger__refused_before_its_prompt_is_counted(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[object] = []
    monkeypatch.setattr(admission, "check_call", lambda *asked: counted.append(asked) or 7)
    answer = shop.ask(shop.payer.request(voucher(shop.payer, "stranger")))
    assert (answer.status_code, counted) == (403, [])
    shop.ask(shop.payer.request(voucher(shop.payer, "low")))
    assert len(counted) == 1


def test_call__replayed__409_and_run_once(shop: Shop) -> None:
    request = shop.payer.ask()
    assert [shop.ask(request).status_code for _ in range(2)] == [200, 409]
    assert shop.desk.backend.runs == 1


def test_call__all_streams_taken__429_before_the_voucher_is_looked_at(shop: Shop) -> None:
    for _ in range(shop.streams):
        shop.sessions.admit(shop.payer.ask(beside=10_000 * shop.payer.calls), "chat", 7, NOW)
    before = shop.sessions.rows[shop.payer.id].voucher
    answer = shop.ask(shop.payer.ask(beside=10**6))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert answer.json()["error"]["type"] == "rate_limit_error"
    assert shop.sessions.rows[shop.payer.id].voucher is before


def test_call__worker_gives_no_sign_of_life__503(shop: Shop) -> None:
    shop.desk.clock.now += 60
    assert shop.ask(shop.payer.ask()).status_code == 503


def test_call__broker_gone__503_and_nothing_owed(shop: Shop) -> None:
    shop.replies.gone = True
    assert shop.ask(shop.payer.ask()).status_code == 503
    assert [call.stage for call in shop.sessions.calls.values()] == [CallStage.FAILED]


def test_call__kind_that_is_not_served__404_unknown_model(shop: Shop) -> None:
    answer = shop.ask(shop.payer.ask(), "/v1/embeddings")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_model")


def test_call__failed_before_its_first_token__told_by_the_status(shop: Shop) -> None:
    def fail() -> None:
        raise Unavailable("The model server does not answer.")

    shop.desk.backend.before_token = fail
    answer = shop.ask(shop.payer.ask())
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")


@pytest.mark.parametrize("path", [CHAT, "/v1/completions"])
def test_call__served__streams_sealed_parts_to_the_end(shop: Shop, path: str) -> None:
    request = shop.payer.ask()
    answer = shop.ask(request, path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    parts = parts_of(answer.text, request.key)
    assert [part["kind"] for part in parts] == ["tokens", "tokens", "end"]
    assert "Lima" not in answer.text
    assert call_id(shop.payer.id, request.spec.nonce) not in shop.replies.left


def lose(shop: Shop) -> Callable[[bytes], None]:
    def work(identity: bytes) -> None:
        row = shop.sessions.calls[identity]
        shop.sessions.calls[identity] = replace(row, stage=CallStage.RUNNING)
        part = {"kind": "tokens", "ids": [5], "logprobs": "0x", "top": "0x"}
        shop.replies.send(identity, [Entry(Event.PART, seal_part(row.key, 0, part))])

    return work


def test_call__worker_dies_in_the_middle__error_part_and_nothing_owed(shop: Shop,
                                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provider.api.reply_stream.LOST_SECONDS", 0.05)
    monkeypatch.setattr("provider.api.reply_stream.KEEP_ALIVE_SECONDS", 0.01)
    shop.replies.work, request = lose(shop), shop.payer.ask()
    answer = shop.ask(request)
    parts = parts_of(answer.text, request.key)
    assert [(part["kind"], part.get("code")) for part in parts] == [("tokens", None), ("error", "worker_lost")]
    assert ": keep-alive\n\n" in answer.text
    totals = shop.sessions.session_totals(shop.payer.id)
    assert totals is not None and (totals.owed.amount, totals.held) == (0, 0)
