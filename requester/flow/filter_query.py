"""The filter grammar: `vram>=24 price<0.2 region in [EU, US] model=SmolLM2 provider!=0x… tps>20 reliability>0.9`.

Conditions stand beside each other and must all hold. A field has one type; what it compares is said in `FIELDS`.
Whatever is unknown is an error with its position: a condition that is ignored would send work where it must not go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from eth_utils import is_hex_address

from protocol.errors import BadInput

MOST = 2_000
"""Characters of a filter."""
NUMBER, WORD, ACCOUNT = "number", "word", "address"
FIELDS: dict[str, tuple[str, str]] = {
    "vram": (NUMBER, "GiB of the device's memory that the provider claims"),
    "price": (NUMBER, "MALLA for a million output tokens"),
    "input_price": (NUMBER, "MALLA for a million input tokens"),
    "tps": (NUMBER, "tokens a second of one stream: measured here, else claimed"),
    "reliability": (NUMBER, "0 to 1, from calls of this wallet"),
    "stake": (NUMBER, "the provider's active stake, MALLA"),
    "streams": (NUMBER, "calls that it runs at once"),
    "context": (NUMBER, "input and output tokens that its offer takes together"),
    "region": (WORD, "where it says that it is"),
    "device": (WORD, "the device that it names"),
    "model": (WORD, "name of the model"),
    "provider": (ACCOUNT, "the provider's address"),
}
OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "in")
_TOKEN = re.compile(r"\s*(?:([A-Za-z_][A-Za-z0-9_]*)\s*([<>=!~]+|in\b|[^\sA-Za-z0-9\[\]]+|))")
_VALUE = re.compile(r"""\s*("[^"]*"|'[^']*'|[^\s\[\],"'<>=!]+)""")


class FilterInvalid(BadInput):
    """What was not understood, where, and what would be. `position` counts characters from 1."""

    code = "filter_invalid"

    def __init__(self, message: str, position: int, fix: str = "") -> None:
        super().__init__(f"{message} (character {position} of the filter)",
                         fix or f"Fields: {', '.join(FIELDS)}. Operators: {' '.join(OPERATORS)}.")
        self.position = position


@dataclass(frozen=True)
class Condition:
    """`values` are Fractions of a number field, else texts in lower case; one, but with `in`. `text` is as written."""

    field: str
    operator: str
    values: tuple[Fraction | str, ...]
    text: str

    def holds(self, facts: Mapping[str, Fraction | str | None]) -> bool:
        """Whether the facts fit. A fact that is not known fits nothing."""
        found = facts.get(self.field)
        if found is None:
            return False
        if self.operator in ("=", "in"):
            return found in self.values
        if self.operator == "!=":
            return found not in self.values
        least = self.values[0]
        assert isinstance(found, Fraction) and isinstance(least, Fraction)  # the parser lets no other pass
        return {"<": found < least, "<=": found <= least, ">": found > least, ">=": found >= least}[self.operator]


def parse_filter(text: str) -> tuple[Condition, ...]:
    """The conditions of a filter; none for an empty one. Errors: FilterInvalid."""
    if len(text) > MOST:
        raise FilterInvalid(f"The filter has {len(text)} characters, the limit is {MOST}.", MOST + 1)
    conditions, at = [], _skip(text, 0)
    while at < len(text):
        condition, at = _condition(text, at)
        conditions.append(condition)
        at = _skip(text, at)
        if text[at:at + 1] == ",":  # a comma between conditions reads well, and means nothing
            at = _skip(text, at + 1)
    return tuple(conditions)


def _condition(text: str, start: int) -> tuple[Condition, int]:
    match = _TOKEN.match(text, start)
    if match is None:
        raise FilterInvalid(f"A field is expected, not '{text[start:start + 20]}'.", start + 1)
    field, operator = match[1].lower(), match[2]
    if field not in FIELDS:
        raise FilterInvalid(f"There is no field '{match[1]}'.", match.start(1) + 1)
    if operator not in (*OPERATORS, "=="):
        said = f"There is no operator '{operator}'" if operator else "An operator is missing"
        raise FilterInvalid(f"{said} after '{field}'.", match.start(2) + 1)
    operator = "=" if operator == "==" else operator
    if FIELDS[field][0] != NUMBER and operator not in ("=", "!=", "in"):
        raise FilterInvalid(f"'{field}' is no number: '{operator}' cannot compare it.", match.start(2) + 1,
                            "Use = != or in.")
    if operator == "in":
        values, at = _list(text, match.end(), field)
    else:
        value, at = _value(text, match.end(), field)
        values = (value,)
    return Condition(field, operator, values, text[match.start(1):at].strip()), at


def _list(text: str, start: int, field: str) -> tuple[tuple[Fraction | str, ...], int]:
    at = _skip(text, start)
    if text[at:at + 1] != "[":
        raise FilterInvalid(f"A list is expected after '{field} in'.", at + 1, f"Write {field} in [one, two].")
    values, at = [], at + 1
    while True:
        value, at = _value(text, at, field)
        values.append(value)
        at = _skip(text, at)
        end = text[at:at + 1]
        if end not in (",", "]") or not end:
            raise FilterInvalid(f"The list after '{field} in' is not closed.", at + 1, "End it with ].")
        at += 1
        if end == "]":
            return tuple(values), at


def _value(text: str, start: int, field: str) -> tuple[Fraction | str, int]:
    match = _VALUE.match(text, start)
    if match is None:
        raise FilterInvalid(f"A value for '{field}' is missing.", _skip(text, start) + 1, _expected(field))
    raw = match[1][1:-1] if match[1][0] in "\"'" else match[1]
    kind = FIELDS[field][0]
    if kind == NUMBER and not re.fullmatch(r"\d{1,30}(\.\d{1,30})?", raw):
        raise FilterInvalid(f"'{raw[:40]}' is no number for '{field}'.", match.start(1) + 1, _expected(field))
    if kind == ACCOUNT and not (raw.startswith("0x") and is_hex_address(raw)):
        raise FilterInvalid(f"'{raw[:50]}' is no address for '{field}'.", match.start(1) + 1, _expected(field))
    return Fraction(raw) if kind == NUMBER else raw.lower(), match.end()


def _expected(field: str) -> str:
    kind, meaning = FIELDS[field]
    return f"'{field}' takes one {kind}: {meaning}."


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at
