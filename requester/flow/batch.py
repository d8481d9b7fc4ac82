"""Many jobs from a file of JSON lines, with results in another: a line that has a result is not asked again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from protocol.encoding import keccak
from protocol.errors import BadInput, MallaError
from protocol.transcript import ROLES
from protocol.units import from_tokens
from requester.records.jobs import JobResult

FIELDS = {"id", "prompt", "messages", "model", "max_tokens", "max_price", "provider", "deadline", "seed"}


@dataclass(frozen=True)
class Line:
    """One job of a batch. `key` names it in the results: its "id", or its number, from 1. `options` are those of
    `Client.submit`; `error` says why the line cannot be asked."""

    number: int
    key: str
    label: str
    messages: tuple[tuple[str, str], ...] = ()
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    error: MallaError | None = None


def read_lines(text: str, name: str, defaults: dict[str, Any]) -> list[Line]:
    """Every line that is not empty. `name` makes the labels of one batch differ from another's; `defaults` are options
    for lines that do not say otherwise. A line that cannot be read becomes one with its error."""
    lines, keys = [], set()
    # Not splitlines: a prompt may hold U+2028 or U+0085, which are no ends of a line in JSON lines.
    for number, row in enumerate(text.split("\n"), 1):
        if not row.strip():
            continue
        label = f"{name}#{number}:{keccak(row.encode()).hex()[:16]}"
        try:
            line = _read_line(row, number, label, defaults)
            if line.key in keys:
                raise BadInput(f"The id {line.key} stands in an earlier line, too.", "Give each line an id of its own.")
        except BadInput as error:
            line = Line(number, str(number), label, error=error)
        keys.add(line.key)
        lines.append(line)
    return lines


def answered_keys(results: Iterable[str]) -> set[str]:
    """The keys that a results file has already; `results` are its `complete_rows`."""
    return {json.loads(row)["key"] for row in results}


def complete_rows(results: str) -> Iterator[str]:
    """The rows of a results file that are whole: what a crash cut off at its end is left out.

    Raises BadInput when it holds anything else than results: it is then some other file, which must stay as it is.
    """
    # Not splitlines: an answer may hold U+2028 or U+0085, and a row cut in two would be asked and paid again.
    rows = results.split("\n")
    for number, row in enumerate(rows, 1):
        if row and number < len(rows) and not _is_row(row):
            raise BadInput(f"Line {number} of the results file is no result.",
                           "Name another file with --results; this one is left as it is.")
        if row and _is_row(row):
            yield row


def _is_row(row: str) -> bool:
    try:
        value = json.loads(row)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and isinstance(value.get("key"), str)


def result_row(line: Line, result: JobResult) -> str:
    """A results line of a job that ended: amounts in wei as decimal strings."""
    fields = dataclasses.asdict(result)
    for name in ("paid", "refunded", "price", "open_fee"):
        fields[name] = str(fields[name])
    return json.dumps({"key": line.key, "line": line.number, **fields}, ensure_ascii=False)


def failure_row(line: Line, error: MallaError) -> str:
    """A results line of a job that could not be asked, with the reason."""
    return json.dumps({"key": line.key, "line": line.number, "state": "FAILED", **error.as_json()}, ensure_ascii=False)


def _read_line(row: str, number: int, label: str, defaults: dict[str, Any]) -> Line:
    try:
        value = json.loads(row)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"Line {number} is not JSON: {error}.", 'Write {"prompt": "…"} on each line.') from error
    if not isinstance(value, dict) or ("prompt" in value) == ("messages" in value):
        raise BadInput(f"Line {number} needs either a prompt or messages.", 'Write {"prompt": "…"} on each line.')
    unknown = sorted(value.keys() - FIELDS)
    if unknown:
        raise BadInput(f"Line {number} has unknown fields: {', '.join(unknown)}.",
                       f"Known are {', '.join(sorted(FIELDS))}.")
    options = defaults | {name: value[name] for name in ("model", "provider", "seed", "max_tokens") if name in value}
    if "deadline" in value:
        options["duration"] = value["deadline"]
    if "max_price" in value:
        options["max_price"] = _price(value["max_price"], number)
    _require_types(options, number)
    key = str(value.get("id", number))
    if any("\ud800" <= letter <= "\udfff" for letter in key):
        raise BadInput(f"The id of line {number} holds half a surrogate pair.", "Write an id that is text.")
    return Line(number, key, label, _messages(value, number), options)


def _messages(value: dict[str, Any], number: int) -> tuple[tuple[str, str], ...]:
    if "prompt" in value:
        listed: Any = [{"role": "user", "content": value["prompt"]}]
    else:
        listed = value["messages"]
    if not isinstance(listed, list) or not listed:
        raise BadInput(f"The messages of line {number} are not a list.", "Write a list of role and content.")
    for item in listed:
        if not isinstance(item, dict) or item.get("role") not in ROLES or not isinstance(item.get("content"), str):
            raise BadInput(f"A message of line {number} lacks a text, or a role of {', '.join(ROLES)}.")
    return tuple((item["role"], item["content"]) for item in listed)


def _price(value: Any, number: int) -> int:
    try:
        return from_tokens(str(value))
    except BadInput as error:
        raise BadInput(f"The max_price of line {number}: {error.message}", error.fix) from error


def _require_types(options: dict[str, Any], number: int) -> None:
    for name in ("max_tokens", "duration", "seed"):
        value = options.get(name)
        if value is not None and (type(value) is not int or not 0 <= value < 2**32):
            raise BadInput(f"The {name} of line {number} is {value!r}.", "Write a whole number.")
    for name in ("model", "provider"):
        if options.get(name) is not None and not isinstance(options[name], str):
            raise BadInput(f"The {name} of line {number} is not a text.")
