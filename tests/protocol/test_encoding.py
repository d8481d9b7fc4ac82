from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.encoding import (
    abi_encode,
    canonical_json,
    from_hex,
    json_digest,
    keccak,
    pack_float32,
    pack_token_ids,
    parse_canonical,
    parse_json,
    to_hex,
    unpack_float32,
)
from protocol.errors import Malformed, TooLarge
from protocol.limits import MAX_JSON_DEPTH

plain_text = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | plain_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(plain_text, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("text", [
    "", "{", "nul", '{"a":1,"a":2}', "NaN", "Infinity", "-Infinity", "1.0", "1e3", '"\\ud800"', '{"\\udfff":1}',
    "[" * (MAX_JSON_DEPTH + 2) + "]" * (MAX_JSON_DEPTH + 2), "[" * 50_000 + "]" * 50_000, "9" * 5_000, "\ufeff1",
])
def test_parse_json__what_has_no_one_meaning__malformed(text: str) -> None:
    with pytest.raises(Malformed):
        parse_json(text.encode())


def test_parse_json__no_utf8__malformed() -> None:
    with pytest.raises(Malformed, match="UTF-8"):
        parse_json(b'"\xff"')


def test_parse_json__over_the_limit__too_large_with_sizes() -> None:
    with pytest.raises(TooLarge) as error:
        parse_json(b'"' + b"a" * 20 + b'"', limit=20)
    assert (error.value.size, error.value.limit) == (22, 20)


@pytest.mark.parametrize("value", [1.5, {"a": [0.1]}, {1: 2}, {"a": b"x"}, {"a": {3}}, "\ud800", {"\ud800": 1}])
def test_canonical_json__no_canonical_text__malformed(value: object) -> None:
    with pytest.raises(Malformed):
        canonical_json(value)


@pytest.mark.parametrize("text", ['{"b":1,"a":2}', '{"a": 1}', "[1, 2]", "1\n", '"\\u0041"', '"\\/"', "-0", "01"])
def test_parse_canonical__another_text_of_the_value__malformed(text: str) -> None:
    with pytest.raises(Malformed):
        parse_canonical(text.encode(), "The test")


@given(values)
def test_canonical_json__any_value__is_read_back_and_is_the_only_text(value: object) -> None:
    text = canonical_json(value)
    assert parse_canonical(text, "It") == value
    spaced = json.dumps(value, indent=1).encode()
    assert canonical_json(parse_json(spaced)) == text
    if spaced != text:
        with pytest.raises(Malformed):
            parse_canonical(spaced, "It")


@given(values, values)
def test_json_digest__two_values__equal_only_when_their_texts_are(left: object, right: object) -> None:
    same = canonical_json(left) == canonical_json(right)
    assert (json_digest(left) == json_digest(right)) is same


def test_canonical_json__keys_and_text__sorted_and_in_utf8() -> None:
    assert canonical_json({"é": [True, None], "a": "\n"}) == '{"a":"\\n","é":[true,null]}'.encode()


@pytest.mark.parametrize("text", [
    "", "00", "0x0", "0xzz", "0x 00", "0x00 ", "0x" + "00" * 31, "0x" + "00" * 33, 5, None,
])
def test_from_hex__not_thirty_two_bytes__malformed(text: object) -> None:
    with pytest.raises(Malformed):
        from_hex(text)


@given(st.binary(max_size=40))
def test_from_hex__of_to_hex__gives_the_bytes_back(data: bytes) -> None:
    assert from_hex(to_hex(data), len(data)) == data == from_hex(to_hex(data), None)


@pytest.mark.parametrize("ids", [[-1], [2**32], ["1"], [1.0]])
def test_pack_token_ids__no_uint32__malformed(ids: list[int]) -> None:
    with pytest.raises(Malformed):
        pack_token_ids(ids)


def test_pack_token_ids__known_ids__little_endian() -> None:
    assert pack_token_ids([1, 2**32 - 1]) == b"\x01\0\0\0\xff\xff\xff\xff"


def test_unpack_float32__cut_off__malformed() -> None:
    with pytest.raises(Malformed, match="5 bytes"):
        unpack_float32(b"12345")


@given(st.lists(st.floats(width=32, allow_nan=False), max_size=8))
def test_unpack_float32__of_packed__same_numbers(numbers: list[float]) -> None:
    assert unpack_float32(pack_float32(numbers)) == numbers


def test_abi_encode__value_over_its_type__malformed() -> None:
    with pytest.raises(Malformed, match="does not fit"):
        abi_encode(["uint32"], [2**32])


def test_keccak__empty__is_ethereums_not_sha3() -> None:
    assert keccak(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
