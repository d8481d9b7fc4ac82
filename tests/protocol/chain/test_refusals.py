"""Revert data as sentences, for every error that the contracts can throw."""

from __future__ import annotations

import json

import pytest
import requests
from eth_abi import encode
from hypothesis import given
from hypothesis import strategies as st
from web3.exceptions import Web3RPCError

from protocol.chain.abi import FILES, contract_abis
from protocol.chain.refusal_table import AMOUNTS, TABLE
from protocol.chain.refusals import refusal, refusal_of_message
from protocol.chain.rpc import NodeRejected, Rpc
from protocol.encoding import to_hex
from protocol.errors import ChainRefused, ChainUnreachable, MallaError
from protocol.units import TOKEN

ERRORS = [error for abi in contract_abis().values() for error in abi.errors.values()]
SAMPLES = {
    "address": "0x" + "ab" * 20, "uint256": 2 * TOKEN, "uint16": 3, "uint8": 1, "uint48": 4, "bytes32": b"\1" * 32,
    "string": "it",
}
ADDRESS = "0x" + "ab" * 20


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.name)
def test_refusal__each_custom_error__a_sentence_with_its_operands(error) -> None:  # type: ignore[no-untyped-def]
    data = error.hash[:4] + encode(error.types, [SAMPLES[kind] for kind in error.types])
    found = refusal(data)
    assert found.error == error.name and set(found.operands) == set(error.names)
    assert found.message.endswith(".") and "{" not in found.message and found.fix
    for name in error.names:
        assert name in found.message or str(found.operands[name]) in found.message or (error.name, name) in AMOUNTS


def test_table__every_entry__is_an_error_of_the_contracts() -> None:
    assert set(TABLE) <= {error.name for error in ERRORS}
    assert {name for name, _ in AMOUNTS} <= set(TABLE)


def test_refusal__amounts__in_tokens_for_people_and_in_wei_for_programs() -> None:
    error = next(error for error in ERRORS if error.name == "BalanceTooLow")
    found = refusal(error.hash[:4] + encode(error.types, [ADDRESS, TOKEN // 2, 3 * TOKEN]))
    assert "holds 0.5 free tokens" in found.message and ", 3 are needed" in found.message
    assert (found.operands["balance"], found.operands["asked"]) == (TOKEN // 2, 3 * TOKEN)


def test_refusal__reason_string_and_panic__are_told() -> None:
    told = refusal(bytes.fromhex("08c379a0") + encode(["string"], ["no way"])).message
    assert told == "The contract refuses: no way."
    assert refusal(bytes.fromhex("4e487b71") + encode(["uint256"], [0x11])).operands == {"code": 0x11}


@given(st.binary(min_size=4, max_size=80))
def test_refusal__any_bytes__never_raises_and_keeps_the_selector(data: bytes) -> None:
    assert isinstance(refusal(data), ChainRefused)
    if data[:4] not in {error.hash[:4] for error in ERRORS}:
        assert to_hex(data[:4]) in refusal(data).message or refusal(data).error in ("Error", "Panic")


@pytest.mark.parametrize("error", [error for error in ERRORS if error.types], ids=lambda error: error.name)
def test_refusal__operands_cut_off__told_as_unknown(error) -> None:  # type: ignore[no-untyped-def]
    assert refusal(error.hash[:4]).error == "Unknown"


@pytest.mark.parametrize(("message", "error"), [
    ("Insufficient funds for gas * price + value", "InsufficientFunds"), ("execution reverted", "Reverted"),
    ("gas required exceeds allowance (30000000)", "OutOfGas"), ("header not found", None), ("", None),
])
def test_refusal_of_message__nodes_words__known_ones_only(message: str, error: str | None) -> None:
    found = refusal_of_message(message)
    assert (found.error if found else None) == error


class FakeNode:
    """Answers each request with one value, or raises it."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def make_request(self, method: str, params: object) -> object:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def rpc_to(answer: object) -> Rpc:
    rpc = Rpc("http://node.example/v1/accesskey", 1)
    rpc._provider = FakeNode(answer)  # type: ignore[assignment]
    return rpc


ANSWERS: list[object] = [
    requests.exceptions.ConnectTimeout("http://node.example/v1/accesskey"),
    requests.exceptions.ConnectionError("http://node.example/v1/accesskey"),
    requests.exceptions.HTTPError("429 for http://node.example/v1/accesskey"),
    json.JSONDecodeError("x", "<html>", 0), Web3RPCError("bad"), ConnectionResetError(), None, [], {},
    {"error": {"code": -32000, "message": "header not found"}}, {"error": "busy"}, {"result": "0xzz"}, {"result": {}},
]


@pytest.mark.parametrize("answer", ANSWERS, ids=repr)
def test_rpc__node_away_or_answers_nonsense__chain_unreachable_without_its_url(answer: object) -> None:
    with pytest.raises(ChainUnreachable) as error:
        rpc_to(answer).chain_id()
    assert "accesskey" not in error.value.message and error.value.fix


@pytest.mark.parametrize("wrap", [lambda data: data, lambda data: {"data": data}])
def test_rpc__revert_data__chain_refused_decoded(wrap) -> None:  # type: ignore[no-untyped-def]
    error = next(error for error in ERRORS if error.name == "UnknownSetVersion")
    data = to_hex(error.hash[:4] + encode(["uint256"], [9]))
    answer = {"error": {"code": 3, "message": "execution reverted", "data": wrap(data)}}
    with pytest.raises(ChainRefused) as refused:
        rpc_to(answer).call(ADDRESS, b"")
    assert (refused.value.error, refused.value.operands) == ("UnknownSetVersion", {"setVersion": 9})


@pytest.mark.parametrize(("message", "known"), [
    ("already known", True), ("transaction already imported", True), ("nonce too low", False), ("underpriced", False),
])
def test_send_raw__node_does_not_take_it__rejected_unless_it_has_it(message: str, known: bool) -> None:
    rpc = rpc_to({"error": {"code": -32000, "message": message}})
    if known:
        rpc.send_raw(b"raw")
        return
    with pytest.raises(NodeRejected, match=message):
        rpc.send_raw(b"raw")


def test_chain_errors__all_of_them__are_mallas() -> None:
    assert issubclass(NodeRejected, MallaError) and set(FILES) == set(contract_abis())
