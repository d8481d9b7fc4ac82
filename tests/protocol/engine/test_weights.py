from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from protocol.engine import weights
from protocol.engine.generate import generate
from protocol.engine.gguf_file import GgufFile, GgufUnsupported
from protocol.engine.model import ServedModel, load_model
from protocol.engine.weights import (
    TENSOR_FILE,
    TOKENIZER_FILE,
    ModelFileMismatch,
    ModelFileMissing,
    default_cache_folder,
    locate_weights_file,
    prepare_model,
)
from protocol.manifest import ModelManifest, TensorDigest


def test_locate__package_not_installed__names_it_and_the_fix(tiny_manifest: ModelManifest) -> None:
    with pytest.raises(ModelFileMissing, match="tiny_package") as caught:
        locate_weights_file(tiny_manifest)
    assert "make setup" in caught.value.fix


def test_prepare__no_file__is_refused(tiny_manifest: ModelManifest, tmp_path: Path) -> None:
    with pytest.raises(ModelFileMissing, match=r"nothing\.gguf"):
        prepare_model(tiny_manifest, tmp_path, tmp_path / "nothing.gguf")


def test_prepare__one_byte_differs__names_both_digests(
    tiny_manifest: ModelManifest, tiny_file: Path, tmp_path: Path
) -> None:
    altered = tmp_path / "altered.gguf"
    data = bytearray(tiny_file.read_bytes())
    data[-1] ^= 1
    altered.write_bytes(data)
    with pytest.raises(ModelFileMismatch) as caught:
        prepare_model(tiny_manifest, tmp_path / "cache", altered)
    assert caught.value.found in str(caught.value) and tiny_manifest.weights.sha256 in str(caught.value)
    assert caught.value.found != caught.value.expected and caught.value.fix
    assert not (tmp_path / "cache").exists()


def test_prepare__other_tensors_than_named__leaves_no_cache(
    tiny_manifest: ModelManifest, tiny_file: Path, tmp_path: Path
) -> None:
    other = replace(tiny_manifest, tensors=TensorDigest(20, 5, "ab" * 32))
    with pytest.raises(ModelFileMismatch, match="decodes to"):
        prepare_model(other, tmp_path, tiny_file)
    assert [path.name for path in tmp_path.iterdir()] == ["ab" * 32 + ".lock"]


def test_prepare__interrupted__leaves_no_cache_and_the_next_try_works(
    tiny_manifest: ModelManifest, tiny_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(weights, "check_finite", interrupt)
        with pytest.raises(KeyboardInterrupt):
            prepare_model(tiny_manifest, tmp_path, tiny_file)
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]
    assert (prepare_model(tiny_manifest, tmp_path, tiny_file) / TENSOR_FILE).is_file()


def test_prepare__remains_of_a_killed_process__are_removed(
    tiny_manifest: ModelManifest, tiny_file: Path, tmp_path: Path
) -> None:
    stale = tmp_path / f".{tiny_manifest.tensors.sha256}.1"
    stale.mkdir()
    prepare_model(tiny_manifest, tmp_path, tiny_file)
    assert not stale.exists()


def test_prepare__twice__derives_once(tiny_manifest: ModelManifest, tiny_file: Path, tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    folder = prepare_model(tiny_manifest, tmp_path, tiny_file, lambda *step: told.append(step))
    assert (
        told[0][1] == 0
        and told[-1][1] == 1
        and [part for _, part in told] == sorted(part for _, part in told)
    )
    count, written = len(told), (folder / TENSOR_FILE).stat().st_mtime_ns
    prepare_model(tiny_manifest, tmp_path, tiny_file, lambda *step: told.append(step))
    assert len(told) == count and (folder / TENSOR_FILE).stat().st_mtime_ns == written


def test_prepare__cached_tokenizer_altered__is_refused(
    tiny_manifest: ModelManifest, tiny_file: Path, tmp_path: Path
) -> None:
    folder = prepare_model(tiny_manifest, tmp_path, tiny_file)
    (folder / TOKENIZER_FILE).write_text("{}")
    with pytest.raises(ModelFileMismatch, match=r"tokenizer\.json"):
        prepare_model(tiny_manifest, tmp_path, tiny_file)


def test_load__cached_tensors_altered__are_derived_again(
    tiny: ServedModel, tiny_file: Path, tmp_path: Path
) -> None:
    folder = prepare_model(tiny.manifest, tmp_path, tiny_file)
    with (folder / TENSOR_FILE).open("r+b") as stream:
        stream.seek(-3, 2)
        stream.write(b"\x01")
    loaded = load_model(tiny.manifest, tmp_path, tiny_file)
    assert generate(loaded, [1, 50], 12) == generate(tiny, [1, 50], 12)


def test_load__twice__gives_identical_tokens_and_logprobs(
    tiny: ServedModel, tiny_file: Path, tmp_path: Path
) -> None:
    first, second = (load_model(tiny.manifest, tmp_path, tiny_file) for _ in range(2))
    assert generate(first, [1, 50], 20) == generate(second, [1, 50], 20)


def test_gguf__of_another_architecture__is_refused(tiny_file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(
        tiny_file.read_bytes().replace(
            b"\x05\x00\x00\x00\x00\x00\x00\x00llama", b"\x05" + b"\x00" * 7 + b"phi33", 1
        )
    )
    with pytest.raises(GgufUnsupported, match="'phi33'"):
        GgufFile(other)


def test_default_cache__environment__wins(tmp_path: Path) -> None:
    assert default_cache_folder({"MALLA_MODEL_CACHE": str(tmp_path)}) == tmp_path
    assert default_cache_folder({}).parts[-2:] == ("var", "models")


def test_load__cache_folder_moved_away__is_made_again(
    tiny: ServedModel, tiny_file: Path, tmp_path: Path
) -> None:
    shutil.rmtree(prepare_model(tiny.manifest, tmp_path, tiny_file))
    assert load_model(tiny.manifest, tmp_path, tiny_file).manifest == tiny.manifest
