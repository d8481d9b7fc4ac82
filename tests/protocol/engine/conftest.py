"""A tiny Llama with random weights in a real GGUF file, and the real SmolLM2 for tests marked `model`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy
import pytest
import torch

from protocol.engine.catalogue import find_model, find_profile
from protocol.engine.describe import describe_model
from protocol.engine.gguf_file import CONTROL_TOKEN
from protocol.engine.model import ServedModel, load_model
from protocol.engine.prompt import PromptEncoder, load_prompt_encoder
from protocol.engine.weights import default_cache_folder
from protocol.manifest import ModelManifest
from protocol.profile import CalibrationProfile

HIDDEN, HEADS, KV_HEADS, INTERMEDIATE, LAYERS, CONTEXT = 64, 4, 2, 128, 2, 96
CONTROLS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def byte_alphabet() -> list[str]:
    """The printable stand-ins of the 256 bytes in a byte-level vocabulary."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    moved = iter(range(256, 512))
    return [chr(byte) if byte in kept else chr(next(moved)) for byte in range(256)]


def write_tiny_gguf(path: Path, seed: int = 7) -> None:
    tokens = [*CONTROLS, *byte_alphabet(), "he", "ll"]
    random = numpy.random.default_rng(seed)
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_license("apache-2.0")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INTERMEDIATE)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([CONTROL_TOKEN if token in CONTROLS else 1 for token in tokens])
    writer.add_token_merges(["h e", "l l"])
    writer.add_eos_token_id(2)
    writer.add_chat_template(TEMPLATE)

    def add(name: str, *shape: int) -> None:
        writer.add_tensor(name, (2 * random.standard_normal(shape) / shape[-1] ** 0.5).astype(numpy.float32))

    # A head of its own: with tied embeddings a random model only repeats its input.
    add("token_embd.weight", len(tokens), HIDDEN)
    add("output.weight", len(tokens), HIDDEN)
    writer.add_tensor("output_norm.weight", numpy.ones(HIDDEN, numpy.float32))
    for layer in range(LAYERS):
        writer.add_tensor(f"blk.{layer}.attn_norm.weight", numpy.ones(HIDDEN, numpy.float32))
        writer.add_tensor(f"blk.{layer}.ffn_norm.weight", numpy.ones(HIDDEN, numpy.float32))
        add(f"blk.{layer}.attn_q.weight", HIDDEN, HIDDEN)
        add(f"blk.{layer}.attn_k.weight", HIDDEN * KV_HEADS // HEADS, HIDDEN)
        add(f"blk.{layer}.attn_v.weight", HIDDEN * KV_HEADS // HEADS, HIDDEN)
        add(f"blk.{layer}.attn_output.weight", HIDDEN, HIDDEN)
        add(f"blk.{layer}.ffn_gate.weight", INTERMEDIATE, HIDDEN)
        add(f"blk.{layer}.ffn_up.weight", INTERMEDIATE, HIDDEN)
        add(f"blk.{layer}.ffn_down.weight", HIDDEN, INTERMEDIATE)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "tiny.gguf"
    write_tiny_gguf(path)
    return path


@pytest.fixture(scope="session")
def tiny_manifest(tiny_file: Path) -> ModelManifest:
    return describe_model("tiny", "tiny_package:tiny.gguf", tiny_file)


@pytest.fixture(scope="session")
def tiny_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def tiny(tiny_manifest: ModelManifest, tiny_file: Path, tiny_cache: Path) -> ServedModel:
    return load_model(tiny_manifest, tiny_cache, tiny_file)


@pytest.fixture(scope="session")
def tiny_encoder(tiny_manifest: ModelManifest, tiny_file: Path, tiny_cache: Path) -> PromptEncoder:
    return load_prompt_encoder(tiny_manifest, tiny_cache, tiny_file)


@pytest.fixture(scope="session")
def smollm2() -> ServedModel:
    return load_model(find_model("SmolLM2-135M-Instruct"), default_cache_folder(os.environ))


@pytest.fixture(scope="session")
def smollm2_encoder() -> PromptEncoder:
    return load_prompt_encoder(find_model("SmolLM2-135M-Instruct"), default_cache_folder(os.environ))


@pytest.fixture(scope="session")
def smollm2_profile() -> CalibrationProfile:
    return find_profile(find_model("SmolLM2-135M-Instruct"))
