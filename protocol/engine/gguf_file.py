"""Reading a Llama model out of a GGUF file: float32 tensors, tokenizer and chat template.

Every step is exact arithmetic or a rearrangement, so the result is the same on every machine and under
every library version: that is why the digests of the results can stand in the manifest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy

from protocol.manifest import LlamaShape

TENSOR_NAMES = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
LAYER_TENSOR_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
CONTROL_TOKEN = 3  # GGUF's token type of markers such as <|im_start|>


class GgufUnsupported(ValueError):
    """The file is a GGUF, but not of a model that this engine serves; the message names what is odd."""


class GgufFile:
    """An opened GGUF. Errors of every method: `GgufUnsupported`."""

    def __init__(self, path: Path) -> None:
        # Imported here: a loaded cache never needs it, and it costs 0.2 s.
        from gguf import GGUFReader

        self._reader = GGUFReader(str(path))
        self._require("general.architecture", "llama")

    def shape(self) -> LlamaShape:
        """The network's sizes as the file states them."""
        epsilon = float(numpy.float32(self._value("llama.attention.layer_norm_rms_epsilon")))
        return LlamaShape(
            layers=int(self._value("llama.block_count")),
            hidden=int(self._value("llama.embedding_length")),
            heads=int(self._value("llama.attention.head_count")),
            kv_heads=int(self._value("llama.attention.head_count_kv")),
            intermediate=int(self._value("llama.feed_forward_length")),
            vocabulary=len(self._value("tokenizer.ggml.tokens")),
            rope_theta=f"{float(self._value('llama.rope.freq_base')):.10g}",
            # The file holds the float32 nearest to a short decimal number; name that number.
            rms_norm_eps=f"{epsilon:.6g}",
            tied_embeddings=all(tensor.name != "output.weight" for tensor in self._reader.tensors),
        )

    def context_tokens(self) -> int:
        """The longest sequence that the model was made for, in tokens."""
        return int(self._value("llama.context_length"))

    def stop_token_id(self) -> int:
        """The token that ends an answer."""
        return int(self._value("tokenizer.ggml.eos_token_id"))

    def licence(self) -> str:
        """The licence that the file names, in SPDX spelling where it is a known one."""
        found = str(self._value("general.license"))
        return {"apache-2.0": "Apache-2.0", "mit": "MIT"}.get(found.lower(), found)

    def chat_template(self) -> str:
        """The Jinja template that turns messages into the prompt."""
        return str(self._value("tokenizer.chat_template"))

    def tensors(self) -> Iterator[tuple[str, numpy.ndarray]]:
        """Every tensor as (name in Hugging Face's spelling, float32 array of rows), in the file's order."""
        from gguf.quants import dequantize

        shape = self.shape()
        for tensor in self._reader.tensors:
            array = dequantize(tensor.data, tensor.tensor_type).astype("<f4", copy=False)
            heads = {"attn_q": shape.heads, "attn_k": shape.kv_heads}.get(tensor.name.split(".")[-2])
            if heads is not None:
                array = _undo_rotary_order(array, heads)
            yield _tensor_name(tensor.name), numpy.ascontiguousarray(array)

    def tensor_count(self) -> int:
        """How many tensors `tensors` yields."""
        return len(self._reader.tensors)

    def tokenizer(self) -> dict[str, Any]:
        """The tokenizer in the JSON form of the `tokenizers` library."""
        self._require("tokenizer.ggml.model", "gpt2")
        self._require("tokenizer.ggml.pre", "smollm")
        tokens, merges = self._value("tokenizer.ggml.tokens"), self._value("tokenizer.ggml.merges")
        kinds = self._value("tokenizer.ggml.token_type")
        controls = [place for place, kind in enumerate(kinds) if kind == CONTROL_TOKEN]
        return {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [_control_token(place, tokens[place]) for place in controls],
            "normalizer": None,
            # The pre-tokenizer that GGUF calls "smollm": digits one by one, then GPT-2's byte-level split.
            "pre_tokenizer": {
                "type": "Sequence",
                "pretokenizers": [{"type": "Digits", "individual_digits": True}, _byte_level()],
            },
            "post_processor": None,
            "decoder": _byte_level(),
            "model": {
                "type": "BPE",
                "dropout": None,
                "unk_token": None,
                "continuing_subword_prefix": None,
                "end_of_word_suffix": None,
                "fuse_unk": False,
                "byte_fallback": False,
                "ignore_merges": False,
                "vocab": {token: place for place, token in enumerate(tokens)},
                "merges": [merge.split(" ", 1) for merge in merges],
            },
        }

    def _value(self, key: str) -> Any:
        field = self._reader.get_field(key)
        if field is None:
            raise GgufUnsupported(f"The GGUF has no field {key!r}, which a Llama chat model needs.")
        return field.contents()

    def _require(self, key: str, expected: str) -> None:
        found = self._value(key)
        if found != expected:
            raise GgufUnsupported(f"The GGUF's {key} is {found!r}; this engine serves {expected!r} only.")


def _tensor_name(name: str) -> str:
    layer = re.fullmatch(r"blk\.(\d+)\.(\w+)\.weight", name)
    if layer and layer[2] in LAYER_TENSOR_NAMES:
        return f"model.layers.{layer[1]}.{LAYER_TENSOR_NAMES[layer[2]]}.weight"
    if name in TENSOR_NAMES:
        return TENSOR_NAMES[name]
    raise GgufUnsupported(f"The GGUF has a tensor {name!r}, which a plain Llama does not have.")


def _undo_rotary_order(array: numpy.ndarray, heads: int) -> numpy.ndarray:
    # llama.cpp keeps the two halves of a head interleaved; the usual order keeps them apart.
    rows, columns = array.shape
    return array.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def _control_token(place: int, content: str) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": place, "content": content, **flags}


def _byte_level() -> dict[str, Any]:
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
