"""Finding a model's file and keeping its float32 form as a cache that processes share through mmap.

The GGUF in the installed package, or the weights in a user's bundle, are the truth. What is derived from them
(tensors, tokenizer, template) lies in one folder, is made once under a file lock, appears by a rename and is
compared with the manifest whenever it is opened.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from protocol.documents import document_digest
from protocol.engine.data_file import BundleRefused, ModelFileMismatch, ModelFileMissing
from protocol.engine.digests import digest_file, digest_tensors
from protocol.engine.packaged_file import locate_in_package
from protocol.engine.weights_source import (
    TEMPLATE_FILE,
    TOKENIZER_FILE,
    check_finite,
    open_weights,
    read_texts,
)
from protocol.manifest import ModelManifest

Progress = Callable[[str, float], None]
"""Called with a sentence and the part done, 0 to 1."""

TENSOR_FILE = "model.safetensors"
BUNDLE = "bundle"
"""The package that a manifest of a user's own folder names as its source."""


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
    if package == BUNDLE:
        raise ModelFileMissing(f"{manifest.name} is no part of this release.", "Name the folder of its bundle.")
    return locate_in_package(package, name, manifest.name)


def check_weights_file(manifest: ModelManifest, path: Path) -> None:
    """Compare a GGUF with the manifest. Errors: `ModelFileMissing`, `ModelFileMismatch`."""
    if not path.is_file():
        raise ModelFileMissing(f"There is no model file at {path}.", "Run: make setup")
    if (size := path.stat().st_size) != manifest.weights.bytes:
        raise BundleRefused(
            f"The model file {path} has {size} bytes, the manifest of {manifest.name} names {manifest.weights.bytes}.",
            "Reinstall the package that ships it, or name the model whose file this is.",
        )
    found = digest_file(path)
    if found != manifest.weights:
        raise ModelFileMismatch(
            f"The model file {path}",
            found.sha256,
            manifest.weights.sha256,
            "Reinstall the package that ships it, or name the model whose file this is.",
        )


def prepare_model(
    manifest: ModelManifest, cache: Path, weights_file: Path | None = None, progress: Progress | None = None
) -> Path:
    """The folder with the model's tensors, tokenizer and template; derived now if it is not there yet.

    Always checks the GGUF first: a node whose model file differs must not start. Errors:
    `ModelFileMissing`, `ModelFileMismatch`, `BundleRefused`.
    """
    source = weights_file or locate_weights_file(manifest)
    check_weights_file(manifest, source)
    folder = prepared_folder(manifest, cache)
    if not is_prepared(folder):
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / f"{folder.name}.lock"):
            if not is_prepared(folder):
                _derive(manifest, source, folder, progress or (lambda _sentence, _part: None))
    _check_text_files(manifest, folder)
    return folder


def prepared_folder(manifest: ModelManifest, cache: Path) -> Path:
    """Where a model's derived files lie: by the tensor digest, a user's bundle by its whole manifest."""
    # A stranger's manifest may name our tensors with a template of its own: it must not take the folder's place.
    if manifest.source.startswith(f"{BUNDLE}:"):
        return cache / f"{BUNDLE}-{document_digest(manifest).hex()}"
    return cache / manifest.tensors.sha256


def is_prepared(folder: Path) -> bool:
    """Whether all three derived files exist; their content is checked when they are opened."""
    return all((folder / name).is_file() for name in (TENSOR_FILE, TOKENIZER_FILE, TEMPLATE_FILE))


def discard_prepared(manifest: ModelManifest, cache: Path) -> None:
    """Remove a damaged cache folder, so that `prepare_model` derives it again."""
    folder = prepared_folder(manifest, cache)
    with _locked(cache / f"{folder.name}.lock"):
        shutil.rmtree(folder, ignore_errors=True)


def _derive(manifest: ModelManifest, source: Path, folder: Path, progress: Progress) -> None:
    from safetensors.numpy import save_file

    for stale in folder.parent.glob(f".{folder.name}.*"):
        shutil.rmtree(stale, ignore_errors=True)
    unfinished = folder.parent / f".{folder.name}.{os.getpid()}"
    unfinished.mkdir()
    try:
        progress(f"Reading {source.name}", 0.0)
        weights, tensors = open_weights(manifest, source), {}
        for name, data in read_texts(manifest, weights).items():
            (unfinished / name).write_bytes(data)
        total = weights.tensor_count()
        for name, array in weights.tensors():
            check_finite(name, array)
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
