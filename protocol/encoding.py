"""Canonical bytes and digests.

Canonical JSON is UTF-8 with sorted keys, no white space and no floats, so that one value has one text and one digest
(a subset of RFC 8785). Whatever is a real number travels as a decimal string or as little-endian float32 bytes.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Sequence
from typing import Any

from eth_abi import encode as _encode
from eth_abi.exceptions import EncodingError
from eth_hash.auto import keccak as _keccak

from protocol.errors import Malformed, TooLarge
from protocol.limits import MAX_JSON_BODY, MAX_JSON_DEPTH
from protocol.units import Digest

ZERO = Digest(b"\x00" * 32)


def keccak(data: bytes) -> Digest:
    return Digest(_keccak(data))


def abi_encode(types: Sequence[str], values: Sequence[Any]) -> bytes:
    """`abi.encode` of Solidity. Raises Malformed when a value does not fit its type, such as 2**32 for a uint32."""
    try:
        return _encode(types, values)
    except EncodingError as error:
        raise Malformed(f"A value does not fit its type in the contracts: {error}.") from error


def canonical_json(value: Any) -> bytes:
    """The one text of a JSON value. Raises Malformed on floats, non-string keys, lone surrogates or deep nesting."""
    _check(value, 0)
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8")
    except ValueError as error:
        raise Malformed(f"This value has no canonical JSON: {error}.") from error


def parse_json(data: bytes, what: str = "The body", limit: int = MAX_JSON_BODY) -> Any:
    """Decode JSON of at most `limit` bytes, without duplicate keys, NaN, floats, lone surrogates or more than
    MAX_JSON_DEPTH levels."""
    if len(data) > limit:
        raise TooLarge(what, len(data), limit)
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_without_duplicates, parse_constant=_no_constant,
                           parse_float=_no_float)
    except ValueError as error:
        raise Malformed(f"{what} is not JSON in UTF-8: {error}.") from error
    except RecursionError as error:
        raise Malformed(f"{what} is nested too deeply, the limit is {MAX_JSON_DEPTH} levels.") from error
    _check(value, 0)
    return value


def parse_canonical(data: bytes, what: str, limit: int = MAX_JSON_BODY) -> Any:
    """`parse_json`, and the bytes must be the canonical ones: otherwise two texts would share one meaning."""
    value = parse_json(data, what, limit)
    if canonical_json(value) != data:
        raise Malformed(f"{what} is not in canonical form: sort the keys and leave out the white space.")
    return value


def json_digest(value: Any) -> Digest:
    return keccak(canonical_json(value))


def to_hex(data: bytes) -> str:
    return "0x" + data.hex()


def from_hex(text: Any, length: int | None = 32, what: str = "The value") -> bytes:
    """Bytes of a 0x string, of exactly `length` bytes unless it is None."""
    if not isinstance(text, str) or not text.startswith("0x"):
        raise Malformed(f"{what} must be a string that begins with 0x.")
    try:
        data = bytes.fromhex(text[2:])
    except ValueError as error:
        raise Malformed(f"{what} is not hexadecimal.") from error
    if len(text) != 2 + 2 * len(data):  # Python skips white space between the bytes
        raise Malformed(f"{what} is not hexadecimal.")
    if length is not None and len(data) != length:
        raise Malformed(f"{what} has {len(data)} bytes instead of {length}.")
    return data


def digest_from(text: Any, what: str) -> Digest:
    return Digest(from_hex(text, 32, what))


def pack_unit(unit: int) -> bytes:
    """Number of an audited unit where a draw hashes it: two bytes big-endian, four from 65,536 on."""
    return unit.to_bytes(2 if unit < 2**16 else 4, "big")


def pack_token_ids(token_ids: Iterable[int]) -> bytes:
    """Token ids as uint32 little-endian, in order. Raises Malformed outside 0 … 2**32 - 1."""
    ids = list(token_ids)
    try:
        return struct.pack(f"<{len(ids)}I", *ids)
    except struct.error as error:
        raise Malformed("A token id is not an integer from 0 to 4294967295.") from error


def pack_float32(values: Sequence[float]) -> bytes:
    """Real numbers as IEEE 754 float32 little-endian, in order; rounds to nearest."""
    return struct.pack(f"<{len(values)}f", *values)


def unpack_float32(data: bytes, what: str = "The logprobs") -> list[float]:
    if len(data) % 4:
        raise Malformed(f"{what} have {len(data)} bytes, which is no multiple of 4.")
    return list(struct.unpack(f"<{len(data) // 4}f", data))


def _check(value: Any, depth: int) -> None:
    if depth > MAX_JSON_DEPTH:
        raise Malformed(f"The value is nested deeper than {MAX_JSON_DEPTH} levels.")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise Malformed(f"The key {key!r} is not a string.")
            _check_text(key)
            _check(item, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            _check(item, depth + 1)
    elif isinstance(value, float):
        raise Malformed("A floating-point number has no canonical text: send an integer or a decimal string.")
    elif isinstance(value, str):
        _check_text(value)
    elif not isinstance(value, int | bool | None):
        raise Malformed(f"A value of type {type(value).__name__} is not JSON.")


def _check_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Malformed("A text holds half of a surrogate pair, which UTF-8 cannot write.") from error


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise Malformed("The same key occurs twice in one object.")
    return value


def _no_constant(text: str) -> Any:
    raise Malformed(f"{text} is not a JSON number.")


def _no_float(text: str) -> Any:
    raise Malformed(f"The number {text} is not an integer: send an integer or a decimal string.")
