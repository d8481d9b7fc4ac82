"""A valid bundle of a tiny Llama, in parts that a test may spoil before it is written. Imports no torch."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy

from protocol.engine.digests import digest_bytes, digest_tensors
from protocol.engine.gguf_file import LAYER_TENSOR_NAMES, TENSOR_NAMES, GgufFile
from protocol.engine.tensor_plan import plan_tensors
from protocol.engine.weights_source import tokenizer_bytes
from protocol.errors import MallaError
from protocol.manifest import LlamaShape

CONTROLS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
SHAPE = LlamaShape(2, 16, 4, 2, 32, 261, "10000", "1e-05", False)
TEXT, ARRAY, UINT32, INT32, FLOAT32 = 8, 9, 4, 5, 6
WEIGHTS = {"safetensors": "model.safetensors", "gguf": "model.gguf"}


def list_tokens() -> list[str]:
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    moved = iter(range(256, 512))
    return [*CONTROLS, *(chr(byte) if byte in kept else chr(next(moved)) for byte in range(256)), "he", "ll"]


def make_tokenizer() -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    absent = ("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix")
    return {
        "version": "1.0", "truncation": None, "padding": None, "normalizer": None, "pre_tokenizer": dict(BYTE_LEVEL),
        "post_processor": None, "decoder": dict(BYTE_LEVEL),
        "added_tokens": [{"id": place, "content": text, **flags} for place, text in enumerate(CONTROLS)],
        "model": {
            "type": "BPE", **dict.fromkeys(absent), "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": {token: place for place, token in enumerate(list_tokens())},
            "merges": [["h", "e"], ["l", "l"]],
        },
    }  # fmt: skip


def make_tensors() -> dict[str, numpy.ndarray]:
    random = numpy.random.default_rng(7)
    return {
        name: (2 * random.standard_normal(size) / size[-1] ** 0.5).astype("<f4")
        for name, size in sorted(plan_tensors(SHAPE).items())
    }


def encode(array: numpy.ndarray, dtype: str) -> bytes:
    """Numbers in another type; BF16 takes the upper half of a float32."""
    if dtype == "BF16":
        return (array.view("<u4") >> 16).astype("<u2").tobytes()
    return array.astype({"F32": "<f4", "F16": "<f2", "F64": "<f8", "I64": "<i8"}[dtype]).tobytes()


def round_to(tensors: dict[str, numpy.ndarray], dtype: str) -> dict[str, numpy.ndarray]:
    """What the weights decode to: float32 that went through the other type."""
    if dtype == "F16":
        return {name: array.astype("<f2").astype("<f4") for name, array in tensors.items()}
    if dtype == "BF16":
        return {name: (array.view("<u4") & 0xFFFF0000).view("<f4") for name, array in tensors.items()}
    return tensors


def make_header(tensors: dict[str, numpy.ndarray], dtype: str) -> tuple[dict[str, Any], bytes]:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, array in tensors.items():
        part = encode(array, dtype)
        header[name] = {
            "dtype": dtype, "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(part)]
        }  # fmt: skip
        data += part
    return header, data


def make_fields() -> dict[str, tuple[int, Any]]:
    """The GGUF's fields as (type, value); a list's value is (type, items)."""
    tokens = list_tokens()
    return {
        "general.architecture": (TEXT, "llama"), "general.license": (TEXT, "mit"),
        "llama.context_length": (UINT32, 96), "llama.embedding_length": (UINT32, SHAPE.hidden),
        "llama.feed_forward_length": (UINT32, SHAPE.intermediate), "llama.block_count": (UINT32, SHAPE.layers),
        "llama.attention.head_count": (UINT32, SHAPE.heads), "llama.attention.head_count_kv": (UINT32, SHAPE.kv_heads),
        "llama.attention.layer_norm_rms_epsilon": (FLOAT32, 1e-5), "llama.rope.freq_base": (FLOAT32, 10000.0),
        "tokenizer.ggml.model": (TEXT, "gpt2"), "tokenizer.ggml.pre": (TEXT, "smollm"),
        "tokenizer.ggml.tokens": (ARRAY, (TEXT, tokens)), "tokenizer.ggml.merges": (ARRAY, (TEXT, ["h e", "l l"])),
        "tokenizer.ggml.token_type": (ARRAY, (INT32, [3 if token in CONTROLS else 1 for token in tokens])),
        "tokenizer.ggml.eos_token_id": (UINT32, 2), "tokenizer.chat_template": (TEXT, TEMPLATE),
    }  # fmt: skip


def gguf_text(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def gguf_value(kind: int, value: Any) -> bytes:
    if kind == TEXT:
        return gguf_text(value)
    if kind == ARRAY:
        inner, items = value
        return struct.pack("<IQ", inner, len(items)) + b"".join(gguf_value(inner, item) for item in items)
    return struct.pack("<" + {UINT32: "I", INT32: "i", FLOAT32: "f"}[kind], value)


@dataclass
class GgufEntry:
    name: str
    dimensions: list[int]
    kind: int
    offset: int


@dataclass
class Parts:
    """Everything a bundle is made of; `write` computes the digests, so only the spoiled thing is wrong."""

    kind: str = "safetensors"
    dtype: str = "F32"
    shape: dict[str, Any] = field(default_factory=lambda: dict(SHAPE.__dict__))
    manifest: dict[str, Any] = field(default_factory=dict)
    manifest_text: Callable[[bytes], bytes] = bytes
    tokenizer: Any = field(default_factory=make_tokenizer)
    template: str | bytes = TEMPLATE
    tensors: dict[str, numpy.ndarray] = field(default_factory=make_tensors)
    spoil_header: Callable[[dict[str, Any]], Any] = lambda header: header
    spoil_weights: Callable[[bytes], bytes] = bytes
    fields: dict[str, tuple[int, Any]] = field(default_factory=make_fields)
    spoil_entries: Callable[[list[GgufEntry]], Any] = lambda entries: entries
    files: dict[str, bytes] = field(default_factory=dict)

    def pack_safetensors(self) -> bytes:
        header, data = make_header(self.tensors, self.dtype)
        spoiled = self.spoil_header(header)
        text = spoiled if isinstance(spoiled, bytes) else json.dumps(spoiled).encode()
        return struct.pack("<Q", len(text)) + text + data

    def pack_gguf(self) -> bytes:
        short = {long: name for name, long in TENSOR_NAMES.items()}
        for layer in range(SHAPE.layers):
            for name, long in LAYER_TENSOR_NAMES.items():
                short[f"model.layers.{layer}.{long}.weight"] = f"blk.{layer}.{name}.weight"
        data, entries = b"", []
        for name, array in self.tensors.items():
            entries.append(GgufEntry(short[name], list(array.shape[::-1]), 0, len(data)))
            data += array.tobytes() + b"\0" * (-array.nbytes % 32)
        self.spoil_entries(entries)
        head = b"GGUF" + struct.pack("<IQQ", 3, len(entries), len(self.fields))
        for key, (kind, value) in self.fields.items():
            head += gguf_text(key) + struct.pack("<I", kind) + gguf_value(kind, value)
        for entry in entries:
            count = len(entry.dimensions)
            head += gguf_text(entry.name) + struct.pack(f"<I{count}Q", count, *entry.dimensions)
            head += struct.pack("<IQ", entry.kind, entry.offset)
        return head + b"\0" * (-len(head) % 32) + data

    def write(self, folder: Path) -> Path:
        """Write the bundle into a new folder; gives it back."""
        folder.mkdir(parents=True)
        weights = self.spoil_weights(self.pack_gguf() if self.kind == "gguf" else self.pack_safetensors())
        path = folder / WEIGHTS[self.kind]
        path.write_bytes(weights)
        tokenizer = self.tokenizer if isinstance(self.tokenizer, bytes) else json.dumps(self.tokenizer).encode()
        decoded = round_to(self.tensors, self.dtype)
        if self.kind == "gguf":
            with suppress(MallaError):
                gguf = GgufFile(path)
                tokenizer, decoded = tokenizer_bytes(gguf), dict(gguf.tensors())
        template = self.template if isinstance(self.template, bytes) else self.template.encode()
        files = {"tokenizer.json": tokenizer, "chat_template.jinja": template, **self.files}
        manifest = {
            "format": "malla-model/1", "name": "tiny", "licence": "MIT", "source": f"bundle:{path.name}",
            "architecture": "llama", "shape": self.shape, "context_tokens": 96, "stop_token_ids": [2],
            "weights": digest_bytes(weights).__dict__, "tokenizer": digest_bytes(tokenizer).__dict__,
            "chat_template": digest_bytes(template).__dict__,
            "tensors": digest_tensors(sorted(decoded.items())).__dict__, **self.manifest,
        }  # fmt: skip
        files["manifest.json"] = self.manifest_text(json.dumps(manifest).encode())
        for name, data in files.items():
            (folder / name).write_bytes(data)
        return folder
