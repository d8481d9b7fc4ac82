"""What is asked of a session beside its calls: vouchers, totals, ends, quotes, models."""

from __future__ import annotations

import pytest

from protocol.encoding import from_hex, keccak, to_hex
from protocol.envelope import open_part, seal_part
from protocol.messages import offer_digest
from protocol.quotes import Quote, quote_digest
from protocol.sampling import GREEDY
from protocol.signing import Signer, recover
from protocol.wire import from_json, to_json
from provider.edges.fakes import DOMAIN
from provider.flow.replies import ASK_END, CANCEL, END_AGAIN, TOTALS
from tests.provider.session_world import NOW, OFFER, Payer
from tests.provider.shop import Shop
from tests.provider.test_session_routes import parts_of
from tests.provider.world import SERVED


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_voucher__renewed__gives_the_accepted_totals(shop: Shop) -> None:
    signed = to_json(shop.payer.sign(5_000))
    path = f"/v1/sessions/{to_hex(shop.payer.id)}/vouchers"
    other = f"/v1/sessions/{to_hex(bytes(32))}/vouchers"
    assert shop.client.post(other, json=signed).json()["error"]["code"] == "wrong_session"
    answer = shop.client.post(path, json=signed)
    assert answer.json() == {"amount": "5000", "units": 0, "calls": 0, "head": to_hex(shop.payer.id)}
    lower = shop.client.post(path, json=to_json(shop.payer.sign(4_000)))
    assert (lower.status_code, lower.json()["error"]["code"]) == (409, "voucher_stale")


def test_session__asked_for_without_a_calls_key__tells_nothing(shop: Shop) -> None:
    """R129: its id is public, and how much it has used, call by call, is not."""
    request = shop.payer.ask()
    shop.ask(request)
    path, unknown = f"/v1/sessions/{to_hex(shop.payer.id)}", f"/v1/sessions/0x{'00' * 32}"
    assert shop.client.get(path).status_code == 404
    ask = {"sealed": seal_part(request.key, TOTALS, {"kind": "totals"})}
    other_word = {"sealed": seal_part(request.key, TOTALS, {"kind": "cancel"})}
    wrong_key = {"sealed": seal_part(bytes(32), TOTALS, {"kind": "totals"})}
    nonce = request.spec.nonce
    for where, body, status in ((f"{path}/calls/{nonce}/totals", wrong_key, 400), (f"{path}/calls/99/totals", ask, 404),
                                (f"{path}/calls/{nonce}/totals", other_word, 400),
                                (f"{path}/calls/x/totals", ask, 400), (f"{unknown}/calls/1/totals", ask, 404)):
        answer = shop.client.post(where, json=body)
        assert answer.status_code == status and "totals" not in answer.json()["error"]
    found = shop.client.post(f"{path}/calls/{nonce}/totals", json=ask).json()
    assert (found["state"], found["owed"]["calls"], found["held"], found["open_calls"]) == ("OPEN", 1, "0", [])


def test_voucher__of_a_stranger__is_refused_whatever_it_says_and_tells_no_totals(shop: Shop) -> None:
    shop.sessions.accept_voucher(shop.payer.sign(5_000), NOW)
    path, stranger = f"/v1/sessions/{to_hex(shop.payer.id)}/vouchers", Signer(keccak(b"stranger"))
    for amount, changes in ((4_000, {}), (6_000, {}), (10**12, {}), (6_000, {"head": keccak(b"?")}), (9, {"calls": 7})):
        made = shop.payer.sign(amount, by=stranger, **changes)
        answer = shop.client.post(path, json=to_json(made))
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "wrong_signer")
        assert "totals" not in answer.json()["error"] and "5000" not in answer.text
    mine = shop.client.post(path, json=to_json(shop.payer.sign(4_000)))
    assert mine.json()["error"]["totals"]["accepted"]["amount"] == "5000"


def test_ended_call__asked_for_again__sealed_with_its_own_key_and_all_its_tokens(shop: Shop) -> None:
    request = shop.payer.ask()
    *tokens, end = parts_of(shop.ask(request).text, request.key)
    whole = {"ids": [token for part in tokens for token in part["ids"]],
             "logprobs": "0x" + "".join(part["logprobs"][2:] for part in tokens),
             "top": "0x" + "".join(part["top"][2:] for part in tokens)}
    path = f"/v1/sessions/{to_hex(shop.payer.id)}/calls"
    ask = {"sealed": seal_part(request.key, ASK_END, {"kind": "end"})}
    sealed = shop.client.post(f"{path}/{request.spec.nonce}/end", json=ask).json()["sealed"]
    assert open_part(request.key, END_AGAIN, sealed) == end | whole
    wrong_key = {"sealed": seal_part(bytes(32), ASK_END, {"kind": "end"})}
    assert shop.client.post(f"{path}/{request.spec.nonce}/end", json=wrong_key).status_code == 400
    assert shop.client.get(f"{path}/1").status_code == shop.client.post(f"{path}/99/end", json=ask).status_code == 404
    for wrong in ("-1", "1.5", "9" * 30, "one"):
        assert shop.client.post(f"{path}/{wrong}/end", json=ask).json()["error"]["code"] == "malformed"


def test_ended_call__still_running__404(shop: Shop) -> None:
    request = shop.payer.ask()
    row = shop.sessions.admit(request, "chat", 7, NOW)
    ask = {"sealed": seal_part(request.key, ASK_END, {"kind": "end"})}
    assert shop.client.post(f"/v1/sessions/{to_hex(shop.payer.id)}/calls/{row.nonce}/end", json=ask).status_code == 404


def test_route__that_is_none__404_not_found(shop: Shop) -> None:
    assert shop.client.get("/v1/nothing").json()["error"]["code"] == "not_found"


def test_cancel__without_the_calls_key__400_and_with_it_the_call_ends(shop: Shop) -> None:
    request = shop.payer.ask()
    row = shop.sessions.admit(request, "chat", 7, NOW)
    path = f"/v1/sessions/{to_hex(shop.payer.id)}/calls/{row.nonce}/cancel"
    assert shop.client.post(path, json={"sealed": seal_part(bytes(32), CANCEL, {"kind": "cancel"})}).status_code == 400
    assert not shop.sessions.calls[row.call_id].cancel_asked
    answer = shop.client.post(path, json={"sealed": seal_part(request.key, CANCEL, {"kind": "cancel"})})
    assert answer.json() == {"cancelled": True}
    assert shop.sessions.calls[row.call_id].cancel_asked and row.call_id in shop.replies.left


def test_quote__asked_for__is_a_signed_bound(shop: Shop) -> None:
    """R112: a quote binds its provider."""
    asked = {"requester": Payer().signer.address, "offer": to_hex(offer_digest(DOMAIN, OFFER)), "input_tokens": 7,
             "max_output_tokens": 20}
    answer = shop.client.post("/v1/quotes", json=asked).json()
    quote = from_json(Quote, answer["quote"])
    assert (quote.most, quote.valid_until) == (7 * 10 + 20 * 100, int(NOW) + 60)
    assert recover(quote_digest(DOMAIN, quote), from_hex(answer["signature"], 65)) == shop.keys.address
    for change in ({"offer": to_hex(bytes(32))}, {"max_output_tokens": 2001}, {"input_tokens": -1}, {"more": 1}):
        assert shop.client.post("/v1/quotes", json=asked | change).status_code in (400, 404)


def test_models__one_that_is_served__with_what_names_it(shop: Shop) -> None:
    (model,) = shop.client.get("/v1/models").json()["data"]
    assert (model["id"], model["object"], model["malla"]["model"]) == (SERVED.name, "model", to_hex(SERVED.model))
    assert GREEDY in model["malla"]["samplers"]
