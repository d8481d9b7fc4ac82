from __future__ import annotations

from random import Random

import pytest
from tokenizers import Tokenizer
from tokenizers.models import BPE

from protocol.engine.data_file import BundleRefused
from protocol.engine.prompt import PromptEncoder
from protocol.errors import ProviderFault, Refused


def test_encode__no_messages__is_refused(tiny_encoder: PromptEncoder) -> None:
    with pytest.raises(Refused, match="no messages"):
        tiny_encoder.encode([])


def test_encode__half_a_surrogate_pair__is_refused(tiny_encoder: PromptEncoder) -> None:
    with pytest.raises(Refused, match="no Unicode text"):
        tiny_encoder.encode([("user", "\ud83c")])


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages.append(1) }}",
        "{{ raise_exception('roles must alternate') }}",
        "{{ missing }}",
    ],
)
def test_render__template_leaves_its_sandbox_or_refuses__is_refused(
    tiny_encoder: PromptEncoder, template: str
) -> None:
    encoder = PromptEncoder(tiny_encoder.manifest, Tokenizer(BPE()), template)
    with pytest.raises(Refused, match="refuses the messages"):
        encoder.render([("user", "hello")])


def test_encoder__template_walks_the_interpreter__is_refused_before_it_renders(tiny_encoder: PromptEncoder) -> None:
    with pytest.raises(BundleRefused, match="a part of the interpreter"):
        PromptEncoder(tiny_encoder.manifest, Tokenizer(BPE()), "{{ messages.__class__.__mro__ }}")


def test_render__messages__ends_where_the_assistant_begins(tiny_encoder: PromptEncoder) -> None:
    text = tiny_encoder.render([("system", "Be brief."), ("user", "hello")])
    assert text == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n"
    )


def test_encode_text__merges_and_bytes__decode_to_the_same_text(tiny_encoder: PromptEncoder) -> None:
    text = "hello 12 Ünï 🎉\n"
    ids = tiny_encoder.encode_text(text)
    assert tiny_encoder.decode(ids) == text
    assert len(ids) == len(text.encode()) - 2  # "he" and "ll" are one token each


def test_decode__markers__are_left_out(tiny_encoder: PromptEncoder) -> None:
    assert tiny_encoder.decode([*tiny_encoder.encode_text("hello"), 2]) == "hello"


def test_token_bytes__of_an_id_that_is_none__is_the_providers_fault(tiny_encoder: PromptEncoder) -> None:
    with pytest.raises(ProviderFault, match="is no token"):
        tiny_encoder.token_bytes(10**6)


def test_token_bytes__in_a_row__are_the_text(tiny_encoder: PromptEncoder) -> None:
    text = "hello 12 Ünï 🎉\n"
    ids = [1, *tiny_encoder.encode_text(text), 2]
    assert b"".join(map(tiny_encoder.token_bytes, ids)) == text.encode()


@pytest.mark.model
def test_token_bytes__of_any_tokens__equal_what_the_library_decodes(smollm2_encoder: PromptEncoder) -> None:
    """Also where the bytes are no UTF-8."""
    random = Random(1)
    for _ in range(300):
        ids = [random.randrange(smollm2_encoder.manifest.shape.vocabulary) for _ in range(12)]
        spelt = b"".join(map(smollm2_encoder.token_bytes, ids))
        assert spelt.decode("utf-8", "replace") == smollm2_encoder.decode(ids)


@pytest.mark.model
@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Hello world", (19556, 905)),
        # Digits one by one and no run of spaces into a number: SmolLM2's own split, which the
        # GGUF conversion of the transformers library misses.
        ("\n\n1", (1116, 33)),
        ("  2023", (256, 34, 32, 34, 35)),
        ("<|im_start|>user", (1, 4093)),
    ],
)
def test_encode_text__smollm2__splits_as_the_original(
    smollm2_encoder: PromptEncoder, text: str, ids: tuple[int, ...]
) -> None:
    assert smollm2_encoder.encode_text(text) == ids


def test_encode__only_message_is_a_text__goes_in_without_the_template(tiny_encoder: PromptEncoder) -> None:
    assert tiny_encoder.encode([("text", "hello")]) == tiny_encoder.encode_text("hello")
    assert tiny_encoder.encode([("user", "hello")]) != tiny_encoder.encode_text("hello")
