"""Weights as plain safetensors: a header that is believed only after it has been checked against the architecture.

Layout: the header's length as uint64, little-endian; the header, a JSON object; the tensors' bytes, one after
the other without a gap. Every number that is read here is compared with the file's size before it is used.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy

from protocol.engine.data_file import BundleRefused, open_data_file, parse_file_json
from protocol.engine.tensor_plan import check_against_plan, plan_tensors
from protocol.manifest import LlamaShape

MAX_HEADER = 16 << 20
"""Bytes of a header, whatever the architecture."""
BYTES_A_TENSOR = 512
"""Of header text; a name, a shape and two offsets take about 150."""
DTYPES = {"F32": 4, "F16": 2, "BF16": 2}
"""The kinds of numbers that become float32 without rounding, and their bytes."""
PARTS = {"dtype", "shape", "data_offsets"}


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor's bytes lie in the file, what kind of numbers they are and what shape they have."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class SafetensorsFile:
    """An opened safetensors file whose header fits the architecture. Errors of every method: `BundleRefused`."""

    def __init__(self, path: Path, shape: LlamaShape) -> None:
        self.path = path
        self._stored = read_safetensors_header(path, shape)

    def tensor_count(self) -> int:
        """How many tensors `tensors` yields."""
        return len(self._stored)

    def tensors(self) -> Iterator[tuple[str, numpy.ndarray]]:
        """Every tensor as (name, float32 array of rows), in the file's order."""
        with open_data_file(self.path) as stream:
            for stored in self._stored:
                stream.seek(stored.begin)
                data = stream.read(stored.end - stored.begin)
                if len(data) != stored.end - stored.begin:
                    raise BundleRefused(f"{self.path.name} ends within {stored.name}.")
                yield stored.name, _as_float32(data, stored.dtype).reshape(stored.shape)


def read_safetensors_header(path: Path, shape: LlamaShape) -> tuple[StoredTensor, ...]:
    """The tensors of a file, in the order of their bytes, with offsets from the file's start; reads no tensor.

    Errors: `BundleRefused`.
    """
    plan = plan_tensors(shape)
    limit = min(MAX_HEADER, 4096 + BYTES_A_TENSOR * len(plan))
    with open_data_file(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        prefix = stream.read(8)
        if len(prefix) < 8:
            raise BundleRefused(f"{path.name} has {size} bytes: too few for a safetensors header.")
        length = int.from_bytes(prefix, "little")
        if length > size - 8:
            raise BundleRefused(f"{path.name} claims a header of {length} bytes, but has {size} in all.")
        if length > limit:
            raise BundleRefused(
                f"{path.name} has a header of {length} bytes, the limit for {len(plan)} tensors is {limit}."
            )
        text = stream.read(length)
    header = parse_file_json(text, f"The header of {path.name}", items=32 * len(plan) + 64)
    if not isinstance(header, dict):
        raise BundleRefused(f"The header of {path.name} is not an object.")
    _check_metadata(header.pop("__metadata__", {}), path.name)
    stored = [_read_entry(name, entry, path.name) for name, entry in header.items()]
    check_against_plan({tensor.name: tensor.shape for tensor in stored}, plan, path.name)
    return _place(stored, 8 + length, size, path.name)


def _check_metadata(metadata: Any, file: str) -> None:
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise BundleRefused(f"The __metadata__ of {file} is not an object of texts.")


def _read_entry(name: str, entry: Any, file: str) -> StoredTensor:
    what = f"The tensor {name[:80]!r} of {file}"
    if not isinstance(entry, dict) or entry.keys() != PARTS:
        raise BundleRefused(f"{what} is not described by {', '.join(sorted(PARTS))} alone.")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise BundleRefused(f"{what} has the type {str(dtype)[:20]!r}; only {', '.join(DTYPES)} are served.")
    if not _is_sizes(shape) or not 1 <= len(shape) <= 2:
        raise BundleRefused(f"{what} has the shape {str(shape)[:80]}, but one or two sizes are needed.")
    if not _is_sizes(offsets) or len(offsets) != 2:
        raise BundleRefused(f"{what} has the offsets {str(offsets)[:80]}, but two are needed.")
    begin, end = offsets
    # Python's integers do not overflow: 2^32 rows of 2^32 numbers stay 2^64 and differ from the bytes.
    if end - begin != prod(shape) * DTYPES[dtype]:
        raise BundleRefused(
            f"{what} has {end - begin} bytes, but {shape} numbers of {dtype} take {prod(shape) * DTYPES[dtype]}."
        )
    return StoredTensor(name, dtype, tuple(shape), begin, end)


def _is_sizes(value: Any) -> bool:
    # `True` is an int in Python and no number in JSON.
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)


def _place(stored: list[StoredTensor], start: int, size: int, file: str) -> tuple[StoredTensor, ...]:
    placed, end = [], 0
    for tensor in sorted(stored, key=lambda tensor: tensor.begin):
        if tensor.begin != end:
            kind = "overlaps the one before it" if tensor.begin < end else "leaves a gap before it"
            raise BundleRefused(f"The tensor {tensor.name} of {file} begins at {tensor.begin}, not {end}: it {kind}.")
        end = tensor.end
        placed.append(StoredTensor(tensor.name, tensor.dtype, tensor.shape, start + tensor.begin, start + end))
    if start + end != size:
        kind = "is truncated" if start + end > size else "has bytes that belong to no tensor"
        raise BundleRefused(f"{file} has {size} bytes, its tensors end at {start + end}: it {kind}.")
    return tuple(placed)


def _as_float32(data: bytes, dtype: str) -> numpy.ndarray:
    if dtype == "F32":
        return numpy.frombuffer(data, "<f4")
    if dtype == "F16":
        return numpy.frombuffer(data, "<f2").astype("<f4")
    return (numpy.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
