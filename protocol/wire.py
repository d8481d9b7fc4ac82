"""JSON forms of the nouns, both ways, derived from their type hints: one rule a type, no form by hand.

Wei is a decimal string, bytes are 0x strings (a Digest has exactly 32 bytes), an enum is its name, an Address is
checksummed, an int is a non-negative integer below 2**64, a dataclass is an object with exactly its fields.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar

from eth_utils import is_hex_address, to_checksum_address

from protocol.encoding import from_hex, to_hex
from protocol.errors import Malformed
from protocol.units import UINT96_MAX, Address, Digest, Seconds, Wei

T = TypeVar("T")
_MAX_INT = 2**64


def to_json(value: Any) -> Any:
    """A noun as a JSON object: ready for `canonical_json` or a response body."""
    return _encode(type(value), value)


def from_json(kind: type[T], value: Any, what: str = "") -> T:
    """The noun of a JSON object. Raises Malformed naming the field; unknown and missing fields are refused."""
    return typing.cast(T, _decode(kind, value, what or kind.__name__))


@lru_cache(maxsize=128)
def _fields(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _encode(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    if dataclasses.is_dataclass(value):
        fields = _fields(typing.cast(type, type(value)))
        return {name: _encode(field, getattr(value, name)) for name, field in fields.items()}
    if hint is Wei:
        return str(value)
    if isinstance(value, bytes):
        return to_hex(value)
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, tuple | list):
        item = typing.get_args(hint)
        inner = item[0] if len(item) == 2 and item[1] is Ellipsis else None
        return [_encode(inner if inner else type(one), one) for one in value]
    return value


def _decode(hint: Any, value: Any, what: str) -> Any:
    if isinstance(hint, types.UnionType):
        inner = next(one for one in hint.__args__ if one is not types.NoneType)
        return None if value is None else _decode(inner, value, what)
    if hint is Wei:
        return _wei(value, what)
    if hint is Digest:
        return Digest(from_hex(value, 32, what))
    if hint is Address:
        return _address(value, what)
    if hint is Seconds or hint is int:
        return _integer(value, what)
    if hint is bytes:
        return from_hex(value, None, what)
    if hint is float:
        return _float(value, what)
    if hint is str or hint is bool:
        if type(value) is not hint:
            raise Malformed(f"{what} must be a {'string' if hint is str else 'boolean'}.")
        return value
    if isinstance(hint, type) and issubclass(hint, Enum):
        if not isinstance(value, str) or value not in hint.__members__:
            raise Malformed(f"{what} must be one of {', '.join(hint.__members__)}.")
        return hint[value]
    if dataclasses.is_dataclass(hint):
        return _object(typing.cast(type, hint), value, what)
    origin = typing.get_origin(hint)
    if origin is tuple:
        return _tuple(typing.get_args(hint), value, what)
    if origin is dict or hint is dict:
        if not isinstance(value, dict):
            raise Malformed(f"{what} must be an object.")
        return value
    raise TypeError(f"{what} has a type that no wire form is defined for: {hint}")


def _object(kind: type, value: Any, what: str) -> Any:
    if not isinstance(value, dict):
        raise Malformed(f"{what} must be an object.")
    fields = _fields(kind)
    missing, unknown = fields.keys() - value.keys(), value.keys() - fields.keys()
    if missing:
        raise Malformed(f"{what} lacks {', '.join(sorted(missing))}.")
    if unknown:
        raise Malformed(f"{what} has unknown fields: {', '.join(sorted(unknown)[:5])}.")
    return kind(**{name: _decode(hint, value[name], f"{what}.{name}") for name, hint in fields.items()})


def _tuple(args: tuple[Any, ...], value: Any, what: str) -> Any:
    if not isinstance(value, list):
        raise Malformed(f"{what} must be a list.")
    if len(args) == 2 and args[1] is Ellipsis:
        return tuple(_decode(args[0], item, f"{what}[{i}]") for i, item in enumerate(value))
    if len(value) != len(args):
        raise Malformed(f"{what} must have {len(args)} items, it has {len(value)}.")
    return tuple(_decode(arg, item, f"{what}[{i}]") for i, (arg, item) in enumerate(zip(args, value, strict=True)))


def _integer(value: Any, what: str) -> int:
    if type(value) is not int or not 0 <= value < _MAX_INT:
        raise Malformed(f"{what} must be an integer from 0 to 2^64 - 1.")
    return value


def _wei(value: Any, what: str) -> Wei:
    written = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 29
    if not written or int(value) > UINT96_MAX:
        raise Malformed(f"{what} must be an amount of wei as a decimal string, at most 2^96 - 1.")
    return Wei(int(value))


def _float(value: Any, what: str) -> float:
    try:
        if isinstance(value, str) and math.isfinite(float(value)) and repr(float(value)) == value:
            return float(value)
    except ValueError:
        pass
    raise Malformed(f"{what} must be a finite number as the shortest decimal string, such as 0.25.")


def _address(value: Any, what: str) -> Address:
    if not isinstance(value, str) or not is_hex_address(value) or not value.startswith("0x"):
        raise Malformed(f"{what} must be an address of 20 bytes that begins with 0x.")
    checksummed = _checksum(value.lower())
    if value not in (value.lower(), checksummed):
        raise Malformed(f"{what} has a wrong checksum: a character was mistyped (EIP-55).")
    return checksummed


@lru_cache(maxsize=4096)
def _checksum(lower: str) -> Address:
    """Of the same few parties again and again: half of the time that a call's spec takes to read."""
    return Address(to_checksum_address(lower))
