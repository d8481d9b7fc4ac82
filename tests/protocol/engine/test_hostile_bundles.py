"""Bundles whose folder, manifest or configuration lies. Weights and texts have files of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from protocol.engine.bundle import read_bundle
from protocol.engine.data_file import BundleRefused
from protocol.engine.generate import generate
from protocol.engine.model import load_model
from protocol.engine.prompt import load_prompt_encoder
from protocol.engine.weights import ModelFileMissing, prepare_model
from tests.protocol.engine.hostile import ROOT, Hostile, assert_refused, measure, take_snapshot
from tests.protocol.engine.tiny_bundle import SHAPE, Parts

MANIFEST, TOKENIZER, WEIGHTS = "manifest.json", "tokenizer.json", "model.safetensors"


def beside(cause: str, name: str, data: bytes = b"x") -> Hostile:
    """A file that does not belong."""
    return Hostile(cause, lambda parts: parts.files.update({name: data}))


def shaped(cause: str, **sizes: Any) -> Hostile:
    """A manifest of other sizes."""
    return Hostile(cause, lambda parts: parts.shape.update(sizes))


def promised(cause: str, **values: Any) -> Hostile:
    """A manifest of other values."""
    return Hostile(cause, lambda parts: parts.manifest.update(values))


def written(cause: str, old: bytes, new: bytes) -> Hostile:
    """A manifest whose text is changed."""

    def change(text: bytes) -> bytes:
        assert old in text
        return text.replace(old, new, 1)

    return Hostile(cause, lambda parts: setattr(parts, "manifest_text", change))


def link(name: str, target: str) -> Hostile:
    """A file that is a link to elsewhere."""

    def replace(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).symlink_to(target)

    return Hostile("a symbolic link", after=replace)


def move_and_link(folder: Path) -> None:
    folder.rename(folder.parent / "elsewhere")
    folder.symlink_to(folder.parent / "elsewhere")


def make_pipe(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    os.mkfifo(folder / WEIGHTS)


def flip_last_bit(name: str) -> Hostile:
    def flip(folder: Path) -> None:
        data = bytearray((folder / name).read_bytes())
        data[-1] ^= 1
        (folder / name).write_bytes(data)

    return Hostile("has SHA-256", after=flip)


def fill_memory(parts: Parts) -> None:
    """Sizes that are all allowed, of a model that no machine holds, with a promise that fits."""
    parts.shape |= {"layers": 1024, "hidden": 1 << 16, "heads": 1 << 6, "kv_heads": 1 << 6, "intermediate": 1 << 18}
    hidden, wide = 1 << 16, 1 << 18
    numbers = 1024 * (4 * hidden**2 + 3 * hidden * wide + 2 * hidden) + 2 * SHAPE.vocabulary * hidden + hidden
    parts.manifest["tensors"] = {"count": 9 * 1024 + 3, "numbers": numbers, "sha256": "ab" * 32}


TABLE = {
    "pickle_weights": beside("(pickle)", "pytorch_model.bin"),
    "pickle_in_capitals": beside("(pickle)", "WEIGHTS.PKL"),
    "torch_checkpoint": beside("(pickle)", "model.pt"),
    "numpy_archive": beside("(pickle)", "weights.npz"),
    "program": beside("is a program", "modeling_llama.py", b"import os"),
    "library": beside("is a program", "kernel.so", b"\x7fELF"),
    "shard_index_outside": beside(
        "names weights in other files", "model.safetensors.index.json", b'{"weight_map": {"a": "../../secret"}}'
    ),
    "auto_map": beside("auto_map", "config.json", b'{"x": 1.5, "auto_map": {"AutoModel": "m.M"}}'),
    "remote_code_in_disguise": beside(
        "trust_remote_code", "tokenizer_config.json", b'{"a": [{"trust\\u005fremote_code": true}]}'
    ),
    "configuration_nested": beside("nested deeper", "config.json", b"[" * 9_000 + b"]" * 9_000),
    "configuration_of_commas": beside("the limit is 65536", "config.json", b"[" + b"0," * 300_000 + b"0]"),
    "configuration_too_large": beside("the limit is 1048576", "config.json", b" " * (2 << 20)),
    "unknown_file": beside("does not belong", "payload.dat"),
    "two_weights": beside("not exactly one", "model.gguf"),
    "case_twin": beside("where case does not count", "Manifest.json"),
    "unicode_twin": beside("where case does not count", "\N{FULLWIDTH LATIN SMALL LETTER M}anifest.json"),
    "name_of_control_codes": beside("not printable", "\x1b[2J.md"),
    "too_many_files": Hostile("more than 64 files", lambda parts: parts.files.update(
        {f"{number}.md": b"x" for number in range(100)}
    )),
    "name_that_is_no_text": Hostile("not printable", after=lambda folder: open(
        os.fsencode(folder) + b"/\xff.md", "xb"
    ).close()),
    "weights_linked": link(WEIGHTS, "/dev/zero"),
    "tokenizer_linked": link(TOKENIZER, "/etc/passwd"),
    "manifest_linked_in_circles": link(MANIFEST, MANIFEST),
    "folder_linked": Hostile("is a symbolic link; a bundle is a folder", after=move_and_link),
    "folder_in_folder": Hostile("is a folder", after=lambda folder: (folder / "code").mkdir()),
    "pipe": Hostile("a pipe, a socket or a device", after=make_pipe),
    "no_folder": Hostile("There is no bundle", after=shutil.rmtree),
    "no_manifest": Hostile("lacks ['manifest.json']", after=lambda folder: (folder / MANIFEST).unlink()),
    "no_weights": Hostile("not exactly one", after=lambda folder: (folder / WEIGHTS).unlink()),
    "source_above": promised("without folders", source="bundle:../model.safetensors"),
    "source_absolute": promised("without folders", source="bundle:/etc/passwd"),
    "source_is_a_package": promised("are needed", source="antigravity:model.safetensors"),
    "source_is_another_file": promised("are needed", source="bundle:tokenizer.json"),
    "manifest_empty": Hostile("is empty", lambda parts: setattr(parts, "manifest_text", lambda text: b"")),
    "manifest_too_large": Hostile("the limit is 65536", lambda parts: setattr(
        parts, "manifest_text", lambda text: text + b" " * 70_000
    )),
    "byte_order_mark": Hostile("BOM", lambda parts: setattr(
        parts, "manifest_text", lambda text: b"\xef\xbb\xbf" + text
    )),
    "not_utf8": written("is not UTF-8", b'"tiny"', b'"\xff\xfe"'),
    "half_a_surrogate": written("surrogate", b'"tiny"', b'"\\ud83c"'),
    "not_a_number": written("NaN", b'"context_tokens": 96', b'"context_tokens": NaN'),
    "infinite": written("Infinity", b'"context_tokens": 96', b'"context_tokens": -Infinity'),
    "real_number": written("only integers", b'"context_tokens": 96', b'"context_tokens": 9.6e1'),
    "number_of_many_digits": written("digits", b'"layers": 2', b'"layers": ' + b"9" * 4000),
    "nested": written("nested deeper", b'"tiny"', b"[" * 1000 + b"]" * 1000),
    "key_twice": written("twice in one object", b'"name": "tiny"', b'"name": "tiny", "name": "other"'),
    "unknown_field": promised("unknown fields ['remote_code']", remote_code="https://example.invalid"),
    "other_format": promised("malla-model/1", format="malla-model/9"),
    "other_architecture": promised("only 'llama' is", architecture="mamba"),
    "name_of_escape_codes": promised("printable", name="tiny\x1b[2J"),
    "a_billion_layers": shaped("LlamaShape.layers", layers=10**9),
    "no_heads": shaped("LlamaShape.heads", heads=0),
    "heads_do_not_divide": shaped("do not divide", heads=3),
    "odd_heads": shaped("cannot be rotated", hidden=12, heads=4, kv_heads=4),
    "negative_size": shaped("LlamaShape.hidden", hidden=-16),
    "vocabulary_of_2_63": shaped("LlamaShape.vocabulary", vocabulary=2**63),
    "layers_true": shaped("a value of type int", layers=True),
    "rope_not_a_number": shaped("rope_theta", rope_theta="nan"),
    "epsilon_zero": shaped("rms_norm_eps", rms_norm_eps="0"),
    "context_absurd": promised("A context of 1000000000000", context_tokens=10**12),
    "no_stop_token": promised("one stop token", stop_token_ids=[]),
    "stop_token_beyond": promised("outside the vocabulary", stop_token_ids=[261]),
    "vocabulary_below_the_stop_token": shaped("outside the vocabulary", vocabulary=2),
    "fewer_layers_than_stored": shaped("a model of its shape has", layers=1),
    "more_than_memory": Hostile("this machine has", fill_memory),
    "weights_promised_larger": promised("the manifest promises", weights={"bytes": 1 << 30, "sha256": "ab" * 32}),
    "other_weights": flip_last_bit(WEIGHTS),
    "other_tokenizer": flip_last_bit(TOKENIZER),
    "other_template": flip_last_bit("chat_template.jinja"),
}  # fmt: skip


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return measure(TABLE, tmp_path_factory.mktemp("hostile"))


@pytest.mark.parametrize("name", TABLE)
def test_read__folder_or_manifest_lies__is_refused_with_the_cause(
    records: dict[str, dict[str, Any]], name: str
) -> None:
    """R95: data files of one folder and the manifest's sizes are checked before a tensor is read."""
    assert_refused(records[name], TABLE[name].cause)


def test_measure__honest_bundle__is_loaded_and_writes_into_its_cache_only(tmp_path: Path) -> None:
    """The control of all the others: what refuses everything, or sees nothing, does not pass here."""
    record = measure({"honest": Hostile("")}, tmp_path)["honest"]
    assert record["kind"] == "loaded" and record["growth"] > 1 << 20
    assert record["touched"] == [] and record["changed"] == []
    assert len(list((tmp_path / "homes" / "honest" / "cache").glob("bundle-*/*"))) == 3
    with pytest.raises(AssertionError, match="was accepted"):
        assert_refused(record, "")


def test_watch__write_outside_the_cache_and_a_program__are_seen(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from tests.protocol.engine.measure_bundles import watch\n"
        "seen = []; watch(Path('cache').resolve(), seen); Path('cache').mkdir(); open('cache/a', 'w').close()\n"
        "assert seen == []; open('b', 'w').close(); os.rename('b', 'c'); os.system('true'); print(len(seen))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )  # fmt: skip
    assert ran.stdout == "3\n", ran.stderr


def test_read__cache_inside_the_bundle__is_refused(tmp_path: Path) -> None:
    folder = Parts().write(tmp_path / "bundle")
    for cache in (folder / "cache", folder, tmp_path):
        with pytest.raises(BundleRefused, match="lie in each other"):
            read_bundle(folder, cache)


def test_read__memory_too_small__is_refused(tmp_path: Path) -> None:
    folder = Parts().write(tmp_path / "bundle")
    with pytest.raises(BundleRefused, match="this machine has 1000"):
        read_bundle(folder, tmp_path / "cache", memory=1000)


def test_prepare__manifest_of_a_bundle_without_its_folder__asks_for_it(tmp_path: Path) -> None:
    bundle = read_bundle(Parts().write(tmp_path / "bundle"), tmp_path / "cache")
    with pytest.raises(ModelFileMissing, match="no part of this release"):
        prepare_model(bundle.manifest, tmp_path / "cache")


@pytest.mark.parametrize(("kind", "dtype"), [("safetensors", "F32"), ("safetensors", "BF16"), ("gguf", "F32")])
def test_read__honest_bundle__loads_generates_and_changes_nothing(tmp_path: Path, kind: str, dtype: str) -> None:
    folder, cache = Parts(kind=kind, dtype=dtype).write(tmp_path / "bundle"), tmp_path / "cache"
    os.link(folder / MANIFEST, tmp_path / "second name")
    (folder / "config.json").write_text('{"rms_norm_eps": 1e-05}')
    before = take_snapshot(folder)
    bundle = read_bundle(folder, cache)
    assert not cache.exists()
    model = load_model(bundle.manifest, cache, bundle.weights)
    encoder = load_prompt_encoder(bundle.manifest, cache, bundle.weights)
    prompt = encoder.encode([("user", "hello")])
    found = generate(model, prompt, 8)
    assert 1 <= len(found.output_token_ids) <= 8 and encoder.decode(prompt).startswith("user\nhello")
    assert take_snapshot(folder) == before


def test_prepare__two_bundles_of_the_same_tensors__keep_their_own_templates(tmp_path: Path) -> None:
    """A stranger's manifest that names known tensors does not take their place in the cache."""
    first = read_bundle(Parts().write(tmp_path / "first"), tmp_path / "cache")
    other = Parts(template="{% for m in messages %}{{ m['content'] }}!{% endfor %}").write(tmp_path / "second")
    second = read_bundle(other, tmp_path / "cache")
    assert first.manifest.tensors == second.manifest.tensors
    texts = [
        load_prompt_encoder(bundle.manifest, tmp_path / "cache", bundle.weights).render([("user", "hello")])
        for bundle in (first, second, first)
    ]
    assert texts[0] == texts[2] != texts[1] == "hello!"
