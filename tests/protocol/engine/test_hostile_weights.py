"""Bundles whose weights lie, as safetensors and as GGUF; and random changes of both headers."""

from __future__ import annotations

import json
import os
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import pytest

from protocol.engine.bundle import read_bundle
from protocol.engine.gguf_header import QUANTISATIONS
from protocol.engine.weights import prepare_model
from protocol.errors import MallaError
from tests.protocol.engine.hostile import Hostile, assert_refused, measure
from tests.protocol.engine.tiny_bundle import ARRAY, INT32, TEXT, UINT32, GgufEntry, Parts, gguf_text

HEAD, NORM, QUERY = "lm_head.weight", "model.norm.weight", "model.layers.0.self_attn.q_proj.weight"


def entry(cause: str, name: str = NORM, **values: Any) -> Hostile:
    """One tensor's entry in the safetensors header is other."""

    def change(header: dict[str, Any]) -> dict[str, Any]:
        header[name] = {**header[name], **values}
        return header

    return Hostile(cause, lambda parts: setattr(parts, "spoil_header", change))


def header(cause: str, change: Callable[[dict[str, Any]], Any]) -> Hostile:
    return Hostile(cause, lambda parts: setattr(parts, "spoil_header", change))


def weights(cause: str, change: Callable[[bytes], bytes], kind: str = "safetensors") -> Hostile:
    def spoil(parts: Parts) -> None:
        parts.kind, parts.spoil_weights = kind, change

    return Hostile(cause, spoil)


def number(cause: str, value: float) -> Hostile:
    def spoil(parts: Parts) -> None:
        parts.tensors[QUERY][3, 3] = value

    return Hostile(cause, spoil)


def make_sparse(folder: Path) -> None:
    os.truncate(folder / "model.safetensors", 1 << 40)


def promise_a_terabyte(parts: Parts) -> None:
    parts.manifest["weights"] = {"bytes": 1 << 40, "sha256": "ab" * 32}


def without(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda header: {key: value for key, value in header.items() if key != name}


def shifted(by: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Every tensor but the first begins `by` bytes further, and the last one ends there."""

    def change(header: dict[str, Any]) -> dict[str, Any]:
        for key, value in header.items():
            if key != "__metadata__" and value["data_offsets"][0]:
                value["data_offsets"] = [offset + by for offset in value["data_offsets"]]
        return header

    return change


def swapped(header: dict[str, Any]) -> dict[str, Any]:
    names = [f"model.layers.{layer}.self_attn.q_proj.weight" for layer in (0, 1)]
    header[names[0]], header[names[1]] = header[names[1]], header[names[0]]
    return header


def at(place: int, form: str, value: int) -> Callable[[bytes], bytes]:
    """A number of the file's first bytes is another."""
    size = struct.calcsize(form)
    return lambda data: data[:place] + struct.pack(form, value) + data[place + size:]


def field(cause: str, name: str, kind: int | None, value: Any = None) -> Hostile:
    """One field of the GGUF is other, or missing."""

    def spoil(parts: Parts) -> None:
        parts.kind = "gguf"
        del parts.fields[name]
        if kind is not None:
            parts.fields[name] = (kind, value)

    return Hostile(cause, spoil)


def placed(cause: str, change: Callable[[list[GgufEntry]], Any]) -> Hostile:
    """The GGUF's list of tensors is other."""

    def spoil(parts: Parts) -> None:
        parts.kind, parts.spoil_entries = "gguf", change

    return Hostile(cause, spoil)


def first(**values: Any) -> Callable[[list[GgufEntry]], Any]:
    return lambda entries: [setattr(entries[0], name, value) for name, value in values.items()]


def length_of(text: str, value: int) -> Callable[[bytes], bytes]:
    """The length before a text of the GGUF is another."""
    return lambda data: data.replace(gguf_text(text), struct.pack("<Q", value) + text.encode(), 1)


TABLE = {
    "empty": weights("is empty", lambda data: b""),
    "four_bytes": weights("too few", lambda data: b"\0" * 4),
    "header_of_2_63": weights("a header of 9223372036854775808", at(0, "<Q", 2**63)),
    "header_larger_than_the_file": weights("claims a header", at(0, "<Q", 1 << 20)),
    "header_padded": header("the limit for 21 tensors", lambda header: json.dumps(header).encode() + b" " * 50_000),
    "header_is_a_pickle": header("is not UTF-8", lambda header: b"\x80\x04." + b"\xff" * 64),
    "header_is_a_list": header("is not an object", lambda header: b"[]"),
    "header_nested": header("nested deeper", lambda header: b"[" * 100 + b"]" * 100),
    "header_of_lists": header("the limit is 368", lambda header: b"[" * 4000),
    "tensor_twice": header("twice", lambda header: (json.dumps(header)[:-1] + ', "a": 1, "a": 2}').encode()),
    "metadata_of_lists": header("__metadata__", lambda header: {**header, "__metadata__": {"a": [1]}}),
    "entry_with_code": entry("not described", loader="os.system"),
    "type_i64": Hostile("has the type 'I64'", lambda parts: setattr(parts, "dtype", "I64")),
    "type_f64": Hostile("has the type 'F64'", lambda parts: setattr(parts, "dtype", "F64")),
    "type_is_a_list": entry("has the type", dtype=["F32"]),
    "other_type_of_the_same_size": entry("its architecture says [16]", dtype="BF16", shape=[32]),
    "shape_overflows": entry("take 73786976294838206464", shape=[2**32, 2**32]),
    "shape_negative": entry("one or two sizes", shape=[-16]),
    "shape_true": entry("one or two sizes", shape=[True]),
    "shape_of_many": entry("one or two sizes", shape=[1] * 30 + [16]),
    "shape_turned": entry("its architecture says [261, 16]", HEAD, shape=[16, 261]),
    "offsets_reversed": entry("numbers of F32 take", data_offsets=[64, 0]),
    "offsets_of_2_63": entry("begins at 9223372036854775808", data_offsets=[2**63, 2**63 + 64]),
    "offset_real": entry("only integers", data_offsets=[0.5, 64.5]),
    "offset_missing": entry("two are needed", data_offsets=[0]),
    "overlapping": entry("overlaps", data_offsets=[0, 64]),
    "gap": header("leaves a gap", shifted(64)),
    "shared_bytes": header("overlaps", shifted(-64)),
    "truncated": weights("is truncated", lambda data: data[:-100]),
    "bytes_behind": weights("belong to no tensor", lambda data: data + b"PK\x03\x04"),
    "tensor_missing": header("lacks 1 tensors", without(NORM)),
    "tensor_of_another_model": header("do not belong", lambda header: {**header, "evil": header[NORM]}),
    "tensors_swapped": header("decodes to", swapped),
    "not_a_number": number("NaN or infinite", float("nan")),
    "infinite": number("NaN or infinite", float("-inf")),
    "sparse_terabyte": Hostile("the manifest promises", after=make_sparse),
    "sparse_terabyte_promised": Hostile("is sparse", promise_a_terabyte, make_sparse),
    "gguf_magic": weights("does not begin with GGUF", at(0, "<I", 0), "gguf"),
    "gguf_version": weights("is of version", at(4, "<I", 99), "gguf"),
    "gguf_of_2_63_tensors": weights("claims 9223372036854775808 tensors", at(8, "<Q", 2**63), "gguf"),
    "gguf_of_2_32_fields": weights("4294967296 fields", at(16, "<Q", 2**32), "gguf"),
    "gguf_text_of_2_63": weights("claims 9223372036854775808 bytes", length_of("gpt2", 2**63), "gguf"),
    "gguf_text_beyond_the_file": weights("more than the file", length_of("smollm", 1 << 19), "gguf"),
    "gguf_truncated": weights("is truncated", lambda data: data[:-100], "gguf"),
    "gguf_cut_in_its_header": weights("more than the file", lambda data: data[:400], "gguf"),
    "gguf_bytes_behind": weights("after its last tensor", lambda data: data + b"x" * 99, "gguf"),
    "gguf_list_of_2_40": weights("items in its lists", lambda data: data.replace(
        struct.pack("<IQ", TEXT, 261), struct.pack("<IQ", TEXT, 1 << 40), 1), "gguf"),
    "gguf_at_its_limits": weights("1499994 merges", lambda data: data.replace(
        struct.pack("<IQ", TEXT, 2) + gguf_text("h e"),
        struct.pack("<IQ", TEXT, 1_499_994) + gguf_text("\N{GRINNING FACE}") * 1_499_992 + gguf_text("h e"), 1),
        "gguf"),
    "gguf_list_of_lists": field("lists within the list", "tokenizer.ggml.merges", ARRAY, (ARRAY, [(TEXT, ["h e"])])),
    "gguf_unknown_type": weights("the unknown type 77", lambda data: data.replace(
        gguf_text("general.license") + struct.pack("<I", TEXT), gguf_text("general.license") + struct.pack("<I", 77), 1
    ), "gguf"),
    "gguf_field_twice": weights("the field 'tokenizer.ggml.tokens' twice", lambda data: data.replace(
        b"tokenizer.ggml.merges", b"tokenizer.ggml.tokens", 1), "gguf"),
    "gguf_alignment": Hostile("has the alignment 3", lambda parts: (
        setattr(parts, "kind", "gguf"), parts.fields.update({"general.alignment": (UINT32, 3)}))),
    "gguf_other_architecture": field("serves 'llama' only", "general.architecture", TEXT, "phi3"),
    "gguf_without_template": field("no field 'tokenizer.chat_template'", "tokenizer.chat_template", None),
    "gguf_template_of_its_own": field("chat_template.jinja", "tokenizer.chat_template", TEXT, "{{ messages }}"),
    "gguf_layers_are_a_text": field("is no int", "llama.block_count", TEXT, "2"),
    "gguf_of_other_layers": field("of another shape than promised", "llama.block_count", UINT32, 1),
    "gguf_tokens_are_numbers": field("vocabulary", "tokenizer.ggml.tokens", ARRAY, (INT32, [1, 2])),
    "gguf_merges_are_numbers": field("no list of texts", "tokenizer.ggml.merges", ARRAY, (INT32, [1])),
    "gguf_fewer_token_types": field("but the types of", "tokenizer.ggml.token_type", ARRAY, (INT32, [1])),
    "gguf_rotation_not_a_number": field("rope_theta", "llama.rope.freq_base", 6, float("nan")),
    "gguf_tensor_of_2_63": placed("is truncated", first(dimensions=[16, 2**63])),
    "gguf_tensor_of_no_rows": placed("no whole blocks", first(dimensions=[16, 0])),
    "gguf_tensor_of_9_dimensions": placed("9 dimensions", first(dimensions=[1] * 9)),
    "gguf_tensor_of_i64": placed("the type 27", first(kind=27)),
    "gguf_tensor_of_half_blocks": placed("no whole blocks", first(kind=2)),
    "gguf_overlapping": placed("overlaps", lambda entries: setattr(entries[1], "offset", 32)),
    "gguf_offset_of_2_63": placed("not where", lambda entries: setattr(entries[-1], "offset", 2**63)),
    "gguf_unaligned": placed("puts the tensor", lambda entries: setattr(entries[1], "offset", entries[1].offset + 1)),
    "gguf_tensor_twice": placed("twice", lambda entries: setattr(entries[1], "name", entries[0].name)),
    "gguf_tensor_of_another_model": placed("plain Llama", lambda entries: setattr(
        entries[1], "name", "blk.0.ffn_gate_exps.weight")),
    "gguf_tensor_in_disguise": placed("lacks 1 tensors", lambda entries: [
        setattr(one, "name", one.name.replace("blk.1.", "blk.01.")) for one in entries if "blk.1.ffn_up" in one.name]),
}  # fmt: skip


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return measure(TABLE, tmp_path_factory.mktemp("hostile"))


@pytest.mark.parametrize("name", TABLE)
def test_read__weights_lie__is_refused_with_the_cause(records: dict[str, dict[str, Any]], name: str) -> None:
    """R96: a header is believed when it is exactly the architecture's, and weights when they are finite."""
    assert_refused(records[name], TABLE[name].cause)


@pytest.mark.parametrize("kind", ["safetensors", "gguf"])
def test_read__300_random_changes_of_the_header__load_or_raise_our_error(tmp_path: Path, kind: str) -> None:
    """The manifest names the changed file's digest, so that the digest does not refuse what the header must."""
    dice, refused = random.Random(7), 0
    whole = Parts(kind=kind).pack_gguf() if kind == "gguf" else Parts().pack_safetensors()
    end = whole.index(b"\0" * 8, 400) if kind == "gguf" else 8 + int.from_bytes(whole[:8], "little")

    def change(data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(dice.randint(1, 2)):
            place = dice.randrange(end)
            changed[place] = changed[place] ^ 1 << dice.randrange(8) if dice.random() < 0.5 else dice.randrange(256)
        return bytes(changed[: dice.randrange(len(changed))] if dice.random() < 0.1 else changed)

    for trial in range(300):
        folder = Parts(kind=kind, spoil_weights=change).write(tmp_path / f"{trial}")
        try:
            bundle = read_bundle(folder, tmp_path / "cache")
            prepare_model(bundle.manifest, tmp_path / "cache", bundle.weights)
        except MallaError:
            refused += 1
    assert refused > 150


def test_quantisations__of_our_table__are_those_of_the_library() -> None:
    theirs = {int(kind): sizes for kind, sizes in gguf.GGML_QUANT_SIZES.items()}
    assert {kind: theirs[kind] for kind in QUANTISATIONS} == QUANTISATIONS
