"""Reading a Llama model out of a GGUF file: float32 tensors, tokenizer and chat template.

Every step is exact arithmetic or a rearrangement, so the result is the same on every machine and under
every library version: that is why the digests of the results can stand in the manifest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy

from protocol.engine.gguf_header import GgufTensor, GgufUnsupported, read_gguf_header
from protocol.engine.tensor_plan import check_against_plan, plan_tensors
from protocol.manifest import LlamaShape

T = TypeVar("T")
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
MERGES_A_TOKEN = 4  # large vocabularies have 2.3
CONTROL_TOKEN = 3  # GGUF's token type of markers such as <|im_start|>


class GgufFile:
    """An opened GGUF whose header has been checked. Errors of every method: `GgufUnsupported`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._header = read_gguf_header(path)
        self._require("general.architecture", "llama")

    def check_shape(self, promised: LlamaShape) -> None:
        """Compare the sizes and every tensor with the manifest's, before a tensor is read. Errors: `BundleRefused`."""
        found = self.shape()
        if found != promised:
            raise GgufUnsupported(f"{self.path.name} is of another shape than promised: {found}, not {promised}.")
        tensors = {_tensor_name(tensor.name): tensor.shape for tensor in self._header.tensors}
        check_against_plan(tensors, plan_tensors(promised), self.path.name)

    def shape(self) -> LlamaShape:
        """The network's sizes as the file states them."""
        return LlamaShape(
            layers=self._typed("llama.block_count", int),
            hidden=self._typed("llama.embedding_length", int),
            heads=self._typed("llama.attention.head_count", int),
            kv_heads=self._typed("llama.attention.head_count_kv", int),
            intermediate=self._typed("llama.feed_forward_length", int),
            vocabulary=len(self._typed("tokenizer.ggml.tokens", list)),
            rope_theta=f"{self._typed('llama.rope.freq_base', float):.10g}",
            # The file holds the float32 nearest to a short decimal number; name that number.
            rms_norm_eps=f"{self._typed('llama.attention.layer_norm_rms_epsilon', float):.6g}",
            tied_embeddings=all(tensor.name != "output.weight" for tensor in self._header.tensors),
        )

    def context_tokens(self) -> int:
        """The longest sequence that the model was made for, in tokens."""
        return self._typed("llama.context_length", int)

    def stop_token_id(self) -> int:
        """The token that ends an answer."""
        return self._typed("tokenizer.ggml.eos_token_id", int)

    def licence(self) -> str:
        """The licence that the file names, in SPDX spelling where it is a known one."""
        found = self._typed("general.license", str)
        return {"apache-2.0": "Apache-2.0", "mit": "MIT"}.get(found.lower(), found)

    def chat_template(self) -> str:
        """The Jinja template that turns messages into the prompt."""
        return self._typed("tokenizer.chat_template", str)

    def tensors(self) -> Iterator[tuple[str, numpy.ndarray]]:
        """Every tensor as (name in Hugging Face's spelling, float32 array of rows), in the file's order."""
        # Imported here: a loaded cache never needs it, and it costs 0.2 s.
        from gguf import GGMLQuantizationType
        from gguf.quants import dequantize

        shape = self.shape()
        for tensor in self._header.tensors:
            array = dequantize(self._map(tensor), GGMLQuantizationType(tensor.kind)).astype("<f4", copy=False)
            heads = {"attn_q": shape.heads, "attn_k": shape.kv_heads}.get(tensor.name.split(".")[-2])
            if heads is not None:
                array = _undo_rotary_order(array, heads)
            yield _tensor_name(tensor.name), numpy.ascontiguousarray(array)

    def tensor_count(self) -> int:
        """How many tensors `tensors` yields."""
        return len(self._header.tensors)

    def tokenizer(self) -> dict[str, Any]:
        """The tokenizer in the JSON form of the `tokenizers` library."""
        self._require("tokenizer.ggml.model", "gpt2")
        self._require("tokenizer.ggml.pre", "smollm")
        tokens, merges = self._texts("tokenizer.ggml.tokens"), self._texts("tokenizer.ggml.merges")
        kinds = self._typed("tokenizer.ggml.token_type", list)
        if len(kinds) != len(tokens) or len(merges) > MERGES_A_TOKEN * len(tokens):
            raise GgufUnsupported(
                f"The GGUF has {len(tokens)} tokens, but the types of {len(kinds)} and {len(merges)} merges."
            )
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

    def _map(self, tensor: GgufTensor) -> numpy.ndarray:
        # The rows' bytes as pages of the file, not yet read.
        rows = tensor.shape[0] if len(tensor.shape) > 1 else 1
        data = numpy.memmap(self.path, numpy.uint8, "r", tensor.begin, (tensor.end - tensor.begin,))
        return data.reshape(rows, -1) if len(tensor.shape) > 1 else data

    def _value(self, key: str) -> Any:
        if key not in self._header.fields:
            raise GgufUnsupported(f"The GGUF has no field {key!r}, which a Llama chat model needs.")
        return self._header.fields[key]

    def _typed(self, key: str, kind: type[T]) -> T:
        found = self._value(key)
        if type(found) is not kind:
            raise GgufUnsupported(f"The GGUF's {key} is {str(found)[:80]!r}, which is no {kind.__name__}.")
        return found

    def _texts(self, key: str) -> list[str]:
        found = self._typed(key, list)
        if not all(isinstance(item, str) for item in found):
            raise GgufUnsupported(f"The GGUF's {key} is no list of texts.")
        return found

    def _require(self, key: str, expected: str) -> None:
        found = self._value(key)
        if found != expected:
            raise GgufUnsupported(
                f"The GGUF's {key} is {str(found)[:80]!r}; this engine serves {expected!r} only."
            )


def _tensor_name(name: str) -> str:
    layer = re.fullmatch(r"blk\.(\d+)\.(\w+)\.weight", name)
    if layer and layer[2] in LAYER_TENSOR_NAMES:
        return f"model.layers.{layer[1]}.{LAYER_TENSOR_NAMES[layer[2]]}.weight"
    if name in TENSOR_NAMES:
        return TENSOR_NAMES[name]
    raise GgufUnsupported(f"The GGUF has a tensor {name[:80]!r}, which a plain Llama does not have.")


def _undo_rotary_order(array: numpy.ndarray, heads: int) -> numpy.ndarray:
    # llama.cpp keeps the two halves of a head interleaved; the usual order keeps them apart.
    rows, columns = array.shape
    return array.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def _control_token(place: int, content: str) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": place, "content": content, **flags}


def _byte_level() -> dict[str, Any]:
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
