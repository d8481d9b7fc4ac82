"""Reading files that a stranger made: regular files of bounded size, and JSON of bounded size, depth and numbers.

What is counted is counted on the bytes before anything is parsed, because a parser needs up to sixty bytes
of memory for one byte of text.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from protocol.errors import ConfigInvalid
from protocol.limits import MAX_JSON_DEPTH

MAX_ITEMS = 3 << 19
"""Of the largest lists that any file of a model has; a vocabulary of 256,000 tokens needs 1.4 million."""
MAX_DIGITS = 20
"""Of an integer in a file of a model: enough for 2^64."""


class BundleRefused(ConfigInvalid):
    """A model's files are not what they must be; the message names the file and the cause."""

    code = "bundle_refused"


class ModelFileMissing(ConfigInvalid):
    code = "model_file_missing"


class ModelFileMismatch(ConfigInvalid):
    """A file or tensor set differs from the manifest; carries both digests."""

    code = "model_file_mismatch"

    def __init__(self, what: str, found: str, expected: str, fix: str) -> None:
        super().__init__(f"{what} has SHA-256 {found}, but the model's manifest names {expected}.", fix)
        self.found, self.expected = found, expected


@contextmanager
def open_data_file(path: Path) -> Iterator[BinaryIO]:
    """A regular file, opened for reading without following a link or waiting for a pipe's writer.

    Errors: `BundleRefused`.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        raise BundleRefused(f"{path.name!r} cannot be opened: {getattr(error, 'strerror', error)}.") from error
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise BundleRefused(f"{path.name!r} is not a regular file.")
        yield stream


def read_data_file(path: Path, limit: int) -> bytes:
    """All bytes of a file that has between 1 and `limit` of them. Errors: `BundleRefused`."""
    with open_data_file(path) as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        size = path.lstat().st_size
        raise BundleRefused(f"{path.name} has {size} bytes, the limit is {limit}.")
    if not data:
        raise BundleRefused(f"{path.name} is empty.")
    return data


def parse_file_json(data: bytes, what: str, *, items: int, real_numbers: bool = False) -> Any:
    """JSON with at most `items` commas, half as many lists and an eighth as many objects, MAX_JSON_DEPTH levels and
    MAX_DIGITS digits a number, no key twice in an object, no NaN, no byte order mark. Real numbers are refused, or
    given as their text.

    Errors: `BundleRefused`.
    """
    # In memory a list takes 90 bytes and an object 230, however few there are of them in the file.
    for sign, limit in ((b",", items), (b"[", items // 2), (b"{", items // 8)):
        if data.count(sign) > limit:
            raise BundleRefused(f"{what} has {data.count(sign)} times {sign.decode()!r}, the limit is {limit}.")

    def read_integer(text: str) -> int:
        if len(text) > MAX_DIGITS:
            raise BundleRefused(f"{what} holds a number of {len(text)} digits, the limit is {MAX_DIGITS}.")
        return int(text)

    def read_real(text: str) -> str:
        if not real_numbers:
            raise BundleRefused(f"{what} holds the number {text[:40]}, where only integers may stand.")
        return text

    def refuse_constant(text: str) -> None:
        raise BundleRefused(f"{what} holds {text}, which is not a JSON number.")

    def read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise BundleRefused(f"{what} has the key {key[:80]!r} twice in one object.")
            found[key] = value
        return found

    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=read_object,
            parse_int=read_integer,
            parse_float=read_real,
            parse_constant=refuse_constant,
        )
    except UnicodeDecodeError as error:
        raise BundleRefused(f"{what} is not UTF-8: {error.reason} at byte {error.start}.") from error
    except ValueError as error:
        raise BundleRefused(f"{what} is not JSON: {error}.") from error
    except RecursionError as error:
        raise BundleRefused(f"{what} is nested deeper than {MAX_JSON_DEPTH} levels.") from error
    _check_tree(value, what)
    return value


def _check_tree(value: Any, what: str) -> None:
    level, depth = [value], 0
    while level:
        if depth > MAX_JSON_DEPTH:
            raise BundleRefused(f"{what} is nested deeper than {MAX_JSON_DEPTH} levels.")
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below += item.keys()
                below += item.values()
            elif isinstance(item, list):
                below += item
            elif isinstance(item, str) and not item.isascii():
                _check_text(item, what)
        level, depth = below, depth + 1


def _check_text(text: str, what: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BundleRefused(f"{what} holds half of a surrogate pair, which is no Unicode text.") from error
