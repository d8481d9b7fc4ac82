"""API keys, and who may reach the gateway at all."""

from __future__ import annotations

import openai
import pytest

from protocol.encoding import keccak
from protocol.errors import BadInput, ConfigInvalid, Unavailable
from protocol.units import TOKEN, Wei
from requester.flow.api_keys import KeyRefused
from requester.gateway.app import require_safe
from tests.requester.fakes import START, signer
from tests.requester.gateway_world import CHAT, FakeDesk, client_of, http_of, now, post

CAP, END = Wei(5 * TOKEN), START + 3600


def created(desk: FakeDesk, *models: str) -> str:
    return desk.keys.create("app", CAP, END, models, START)[0]


def ask(desk: FakeDesk, api_key: str, **options: object) -> str | None:
    reply = now(client_of(desk, api_key, **options).chat.completions.create(**CHAT))
    return reply.choices[0].message.content


def test_create__key__is_bound_in_the_escrow_and_kept_as_a_digest() -> None:
    desk = FakeDesk("Hi")
    bearer, key = desk.keys.create("app", CAP, END, ["Tiny-1M"], START)
    assert desk.sender.sent == [("authorise", signer(8).address, CAP, END, (keccak(b"Tiny-1M"),))]
    assert bearer.startswith("malla-") and len(bearer) > 40 and key.state == "ACTIVE"
    assert bearer not in repr(desk.keys.list()) and desk.keys.list() == (key,)


@pytest.mark.parametrize(("cap", "ends_at", "models"), [(0, END, ()), (CAP, START, ()), (CAP, END, ("m",) * 17)])
def test_create__bounds_that_mean_nothing__is_refused(cap: int, ends_at: int, models: tuple[str, ...]) -> None:
    desk = FakeDesk("Hi")
    with pytest.raises(BadInput):
        desk.keys.create("app", Wei(cap), ends_at, models, START)
    assert (desk.sender.sent, desk.keys.list()) == ([], ())


def test_revoke__chain_away__refuses_the_key_at_once_and_can_be_repeated() -> None:
    desk = FakeDesk("Hi")
    bearer, key = desk.keys.create("app", CAP, END, (), START)
    desk.sender.fails = Unavailable("No node answers.")
    with pytest.raises(Unavailable):
        desk.keys.revoke(key.id)
    with pytest.raises(KeyRefused, match="revoked"):
        desk.keys.admit(bearer, START)
    desk.sender.fails = None
    assert desk.keys.revoke("app").state == "REVOKED"
    assert desk.sender.sent[1:] == [("revoke", key.address)]
    assert desk.keys.revoke(key.id).state == "REVOKED" and len(desk.sender.sent) == 2


def test_revoke__key_that_is_none__is_refused() -> None:
    with pytest.raises(BadInput, match="no key 'x'"):
        FakeDesk("Hi").keys.revoke("x")


def test_call__with_a_key__is_paid_by_it() -> None:
    desk = FakeDesk("Hi")
    bearer = created(desk)
    assert ask(desk, bearer, needs_key=True) == "Hi"
    assert desk.wanted[0].key_id == desk.keys.list()[0].id


def test_call__without_a_key__is_paid_by_the_wallet_where_none_is_asked_for() -> None:
    desk = FakeDesk("Hi")
    assert ask(desk, "sk-whatever") == "Hi" and desk.wanted[0].key_id is None


def test_call__key_that_is_not_ours__is_unauthorised() -> None:
    for api_key, options in (("malla-" + "x" * 43, {}), ("sk-whatever", {"needs_key": True})):
        desk = FakeDesk("Hi")
        with pytest.raises(openai.AuthenticationError):
            ask(desk, api_key, **options)
        assert desk.wanted == []


def test_call__revoked_or_expired_key__is_unauthorised() -> None:
    desk = FakeDesk("Hi")
    bearer = created(desk)
    desk.now = END
    with pytest.raises(openai.AuthenticationError, match="expired"):
        ask(desk, bearer)
    desk.now = START
    desk.keys.revoke("app")
    with pytest.raises(openai.AuthenticationError, match="revoked"):
        ask(desk, bearer)
    assert desk.wanted == []


def test_call__model_that_the_key_may_not_use__is_forbidden() -> None:
    desk = FakeDesk("Hi")
    with pytest.raises(openai.PermissionDeniedError) as caught:
        ask(desk, created(desk, "Other-7B"))
    assert caught.value.code == "model_not_allowed" and desk.wanted == []
    assert ask(desk, created(desk, "TINY-1m")) == "Hi"


def test_models__key_that_is_not_ours__is_unauthorised() -> None:
    with pytest.raises(openai.AuthenticationError):
        now(client_of(FakeDesk(), "sk-x", needs_key=True).models.retrieve("tiny-1m"))


def test_health__key_that_is_not_ours__says_nothing_of_the_wallet() -> None:
    reply = now(http_of(FakeDesk(), needs_key=True).get("/v1/health"))
    assert reply.status_code == 401 and "escrow" not in reply.text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "", "[::2]:80"])
def test_gateway__called_by_another_name__is_refused(host: str) -> None:
    """A page whose name was made to point at this machine still says its own name."""
    desk = FakeDesk("Hi")
    reply = post(desk, headers={"host": host})
    assert (reply.status_code, reply.json()["error"]["code"], desk.wanted) == (403, "host_not_allowed", [])


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "[::1]:9", "LocalHost"])
def test_gateway__called_by_a_name_of_this_machine__answers(host: str) -> None:
    assert post(FakeDesk("Hi"), headers={"host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost:3000", "null"])
def test_gateway__called_by_a_page__is_refused(origin: str) -> None:
    desk = FakeDesk("Hi")
    reply = post(desk, headers={"origin": origin})
    assert (reply.status_code, reply.json()["error"]["code"], desk.wanted) == (403, "origin_not_allowed", [])
    assert "access-control-allow-origin" not in reply.headers


def test_gateway__called_by_a_page_that_was_named__answers_it_alone() -> None:
    page = "http://localhost:3000"

    async def ask_as(origin: str) -> tuple[int, int, str | None]:
        headers = {"origin": origin, "access-control-request-headers": "authorization,content-type"}
        async with http_of(FakeDesk("Hi"), origins=(page,)) as http:
            asked = await http.options("/v1/chat/completions", headers=headers)
            reply = await http.post("/v1/chat/completions", json=CHAT, headers={"origin": origin})
            return asked.status_code, reply.status_code, reply.headers.get("access-control-allow-origin")

    assert now(ask_as(page)) == (204, 200, page)
    assert now(ask_as("http://localhost:3001")) == (403, 403, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org"])
def test_serve__open_to_other_machines_without_keys__is_refused(host: str) -> None:
    with pytest.raises(ConfigInvalid, match="other machines"):
        require_safe(host, False)
    require_safe(host, True)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.0.1"])
def test_serve__on_this_machine__needs_no_keys(host: str) -> None:
    require_safe(host, False)
