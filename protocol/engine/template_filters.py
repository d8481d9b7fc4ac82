"""The filters, tests and operators of chat templates, each bounded; nothing else of Jinja's is offered.

Left out are those that draw lots, format to a width, walk attributes, or mark text as safe in HTML.
"""

from __future__ import annotations

import functools
import json
import operator
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Any, TypeAlias

from jinja2 import pass_context
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS
from jinja2.tests import TESTS

from protocol.engine.template_budget import (
    MAX_RANGE,
    MAX_TEXT,
    spend,
    spend_deep,
    spend_shallow,
    spend_text,
)

Function: TypeAlias = Callable[..., Any]
DEEP_FILTERS = ("max", "min", "sort", "unique", "dictsort")
FLAT_FILTERS = (
    "abs", "count", "d", "default", "first", "float", "items", "last", "length", "list", "map", "reject", "rejectattr",
    "reverse", "select", "selectattr",
)  # fmt: skip
TEXT_FILTERS = ("capitalize", "lower", "title", "trim", "upper", "wordcount")
"""Jinja's make a text of whatever they are given, so that is paid for first."""
DEEP_TESTS = ("!=", "<", "<=", "==", ">", ">=", "eq", "equalto", "ge", "gt", "in", "le", "lt", "ne")
FLAT_TESTS = (
    "boolean", "callable", "defined", "divisibleby", "even", "false", "float", "integer", "iterable", "mapping",
    "none", "number", "odd", "sequence", "string", "true", "undefined",
)  # fmt: skip
TEXT_METHODS = frozenset({
    "capitalize", "count", "endswith", "find", "index", "isalnum", "isalpha", "isdigit", "islower", "isspace",
    "isupper", "join", "lower", "lstrip", "partition", "removeprefix", "removesuffix", "replace", "rfind",
    "rindex", "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "title", "upper",
})  # fmt: skip


class Inserted(StrEnum):
    """Filters that only the guard inserts: no template can write their names."""

    EACH = "%each"
    WEIGHED = "%weighed"
    COMPARED = "%compared"
    JOINED = "%joined"
    STARTED = "%started"


def list_filters() -> dict[str, Function]:
    """All filters by name."""
    ours: dict[str, Function] = {
        "indent": _indent, "int": _integer, "join": _join, "replace": _replace, "safe": _as_text, "tojson": _to_json,
        "string": _as_text,
        Inserted.JOINED.value: lambda texts: _join([_as_text(text) for text in texts]),
    }  # fmt: skip
    own: dict[str, Function] = {
        Inserted.EACH.value: _each, Inserted.WEIGHED.value: spend_shallow, Inserted.COMPARED.value: spend_deep,
        Inserted.STARTED.value: _started,
    }  # fmt: skip
    return {
        **{name: _bounded(FILTERS[name], spend_deep) for name in DEEP_FILTERS},
        **{name: _bounded(FILTERS[name], spend_shallow) for name in FLAT_FILTERS},
        **{name: _bounded(_of_text(FILTERS[name]), spend_shallow) for name in TEXT_FILTERS},
        **{name: _bounded(function, spend_shallow) for name, function in ours.items()},
        **{name: pass_context(_without_context(function)) for name, function in own.items()},
    }


def list_tests() -> dict[str, Function]:
    """All tests by name."""
    known: dict[str, Any] = dict(TESTS)
    deep = {name: _bounded(known[name], spend_deep) for name in DEEP_TESTS}
    return {**deep, **{name: known[name] for name in FLAT_TESTS}}


def bounded_range(*bounds: int) -> range:
    """`range` of at most MAX_RANGE numbers. Errors: `SecurityError`."""
    for bound in bounds:
        spend_shallow(bound)
    found = range(*bounds)
    # len() of a range beyond 2^63 is an OverflowError, so it is measured by its ends.
    if found and abs(found[-1] - found[0]) // abs(found.step) >= MAX_RANGE:
        raise SecurityError(f"the template counts further than {MAX_RANGE}")
    return found


def operate(sign: str, left: Any, right: Any) -> Any:
    """`left sign right` for + * and %, refused when the result would be large. Errors: `SecurityError`."""
    spend_shallow(left)
    spend_shallow(right)
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    if sign == "*" and not numbers:
        if isinstance(left, int):
            left, right = right, left
        if not isinstance(left, str) or not isinstance(right, int):
            raise SecurityError("the template multiplies something other than numbers and texts")
        spend_text(len(left) * max(0, right))
    if sign == "%" and not numbers:
        raise SecurityError("the template formats a text with %")
    if sign == "+" and isinstance(left, str) and isinstance(right, str):
        spend_text(len(left) + len(right))
    return spend_shallow({"*": operator.mul, "%": operator.mod, "+": operator.add}[sign](left, right))


def call_text_method(text: str, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """A method of a text, paid for by the text's length times that of its longest argument."""
    longest = max((len(value) for value in arguments if isinstance(value, str)), default=0)
    # Searching backwards and stripping a set of characters take that long in the worst case.
    spend_text(len(text))
    spend(len(text) * longest // 64)
    if name == "join":
        return _join_with(text, *arguments, **named)
    if name == "replace":
        return _replace(text, *arguments, **named)
    return spend_shallow(getattr(text, name)(*arguments, **named))


def _bounded(function: Function, pay: Callable[[Any], Any]) -> Function:
    @functools.wraps(function)
    def paid(*arguments: Any, **named: Any) -> Any:
        texts = [len(value) for value in arguments if isinstance(value, str)]
        if len(texts) > 1:
            spend(texts[0] * max(texts[1:]) // 64)
        for value in (*arguments, *named.values()):
            pay(value)
        return spend_shallow(function(*arguments, **named))

    return paid


def _of_text(function: Function) -> Function:
    return lambda value, *arguments: function(_as_text(value), *arguments)


def _without_context(function: Function) -> Function:
    # A filter that takes the context is never run at compile time, where nothing would be counted.
    return lambda _context, *arguments: function(*arguments)


def _each(items: Iterable[Any], cost: int) -> Iterator[Any]:
    for item in items:
        spend(cost)
        yield item


def _started(cost: int) -> str:
    spend(cost)
    return ""


def _as_text(value: Any) -> str:
    return str(spend_deep(value, printed=True))


def _join(texts: Iterable[Any], between: str = "") -> str:
    return _join_with(_as_text(between), texts)


def _join_with(between: str, texts: Iterable[Any]) -> str:
    parts, length = [], 0
    for text in texts:
        parts.append(_as_text(text))
        length += len(parts[-1]) + len(between)
        if length > MAX_TEXT:
            raise SecurityError(f"the template joins more than {MAX_TEXT} characters")
    return spend_shallow(between.join(parts))


def _replace(text: Any, old: str, new: str, count: int = -1) -> str:
    text, old, new = _as_text(text), _as_text(old), _as_text(new)
    places = text.count(old) if count < 0 else min(count, text.count(old))
    spend_text(len(text) + places * max(0, len(new) - len(old)))
    return text.replace(old, new, count)


def _indent(text: Any, width: int = 4, first: bool = False, blank: bool = False) -> str:
    text = _as_text(text)
    if type(width) is not int or not 0 <= width <= 64:
        raise SecurityError("the template indents by more than 64 characters")
    spend_text(len(text) + (text.count("\n") + 1) * width)
    return str(FILTERS["indent"](text, width, first, blank))


def _integer(value: Any, default: int = 0) -> int:
    # Longer texts would make numbers whose every further use is slow.
    return int(FILTERS["int"](value, default)) if not isinstance(value, str) or len(value) <= 40 else default


def _to_json(value: Any, indent: int | None = None) -> str:
    spend_deep(value, printed=True)
    if indent is not None and not 0 <= indent <= 8:
        raise SecurityError("the template indents JSON by more than 8 characters")
    parts, length = [], 0
    for part in json.JSONEncoder(ensure_ascii=False, indent=indent).iterencode(value):
        parts.append(part)
        length += len(part)
        spend_text(len(part))
        if length > MAX_TEXT:
            raise SecurityError(f"the template makes more than {MAX_TEXT} characters of JSON")
    return "".join(parts)
