"""A model's weights file, opened and checked: a GGUF, which holds its tokenizer and template, or safetensors, which has
them beside it."""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path

import numpy

from protocol.engine.data_file import BundleRefused, ModelFileMismatch, read_data_file
from protocol.engine.digests import digest_bytes
from protocol.engine.gguf_file import GgufFile
from protocol.engine.safetensors_file import SafetensorsFile
from protocol.engine.template import MAX_TEMPLATE, ChatTemplate
from protocol.engine.tokenizer_file import MAX_TOKENIZER, read_tokenizer
from protocol.manifest import FileDigest, ModelManifest

TOKENIZER_FILE = "tokenizer.json"
TEMPLATE_FILE = "chat_template.jinja"


def open_weights(manifest: ModelManifest, path: Path) -> GgufFile | SafetensorsFile:
    """A weights file whose header fits the manifest; no tensor is read yet. Errors: `BundleRefused`."""
    if path.suffix == ".safetensors":
        return SafetensorsFile(path, manifest.shape)
    gguf = GgufFile(path)
    gguf.check_shape(manifest.shape)
    return gguf


def read_texts(manifest: ModelManifest, weights: GgufFile | SafetensorsFile) -> dict[str, bytes]:
    """Tokenizer and template by file name, as the manifest promises them and fit for use.

    Errors: `ModelFileMismatch`, `BundleRefused`.
    """
    if isinstance(weights, GgufFile):
        texts = {TOKENIZER_FILE: tokenizer_bytes(weights), TEMPLATE_FILE: weights.chat_template().encode("utf-8")}
    else:
        limits = {TOKENIZER_FILE: MAX_TOKENIZER, TEMPLATE_FILE: 4 * MAX_TEMPLATE}
        texts = {name: read_data_file(weights.path.parent / name, limit) for name, limit in limits.items()}
    check_text(TOKENIZER_FILE, texts[TOKENIZER_FILE], manifest.tokenizer)
    check_text(TEMPLATE_FILE, texts[TEMPLATE_FILE], manifest.chat_template)
    read_tokenizer(texts[TOKENIZER_FILE], manifest.shape.vocabulary)
    read_template(texts[TEMPLATE_FILE])
    return texts


def check_text(name: str, data: bytes, promised: FileDigest) -> None:
    """Compare a text with the manifest's digest. Errors: `ModelFileMismatch`."""
    found = digest_bytes(data)
    if found != promised:
        raise ModelFileMismatch(
            f"The model's {name} ({found.bytes} bytes, {promised.bytes} promised)", found.sha256, promised.sha256,
            "Get the model's files anew.",
        )  # fmt: skip


def read_template(data: bytes) -> ChatTemplate:
    """The chat template of a file. Errors: `BundleRefused`."""
    try:
        return ChatTemplate(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BundleRefused(f"The chat template is not UTF-8: {error.reason} at byte {error.start}.") from error


def tokenizer_bytes(gguf: GgufFile) -> bytes:
    """The tokenizer file's bytes: sorted JSON of our own making, so that no library version changes them."""
    return json.dumps(gguf.tokenizer(), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8"
    )


def check_finite(name: str, array: numpy.ndarray) -> None:
    """Refuse NaN and infinities among the numbers of a tensor. Errors: `BundleRefused`."""
    # The extremes of an array with a NaN are NaN, so two numbers tell.
    low, high = float(array.min()), float(array.max())
    if not (isfinite(low) and isfinite(high)):
        raise BundleRefused(f"The tensor {name} holds numbers that are NaN or infinite.")
