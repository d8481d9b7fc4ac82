"""A tokenizer file that is believed only after it has been checked: a byte-level BPE whose ids are the model's.

The `tokenizers` library takes much more: regular expressions that never end, padding to any length, tables in
base64 that make it panic. None of it is needed, so none of it is let in.
"""

from __future__ import annotations

from typing import Any

from tokenizers import Tokenizer

from protocol.engine.data_file import MAX_ITEMS, BundleRefused, parse_file_json

MAX_TOKENIZER = 16 << 20
MAX_TOKEN = 1024
"""Characters of one token."""
PARTS = {
    "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder",
    "model",
}  # fmt: skip
MODEL_PARTS = {
    "type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback",
    "ignore_merges", "vocab", "merges",
}  # fmt: skip
ABSENT = ("truncation", "padding", "normalizer")
ABSENT_IN_MODEL = ("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix")
FLAGS = {"single_word", "lstrip", "rstrip", "normalized", "special"}
STEPS = {
    "ByteLevel": {"add_prefix_space", "trim_offsets", "use_regex"},
    "Digits": {"individual_digits"},
}
"""The pre-tokenizers, post-processors and decoders that are let in, and their switches."""


def read_tokenizer(data: bytes, vocabulary: int, what: str = "tokenizer.json") -> Tokenizer:
    """The tokenizer of a file whose ids are exactly 0 to `vocabulary` - 1. Errors: `BundleRefused`."""
    if len(data) > MAX_TOKENIZER:
        raise BundleRefused(f"{what} has {len(data)} bytes, the limit is {MAX_TOKENIZER}.")
    content = parse_file_json(data, what, items=MAX_ITEMS)
    _check_parts(content, PARTS, what)
    for name in ABSENT:
        _check_absent(content, name, what)
    pre_tokenizer = content["pre_tokenizer"]
    if isinstance(pre_tokenizer, dict) and pre_tokenizer.get("type") == "Sequence":
        steps = pre_tokenizer.get("pretokenizers")
        if set(pre_tokenizer) != {"type", "pretokenizers"} or not isinstance(steps, list) or len(steps) > 8:
            raise BundleRefused(f"The pre_tokenizer of {what} is no short sequence.")
    else:
        steps = [pre_tokenizer]
    for step in (*steps, content["post_processor"], content["decoder"]):
        _check_step(step, what)
    vocab = _check_model(content["model"], what)
    ids = {**vocab, **_check_added(content["added_tokens"], vocab, what)}
    if len(ids) != vocabulary or set(ids.values()) != set(range(vocabulary)):
        raise BundleRefused(
            f"{what} has {len(ids)} tokens with ids up to {max(ids.values(), default=-1)}, but the manifest's "
            f"vocabulary is 0 to {vocabulary - 1}, each once."
        )
    try:
        tokenizer: Tokenizer = Tokenizer.from_str(data.decode("utf-8"))
    except Exception as error:  # the library raises plain Exception for whatever it cannot read
        raise BundleRefused(f"{what} cannot be read as a tokenizer: {str(error)[:200]}.") from error
    if tokenizer.get_vocab_size(with_added_tokens=True) != vocabulary:
        raise BundleRefused(f"{what} makes a tokenizer of {tokenizer.get_vocab_size()} tokens, not {vocabulary}.")
    return tokenizer


def _check_parts(value: Any, parts: set[str], what: str) -> None:
    if not isinstance(value, dict):
        raise BundleRefused(f"{what} is not an object where one is needed.")
    if set(value) != parts:
        odd = sorted(set(value) ^ parts)
        raise BundleRefused(f"{what} has or lacks the parts {', '.join(odd)[:200]}.")


def _check_absent(value: dict[str, Any], name: str, what: str) -> None:
    if value[name] not in (None, ""):
        raise BundleRefused(f"{what} has a {name}: {str(value[name])[:80]!r}. Only null is served.")


def _check_step(step: Any, what: str) -> None:
    if step is None:
        return
    kind = step.get("type") if isinstance(step, dict) else step
    if not isinstance(kind, str) or kind not in STEPS:
        raise BundleRefused(f"{what} has a step of the type {str(kind)[:40]!r}; only {', '.join(STEPS)} are served.")
    if set(step) - {"type"} != STEPS[kind] or not all(isinstance(step[name], bool) for name in STEPS[kind]):
        raise BundleRefused(f"{what} has a step {kind} with other switches than {', '.join(sorted(STEPS[kind]))}.")


def _check_model(model: Any, what: str) -> dict[str, int]:
    _check_parts(model, MODEL_PARTS, f"The model of {what}")
    if model["type"] != "BPE":
        raise BundleRefused(f"{what} is a tokenizer of the type {str(model['type'])[:40]!r}; only 'BPE' is served.")
    for name in ABSENT_IN_MODEL:
        _check_absent(model, name, what)
    vocab, merges = model["vocab"], model["merges"]
    if not isinstance(vocab, dict) or not isinstance(merges, list):
        raise BundleRefused(f"The vocab of {what} is no object or its merges no list.")
    for token, place in vocab.items():
        if type(place) is not int or not 1 <= len(token) <= MAX_TOKEN:
            raise BundleRefused(f"{what} has a token {token[:40]!r} of {len(token)} characters, its id is {place!r}.")
    for merge in merges:
        halves = merge.split(" ") if isinstance(merge, str) else merge
        pair = isinstance(halves, list) and len(halves) == 2 and all(isinstance(half, str) for half in halves)
        if not pair or not {*halves, "".join(halves)} <= vocab.keys():
            raise BundleRefused(f"{what} has a merge {str(merge)[:80]!r} that is no pair of its tokens.")
    return vocab


def _check_added(added: Any, vocab: dict[str, int], what: str) -> dict[str, int]:
    if not isinstance(added, list):
        raise BundleRefused(f"The added_tokens of {what} are no list.")
    found: dict[str, int] = {}
    for token in added:
        _check_parts(token, {"id", "content", *FLAGS}, f"An added token of {what}")
        content, place = token["content"], token["id"]
        if type(place) is not int or not isinstance(content, str) or not 1 <= len(content) <= MAX_TOKEN:
            raise BundleRefused(f"{what} has an added token {str(content)[:40]!r} with the id {str(place)[:40]}.")
        if content in found or vocab.get(content, place) != place:
            raise BundleRefused(f"{what} gives the added token {content[:40]!r} two ids.")
        if not all(isinstance(token[flag], bool) for flag in FLAGS):
            raise BundleRefused(f"{what} has an added token {content[:40]!r} whose switches are no booleans.")
        found[content] = place
    return found
