"""The sentence model: our own network against the library's, and what its tokenizer lets through. Rules: R122."""

from __future__ import annotations

import dataclasses

import numpy
import pytest
import torch

from protocol.engine import bert
from protocol.engine.data_file import ModelFileMismatch
from protocol.engine.vector_catalogue import find_vector_model, locate_vector_weights
from protocol.engine.vector_model import VectorModel, load_vector_model
from protocol.engine.wordpiece import TextEncoder, count_input_tokens, load_text_encoder
from protocol.errors import Reason, Refused
from protocol.manifest import FileDigest
from protocol.vectors import VectorInputs, unpack_rows

SHAPE = {"layers": 2, "hidden": 32, "heads": 4, "intermediate": 64, "vocabulary": 99, "positions": 40, "kinds": 2}
TEXTS = ("A ship is at sea.", "The boat sails on the ocean.", "Interest rates were raised by the bank.")


def random_tensors(seed: int = 3) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return {name: torch.randn(size) / 4 + (1.0 if name.endswith("LayerNorm.weight") else 0.0)
            for name, size in bert.plan_bert(SHAPE).items()}


def test_encode__random_weights__as_transformers_computes_them() -> None:
    transformers = pytest.importorskip("transformers")
    tensors = random_tensors()
    config = transformers.BertConfig(
        vocab_size=99, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=40, type_vocab_size=2, layer_norm_eps=bert.EPSILON)
    library = transformers.BertModel(config, add_pooling_layer=False).eval()
    library.load_state_dict(tensors, strict=False)
    tokens = torch.randint(1, 99, (3, 12))
    real = torch.ones(3, 12, dtype=torch.bool)
    real[1, 7:] = False
    with torch.inference_mode():
        theirs = library(input_ids=tokens, attention_mask=real.long()).last_hidden_state
        ours = bert.encode(SHAPE, tensors, tokens, real)
    assert float((ours - theirs)[real].abs().max()) < 1e-5


def test_embed__a_neighbour_in_the_batch__changes_rounding_alone() -> None:
    tensors, short, long = random_tensors(), [1, 2, 3], list(range(4, 30))
    alone = bert.embed(SHAPE, tensors, [short])[0]
    beside = bert.embed(SHAPE, tensors, [short, long])[0]
    assert float((alone - beside).abs().max()) < 1e-6
    assert float(alone.norm()) == pytest.approx(1, abs=1e-6)


def test_text_encoder__another_file__mismatch() -> None:
    manifest = find_vector_model("all-MiniLM-L6-v2")
    path = locate_vector_weights(manifest).parent / "tokenizer.json"
    with pytest.raises(ModelFileMismatch):
        TextEncoder(path, FileDigest(1, "0" * 64), 256, "x")


def test_text_encoder__text_beyond_the_context__refused_and_never_cut() -> None:
    """R122: a text that is cut is another text."""
    manifest = find_vector_model("all-MiniLM-L6-v2")
    encoder = load_text_encoder(manifest)
    assert encoder is not None
    assert [len(ids) for ids in encoder.encode(["ship " * 254])] == [256]
    with pytest.raises(Refused) as refusal:
        encoder.encode(["ship " * 255])
    assert refusal.value.reason is Reason.TOO_MANY_TOKENS
    assert count_input_tokens(VectorInputs(texts=("ship", "a ship")), manifest, encoder) == 3 + 4


def test_text_encoder__half_a_surrogate__refused() -> None:
    encoder = load_text_encoder(find_vector_model("all-MiniLM-L6-v2"))
    assert encoder is not None
    with pytest.raises(Refused) as refusal:
        encoder.encode(["\ud800"])
    assert refusal.value.reason is Reason.PROMPT_UNREADABLE


def test_load_vector_model__other_weights__mismatch() -> None:
    manifest = find_vector_model("Churn-Telco")
    other = dataclasses.replace(manifest, weights=FileDigest(manifest.weights.bytes, "0" * 64))
    with pytest.raises(ModelFileMismatch):
        load_vector_model(other)


@pytest.fixture(scope="module")
def minilm() -> VectorModel:
    return load_vector_model(find_vector_model("all-MiniLM-L6-v2"))


@pytest.mark.model
def test_minilm__related_texts__lie_nearer_than_others(minilm: VectorModel) -> None:
    rows = unpack_rows(minilm.run(VectorInputs(texts=TEXTS)).vector, 384)
    near = numpy.inner(rows, rows)
    assert near[0, 1] > 0.4 > 0.15 > near[0, 2]


@pytest.mark.model
def test_minilm__real_weights__as_transformers_computes_them(minilm: VectorModel) -> None:
    transformers = pytest.importorskip("transformers")
    shape = minilm.manifest.shape
    config = transformers.BertConfig(
        vocab_size=shape["vocabulary"], hidden_size=shape["hidden"], num_hidden_layers=shape["layers"],
        num_attention_heads=shape["heads"], intermediate_size=shape["intermediate"], layer_norm_eps=bert.EPSILON)
    library = transformers.BertModel(config, add_pooling_layer=False).eval()
    library.load_state_dict(minilm.tensors, strict=False)
    encoder = load_text_encoder(minilm.manifest)
    assert encoder is not None
    for text, ours in zip(TEXTS, minilm.rows(VectorInputs(texts=TEXTS)), strict=True):
        with torch.inference_mode():
            states = library(input_ids=torch.tensor(encoder.encode([text]))).last_hidden_state
        theirs = torch.nn.functional.normalize(states.mean(dim=1), dim=-1)[0]
        assert float((ours - theirs).abs().max()) < 1e-5
