"""Receipts: a valid one passes every check, and no field of it can be changed without a check that fails."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.encoding import canonical_json
from protocol.errors import Malformed
from protocol.receipt import Receipt
from protocol.wire import from_json, to_json
from requester.client import Client
from requester.flow.receipts import check_receipt, parse_receipt, receipt_document
from tests.requester.world import World

Path = tuple[str | int, ...]
# Nothing offline can bind the transaction's hash: `--rpc-url` looks it up.
UNBOUND = {("settlement_tx",)}


@functools.cache
def settled() -> tuple[World, Receipt]:
    """A job that was settled, and its receipt: exactly a quorum signed, so that each signature counts."""
    world = World()
    found: list[Receipt] = []
    world.acts = [world.commit, lambda: found.append(world.settle())]  # type: ignore[list-item]
    Client(world.market).run("Hello?", max_tokens=8)
    return world, found[0]


def fails(receipt: Receipt) -> list[str]:
    world, _ = settled()
    seats = frozenset(oracle.address for oracle in world.oracles)
    checks = check_receipt(receipt, world.domain.chain_id, world.domain.contract, seats, world.models)
    return [check.name for check in checks if not check.holds]


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path of every value in a JSON document that holds no others."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from leaves(item, (*path, key))
    if not isinstance(value, dict | list):
        yield path


def changed(document: Any, path: Path, to: Any) -> Any:
    altered = copy.deepcopy(document)
    place = functools.reduce(lambda inner, key: inner[key], path[:-1], altered)
    place[path[-1]] = to
    return altered


def value_at(document: Any, path: Path) -> Any:
    return functools.reduce(lambda inner, key: inner[key], path, document)


DOCUMENT = to_json(settled()[1])
PATHS = sorted(set(leaves(DOCUMENT)) - UNBOUND, key=str)


def is_accepted(document: Any) -> bool:
    """Whether a reader would take the receipt: it is well-formed and every check holds."""
    try:
        return fails(from_json(Receipt, document)) == []
    except Malformed:
        return False


def test_check_receipt__valid__passes_every_check() -> None:
    assert fails(settled()[1]) == [] and is_accepted(DOCUMENT)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ".".join(map(str, path)))
def test_check_receipt__one_field_changed__fails(path: Path) -> None:
    value = value_at(DOCUMENT, path)
    if value is None:
        other: Any = "a GPU"
    elif isinstance(value, int):
        other = value + 1
    elif value.startswith("0x"):
        other = value[:-1] + ("1" if value[-1] != "1" else "2")
    elif value.isdigit():
        other = str(int(value) + 1)
    else:
        other = {"PASS": "FRAUD", "stop": "length"}.get(value, value + "x")
    assert not is_accepted(changed(DOCUMENT, path, other))


VALUES = st.one_of(st.integers(0, 2**64 - 1), st.text(max_size=40), st.binary(max_size=70), st.none())


@given(st.sampled_from(PATHS), VALUES)
def test_check_receipt__any_other_value__fails(path: Path, value: Any) -> None:
    other = "0x" + value.hex() if isinstance(value, bytes) else value
    before = value_at(DOCUMENT, path)
    if other == before or str(other).lower() == str(before).lower():
        return
    assert not is_accepted(changed(DOCUMENT, path, other))


@pytest.mark.parametrize("part", ["entries", "members", "decisions", "signatures"])
def test_check_receipt__a_line_left_out__fails(part: str) -> None:
    assert not is_accepted({**DOCUMENT, part: DOCUMENT[part][:-1]})


def test_check_receipt__one_signature_twice__is_no_quorum() -> None:
    signatures = DOCUMENT["signatures"]
    assert fails(from_json(Receipt, {**DOCUMENT, "signatures": [signatures[0], *signatures[:2]]})) == ["quorum"]


def test_check_receipt__other_deployment__fails() -> None:
    world, receipt = settled()
    seats = frozenset(oracle.address for oracle in world.oracles)
    for chain_id, escrow in ((1, world.domain.contract), (31337, world.owner.address)):
        checks = check_receipt(receipt, chain_id, escrow, seats, None)
        assert [check.name for check in checks if not check.holds] == ["deployment"]


def test_check_receipt__seats_not_those_trusted__fails() -> None:
    world, receipt = settled()
    checks = check_receipt(receipt, 31337, world.domain.contract, frozenset({world.owner.address}), None)
    assert [check.name for check in checks if not check.holds] == ["committee"]


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"format":"malla-receipt/1","receipt":{}}', b"\xff"])
def test_parse_receipt__not_a_receipt__is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_receipt(data)


def test_parse_receipt__as_written__is_the_same() -> None:
    _, receipt = settled()
    assert parse_receipt(canonical_json(receipt_document(receipt))) == receipt
    assert parse_receipt(json.dumps(receipt_document(receipt), indent=2).encode()) == receipt


def test_wait__every_receipt_forged__keeps_none() -> None:
    world = World()

    def settle_and_forge() -> None:
        world.settle()
        for oracle in world.oracles:
            oracle.receipts[world.job().job_id]["batch_id"] = 9

    world.acts = [world.commit, settle_and_forge]
    result = Client(world.market).run("Hello?", max_tokens=8)
    assert (result.state, result.receipt_path, world.files.receipts) == ("SETTLED", "", {})


def test_wait__first_receipts_forged__takes_the_true_one() -> None:
    world = World()

    def settle_and_forge() -> None:
        world.settle()
        for oracle in world.oracles[:3]:
            oracle.receipts[world.job().job_id] = {"batch_id": "?"}

    world.acts = [world.commit, settle_and_forge]
    assert Client(world.market).run("Hello?", max_tokens=8).receipt_path
