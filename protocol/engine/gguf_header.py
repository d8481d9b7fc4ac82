"""The header of a GGUF, read by ourselves: every count and length is compared with a limit and the file first.

The general library's reader makes several objects for each element of each array and believes every number;
ours makes Python values, refuses what no Llama needs, and leaves tensors where they are.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from protocol.engine.data_file import MAX_ITEMS, BundleRefused

MAX_HEADER = 32 << 20
MAX_KEYS, MAX_KEY, MAX_TEXT = 512, 256, 1 << 20
MAX_TENSORS = 1 << 14
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
TEXT, ARRAY = 8, 9
QUANTISATIONS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 30: (1, 2),
}  # fmt: skip
"""Numbers and bytes of one block of F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K to Q6_K and BF16."""


class GgufUnsupported(BundleRefused):
    """The file is no GGUF of a model that this engine serves; the message names what is odd."""


@dataclass(frozen=True)
class GgufTensor:
    """A tensor's name, shape (rows first), type number, and where its bytes lie in the file."""

    name: str
    shape: tuple[int, ...]
    kind: int
    begin: int
    end: int


@dataclass(frozen=True)
class GgufHeader:
    """Fields by key (arrays as lists) and tensors in the file's order."""

    fields: dict[str, Any]
    tensors: tuple[GgufTensor, ...]


def read_gguf_header(path: Path) -> GgufHeader:
    """Fields and tensors of a GGUF of version 2 or 3; reads no tensor. Errors: `GgufUnsupported`."""
    with _open(path) as stream:
        return _Reader(stream, path.name).read()


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    # Links are followed here: package managers install files as links, and the manifest's digest names the content.
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as stream:
            yield stream
    except OSError as error:
        raise GgufUnsupported(f"{path.name} cannot be read: {error.strerror}.") from error


class _Reader:
    def __init__(self, stream: BinaryIO, file: str) -> None:
        self._stream, self._file = stream, file
        self._size = os.fstat(stream.fileno()).st_size
        self._place, self._items = 0, 0

    def read(self) -> GgufHeader:
        if self._take(4, "the magic") != b"GGUF":
            raise self._refuse("does not begin with GGUF")
        version = self._number("I", "the version")
        if version not in (2, 3):
            raise self._refuse(f"is of version {version}; 2 and 3 are read")
        tensors, keys = self._number("Q", "the number of tensors"), self._number("Q", "the number of fields")
        if tensors > MAX_TENSORS or keys > MAX_KEYS:
            raise self._refuse(
                f"claims {tensors} tensors and {keys} fields, the limits are {MAX_TENSORS} and {MAX_KEYS}"
            )
        fields: dict[str, Any] = {}
        for _ in range(keys):
            key = self._text("a field's name", MAX_KEY)
            if key in fields:
                raise self._refuse(f"has the field {key!r} twice")
            fields[key] = self._value(key)
        entries = [self._tensor() for _ in range(tensors)]
        return GgufHeader(fields, self._place_tensors(entries, self._alignment(fields)))

    def _refuse(self, why: str) -> GgufUnsupported:
        return GgufUnsupported(f"{self._file} {why}.")

    def _take(self, count: int, what: str) -> bytes:
        if count > min(self._size, MAX_HEADER) - self._place:
            raise self._refuse(
                f"claims {count} bytes for {what} at {self._place}: more than the file ({self._size} bytes) or a "
                f"header ({MAX_HEADER}) has"
            )
        data = self._stream.read(count)
        if len(data) != count:
            raise self._refuse(f"ends within {what}")
        self._place += count
        return data

    def _number(self, form: str, what: str) -> Any:
        return struct.unpack("<" + form, self._take(struct.calcsize("<" + form), what))[0]

    def _text(self, what: str, limit: int = MAX_TEXT) -> str:
        length = self._number("Q", what)
        if length > limit:
            raise self._refuse(f"claims {length} bytes for {what}, the limit is {limit}")
        try:
            return self._take(length, what).decode("utf-8")
        except UnicodeDecodeError as error:
            raise self._refuse(f"holds bytes that are not UTF-8 in {what}") from error

    def _value(self, key: str) -> Any:
        kind = self._number("I", key)
        if kind in SCALARS:
            return self._number(SCALARS[kind], key)
        if kind == TEXT:
            return self._text(key)
        if kind != ARRAY:
            raise self._refuse(f"has a field {key!r} of the unknown type {kind}")
        inner, count = self._number("I", key), self._number("Q", key)
        if inner == ARRAY:
            raise self._refuse(f"has lists within the list {key!r}")
        self._items += count
        if self._items > MAX_ITEMS:
            raise self._refuse(f"claims {self._items} items in its lists up to {key!r}, the limit is {MAX_ITEMS}")
        if inner == TEXT:
            return [self._text(key) for _ in range(count)]
        if inner not in SCALARS:
            raise self._refuse(f"has a list {key!r} of the unknown type {inner}")
        width = struct.calcsize("<" + SCALARS[inner])
        return list(struct.unpack(f"<{count}{SCALARS[inner]}", self._take(width * count, key)))

    def _tensor(self) -> tuple[str, tuple[int, ...], int, int]:
        name = self._text("a tensor's name", MAX_KEY)
        what = f"the tensor {name!r}"
        dimensions = self._number("I", what)
        if not 1 <= dimensions <= 2:
            raise self._refuse(f"gives {what} {dimensions} dimensions; a Llama's have one or two")
        sizes = tuple(self._number("Q", what) for _ in range(dimensions))
        kind, offset = self._number("I", what), self._number("Q", what)
        if kind not in QUANTISATIONS:
            raise self._refuse(f"gives {what} the type {kind}, which is not served")
        if sizes[0] % QUANTISATIONS[kind][0] or not all(sizes):
            raise self._refuse(f"gives {what} rows of {sizes[0]} numbers, which are no whole blocks of type {kind}")
        return name, sizes[::-1], kind, offset

    def _alignment(self, fields: dict[str, Any]) -> int:
        found = fields.get("general.alignment", 32)
        if type(found) is not int or not 8 <= found <= 1 << 16 or found & (found - 1):
            raise self._refuse(f"has the alignment {str(found)[:40]}; a power of two from 8 to 65,536 is needed")
        return found

    def _place_tensors(
        self, entries: list[tuple[str, tuple[int, ...], int, int]], alignment: int
    ) -> tuple[GgufTensor, ...]:
        start = -(-self._place // alignment) * alignment
        end, names, placed = start, set(), []
        for name, shape, kind, offset in sorted(entries, key=lambda entry: entry[3]):
            numbers, width = QUANTISATIONS[kind]
            begin = start + offset
            if name in names:
                raise self._refuse(f"has the tensor {name!r} twice")
            # One after the other, each at the next multiple of the alignment: so nothing overlaps and nothing hides.
            if begin != -(-end // alignment) * alignment:
                kind_of = "overlaps another one" if begin < end else "is not where the one before it ends"
                raise self._refuse(f"puts the tensor {name!r} at {begin}, which {kind_of}")
            end = begin + prod(shape) // numbers * width
            if end > self._size:
                raise self._refuse(f"is truncated: the tensor {name!r} ends at {end}, the file at {self._size}")
            names.add(name)
            placed.append(GgufTensor(name, shape, kind, begin, end))
        if self._size > -(-end // alignment) * alignment:
            raise self._refuse(f"has {self._size - end} bytes after its last tensor")
        order = {entry[0]: place for place, entry in enumerate(entries)}
        return tuple(sorted(placed, key=lambda tensor: order[tensor.name]))
