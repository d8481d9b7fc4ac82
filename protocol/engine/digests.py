"""The digests that a manifest names: of files, and of the numbers that weights decode to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy

from protocol.encoding import canonical_json
from protocol.manifest import FileDigest, TensorDigest

CHUNK = 1 << 22


def digest_file(path: Path) -> FileDigest:
    """Size and SHA-256 of a file."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while block := stream.read(CHUNK):
            digest.update(block)
            size += len(block)
    return FileDigest(size, digest.hexdigest())


def digest_bytes(data: bytes) -> FileDigest:
    """Size and SHA-256 of bytes that would be a file."""
    return FileDigest(len(data), hashlib.sha256(data).hexdigest())


def digest_tensors(tensors: Iterable[tuple[str, numpy.ndarray]]) -> TensorDigest:
    """The digest of float32 tensors, sorted by name by the caller.

    SHA-256 over, for each tensor, the canonical JSON of {"name", "shape"}, a zero byte, and its numbers
    row by row as little-endian float32. Errors: `ValueError` on another dtype or order.
    """
    digest, count, numbers, last = hashlib.sha256(), 0, 0, ""
    for name, array in tensors:
        if array.dtype != numpy.dtype("<f4") or name <= last:
            raise ValueError(
                f"Tensor {name!r} of {array.dtype} after {last!r}: float32 sorted by name is needed."
            )
        digest.update(canonical_json({"name": name, "shape": list(array.shape)}) + b"\x00")
        digest.update(numpy.ascontiguousarray(array).data.cast("B"))
        count, numbers, last = count + 1, numbers + array.size, name
    return TensorDigest(count, numbers, digest.hexdigest())
