"""Checks of single fields of a request: the right type and range, else a refusal that names the field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from requester.gateway.refusals import bad_field, unsupported

MAX_STOPS = 4
MAX_STOP = 256
"""Characters of a stop sequence."""
MAX_NAME = 128


def text_of(body: Mapping[str, Any], name: str, limit: int = MAX_NAME) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise bad_field(name, f"'{name}' must be a text that is not empty.")
    if len(value) > limit:
        raise bad_field(name, f"'{name}' has {len(value)} characters, the limit is {limit}.")
    return value


def flag_of(body: Mapping[str, Any], name: str, default: bool = False) -> bool:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise bad_field(name, f"'{name}' must be true or false.")
    return value


def whole_of(body: Mapping[str, Any], name: str, least: int, most: int) -> int | None:
    """None where the field is missing or null."""
    value = body.get(name)
    if value is None:
        return None
    if type(value) is not int or not least <= value <= most:
        raise bad_field(name, f"'{name}' must be a whole number from {least} to {most}.")
    return value


def number_of(body: Mapping[str, Any], name: str, least: float, most: float) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if type(value) not in (int, float) or not least <= value <= most:
        raise bad_field(name, f"'{name}' must be a number from {least} to {most}.")
    return float(value)


def object_of(body: Mapping[str, Any], name: str, known: Sequence[str]) -> dict[str, Any]:
    """An object of known fields; empty where it is missing or null."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise bad_field(name, f"'{name}' must be an object.")
    for inner in value:
        if inner not in known:
            raise bad_field(f"{name}.{inner[:40]}", f"Unknown parameter: '{name}.{inner[:40]}'. Known are "
                            f"{', '.join(known)}.", "unknown_parameter")
    return value


def texts_of(body: Mapping[str, Any], name: str, most: int = 64) -> tuple[str, ...]:
    """A text or a list of texts; nothing where it is missing or null."""
    value = body.get(name)
    if value is None:
        return ()
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(one, str) and 0 < len(one) <= MAX_STOP for one in values):
        raise bad_field(name, f"'{name}' must be a text or a list of texts, each of 1 to {MAX_STOP} characters.")
    if len(values) > most:
        raise bad_field(name, f"'{name}' has {len(values)} texts, the limit is {most}.")
    return tuple(values)


def stops_of(body: Mapping[str, Any]) -> tuple[str, ...]:
    return texts_of(body, "stop", MAX_STOPS)


def refuse_others(body: Mapping[str, Any], neutral: Mapping[str, tuple[Any, ...]], why: Mapping[str, str]) -> None:
    """Refuses a known parameter that is not served, unless it says what happens anyway (null and `neutral`)."""
    for name, allowed in neutral.items():
        value = body.get(name)
        if value is not None and not any(type(value) is type(one) and value == one for one in allowed):
            raise unsupported(name, f"'{name}' is not served: {why.get(name, 'no provider of this market does it')}. "
                              "Leave it out.")
