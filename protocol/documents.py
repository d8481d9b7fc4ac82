"""Documents named by a digest: frozen dataclasses that are written and read as canonical JSON.

A manifest and a calibration profile are agreed on by their digest alone, so reading is strict: an
unknown field, a missing one or a value of another type is refused, never ignored or converted.
"""

from __future__ import annotations

import dataclasses
import types
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from protocol.encoding import json_digest
from protocol.errors import ConfigInvalid
from protocol.units import Digest

D = TypeVar("D")


class DocumentInvalid(ConfigInvalid):
    """A document cannot be read; the message names the field, what was found and what is allowed."""

    code = "document_invalid"


def document_to_json(document: Any) -> dict[str, Any]:
    """The JSON object of a frozen dataclass: tuples become lists, nested dataclasses objects."""
    return {field.name: _plain(getattr(document, field.name)) for field in dataclasses.fields(document)}


def document_from_json(kind: type[D], value: Any) -> D:
    """Read `value` as the dataclass `kind`, then run its own checks.

    Errors: `DocumentInvalid` naming the path of the first field that does not fit.
    """
    return _read(kind, value, kind.__name__)


def document_digest(document: Any) -> Digest:
    """keccak256 of the canonical JSON: 32 bytes, the document's name in jobs, offers and profiles."""
    return json_digest(document_to_json(document))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return document_to_json(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _read(kind: Any, value: Any, path: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(kind, value, path)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple:
        if not isinstance(value, list):
            raise DocumentInvalid(f"{path} is {value!r}, but a list is needed.")
        return tuple(_read(arguments[0], item, f"{path}[{place}]") for place, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise DocumentInvalid(f"{path} is {value!r}, but an object with text keys is needed.")
        return {key: _read(arguments[1], item, f"{path}.{key}") for key, item in value.items()}
    if origin in (Union, types.UnionType):
        return None if value is None else _read(arguments[0], value, path)
    # bool is a subclass of int in Python; a document that says `true` for a number is not canonical.
    if type(value) is not kind:
        raise DocumentInvalid(f"{path} is {value!r}, but a value of type {kind.__name__} is needed.")
    return value


def _read_dataclass(kind: Any, value: Any, path: str) -> Any:
    if not isinstance(value, dict):
        raise DocumentInvalid(f"{path} is {value!r}, but an object is needed.")
    hints = get_type_hints(kind)
    unknown, missing = sorted(set(value) - set(hints)), sorted(set(hints) - set(value))
    if unknown or missing:
        raise DocumentInvalid(f"{path} has unknown fields {unknown} and lacks {missing}; fix the document.")
    return kind(**{name: _read(hint, value[name], f"{path}.{name}") for name, hint in hints.items()})
