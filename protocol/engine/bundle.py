"""A model of a user's own: a folder that a stranger may have made, checked whole before any tensor is read.

A bundle is one folder with `manifest.json`, `tokenizer.json`, `chat_template.jinja` and one weights file,
`model.safetensors` or `model.gguf`, which the manifest's source names as `bundle:<file>`. Texts for people and
Hugging Face's configurations may lie beside them; they are not used. Everything else is refused, and nothing
is written: `load_model(bundle.manifest, cache, bundle.weights)` then makes its copy in the cache.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from jinja2.exceptions import SecurityError

from protocol.documents import document_from_json
from protocol.engine.data_file import BundleRefused, open_data_file, parse_file_json, read_data_file
from protocol.engine.gguf_file import GgufFile
from protocol.engine.template import MAX_TEMPLATE, ChatTemplate
from protocol.engine.tensor_plan import count_numbers, plan_tensors
from protocol.engine.tokenizer_file import MAX_TOKENIZER, read_tokenizer
from protocol.engine.weights import BUNDLE, check_weights_file
from protocol.engine.weights_source import (
    TEMPLATE_FILE,
    TOKENIZER_FILE,
    check_text,
    open_weights,
    read_template,
    read_texts,
)
from protocol.manifest import ModelManifest

MANIFEST_FILE = "manifest.json"
WEIGHTS_FILES = ("model.safetensors", "model.gguf")
CONFIGURATIONS = ("config.json", "generation_config.json", "special_tokens_map.json", "tokenizer_config.json")
FOR_PEOPLE = ("README.md", "LICENSE", "LICENSE.txt", "NOTICE", ".gitattributes")
MAX_FILES = 64
MAX_MANIFEST = 64 * 1024
MAX_CONFIGURATION = 1 << 20
PROGRAMS = (".py", ".pyc", ".so", ".dll", ".dylib", ".sh")
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".npy", ".npz", ".joblib", ".h5", ".msgpack")
CODE_KEYS = {"auto_map", "trust_remote_code", "custom_pipelines"}
"""What makes Hugging Face's loader run a program of the model's author."""
SPARSE = 16
"""A file of which less than one part in so many is on the disk holds no weights."""


@dataclass(frozen=True)
class Bundle:
    """A checked bundle: its manifest, and where its files lie."""

    manifest: ModelManifest
    weights: Path
    tokenizer: Path
    chat_template: Path


def read_bundle(folder: Path, cache: Path, memory: int | None = None) -> Bundle:
    """Check a bundle; `cache` is where its model will be prepared, `memory` what it may take in bytes (this machine's).

    Errors: `BundleRefused`, `ModelFileMismatch`, `DocumentInvalid`; each names the file and the cause.
    """
    names = _list_files(folder, cache)
    manifest = _read_manifest(folder, names)
    _check_memory(manifest, memory or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for name in sorted(names & set(CONFIGURATIONS)):
        _check_configuration(read_data_file(folder / name, MAX_CONFIGURATION), name)
    weights = folder / manifest.source.partition(":")[2]
    _check_extent(weights, manifest.weights.bytes)
    template = read_data_file(folder / TEMPLATE_FILE, 4 * MAX_TEMPLATE)
    tokenizer = read_data_file(folder / TOKENIZER_FILE, MAX_TOKENIZER)
    check_text(TEMPLATE_FILE, template, manifest.chat_template)
    check_text(TOKENIZER_FILE, tokenizer, manifest.tokenizer)
    _try_template(read_template(template))
    read_tokenizer(tokenizer, manifest.shape.vocabulary)
    opened = open_weights(manifest, weights)
    if isinstance(opened, GgufFile):
        read_texts(manifest, opened)
    check_weights_file(manifest, weights)
    return Bundle(manifest, weights, folder / TOKENIZER_FILE, folder / TEMPLATE_FILE)


def _list_files(folder: Path, cache: Path) -> frozenset[str]:
    try:
        mode = folder.lstat().st_mode
    except OSError as error:
        raise BundleRefused(f"There is no bundle at {folder}: {error.strerror}.") from error
    if not stat.S_ISDIR(mode):
        raise BundleRefused(f"{folder} is {_kind(mode)}; a bundle is a folder.")
    here, there = folder.resolve(), cache.resolve()
    if here.is_relative_to(there) or there.is_relative_to(here):
        raise BundleRefused(f"The bundle {folder} and the cache {cache} lie in each other.", "Move one of them.")
    modes: dict[str, int] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if len(modes) == MAX_FILES:
                raise BundleRefused(f"The bundle has more than {MAX_FILES} files.")
            modes[entry.name] = entry.stat(follow_symlinks=False).st_mode
    _check_names(modes)
    return frozenset(modes)


def _check_names(modes: dict[str, int]) -> None:
    alike: dict[str, str] = {}
    for name in sorted(modes):
        if not name.isprintable():
            raise BundleRefused(f"The file name {name!r} is not printable Unicode.")
        # Where case does not count, the second one would have replaced the first.
        other = alike.setdefault(unicodedata.normalize("NFKC", name).casefold(), name)
        if other != name:
            raise BundleRefused(f"The file names {other!r} and {name!r} are the same where case does not count.")
    for name, mode in sorted(modes.items()):
        suffix = os.path.splitext(name)[1].lower()
        if not stat.S_ISREG(mode):
            raise BundleRefused(f"{name!r} is {_kind(mode)}; a bundle holds regular files only.")
        if suffix in PROGRAMS:
            raise BundleRefused(f"{name!r} is a program; a bundle holds data only.")
        if suffix in PICKLES:
            raise BundleRefused(f"{name!r} may run code when it is loaded (pickle); weights are safetensors or GGUF.")
        if name.lower().endswith(".index.json"):
            raise BundleRefused(f"{name!r} names weights in other files; a bundle has them in one.")
        if name not in {MANIFEST_FILE, TOKENIZER_FILE, TEMPLATE_FILE, *WEIGHTS_FILES, *CONFIGURATIONS, *FOR_PEOPLE}:
            raise BundleRefused(f"{name!r} does not belong to a bundle.")
    missing = [name for name in (MANIFEST_FILE, TOKENIZER_FILE, TEMPLATE_FILE) if name not in modes]
    if missing or len(modes.keys() & set(WEIGHTS_FILES)) != 1:
        raise BundleRefused(f"The bundle lacks {missing} or has not exactly one of {', '.join(WEIGHTS_FILES)}.")


def _kind(mode: int) -> str:
    for test, kind in ((stat.S_ISLNK, "a symbolic link"), (stat.S_ISDIR, "a folder"), (stat.S_ISREG, "a file")):
        if test(mode):
            return kind
    return "a pipe, a socket or a device"


def _read_manifest(folder: Path, names: frozenset[str]) -> ModelManifest:
    value = parse_file_json(read_data_file(folder / MANIFEST_FILE, MAX_MANIFEST), MANIFEST_FILE, items=4096)
    manifest = document_from_json(ModelManifest, value)
    package, _, file = manifest.source.partition(":")
    if package != BUNDLE or file not in names & set(WEIGHTS_FILES):
        raise BundleRefused(
            f"The manifest's source is {manifest.source!r}; {BUNDLE}: and the weights file of the folder are needed."
        )
    return manifest


def _check_memory(manifest: ModelManifest, memory: int) -> None:
    plan = plan_tensors(manifest.shape)
    promised, numbers = manifest.tensors, count_numbers(plan)
    if (promised.count, promised.numbers) != (len(plan), numbers):
        raise BundleRefused(
            f"The manifest promises {promised.count} tensors of {promised.numbers} numbers; a model of its shape has "
            f"{len(plan)} of {numbers}."
        )
    if 4 * numbers > memory:
        raise BundleRefused(f"The model takes {4 * numbers} bytes as float32, this machine has {memory}.")


def _check_configuration(data: bytes, name: str) -> None:
    waiting: list[Any] = [parse_file_json(data, name, items=1 << 16, real_numbers=True)]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if found := sorted(CODE_KEYS & item.keys()):
                raise BundleRefused(f"{name} asks for a program of its author: {', '.join(found)}.")
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


def _check_extent(weights: Path, promised: int) -> None:
    with open_data_file(weights) as stream:
        found = os.fstat(stream.fileno())
        hole = os.lseek(stream.fileno(), 0, os.SEEK_HOLE) if found.st_size else 0
    if not found.st_size:
        raise BundleRefused(f"{weights.name} is empty.")
    if found.st_size != promised:
        raise BundleRefused(f"{weights.name} has {found.st_size} bytes, the manifest promises {promised}.")
    # Both, because some file systems count no blocks and others store zeros as holes.
    if hole < found.st_size and SPARSE * 512 * found.st_blocks < found.st_size:
        raise BundleRefused(f"{weights.name} is sparse: {512 * found.st_blocks} of its {found.st_size} bytes exist.")


def _try_template(template: ChatTemplate) -> None:
    question = {"role": "user", "content": "Which lighthouse?"}
    talks = ([question], [{"role": "system", "content": "Brief."}, question, {"role": "assistant", "content": "A"}])
    for talk in talks:
        try:
            text = template.render(talk)
        except SecurityError as error:
            raise BundleRefused(f"The chat template is refused: {error}.") from error
        except TemplateError as error:
            # A model may refuse roles; a single question it has to take.
            if len(talk) == 1:
                raise BundleRefused(f"The chat template fails for a question: {error}.") from error
            continue
        if question["content"] not in text:
            raise BundleRefused("The chat template leaves the question out of the prompt.")
