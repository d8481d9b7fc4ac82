"""From a transcript to its leaf: what is accepted as a document, and that no change goes unseen."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.encoding import canonical_json, keccak, pack_float32
from protocol.errors import BadInput, Malformed, ProviderFault
from protocol.limits import MAX_MESSAGES
from protocol.sealing import derive_secret, public_key, unseal
from protocol.transcript import (
    answer_of,
    check_logprobs,
    check_transcript,
    leaf,
    parse_answer,
    parse_prompt,
    parse_spec,
    parse_transcript,
    prompt_bytes,
    sealed_answer,
    spec_bytes,
    spec_digest,
    transcript_bytes,
)
from protocol.types import Answer, Entry, JobSpec, Prompt, Transcript
from tests.protocol.nouns import changed, entry_of, one_job, specs, transcripts

ONE = one_job()
SPEC, TRANSCRIPT = ONE.transcript.spec, ONE.transcript
SALT = "0x" + "00" * 32


def derived(transcript: Transcript = TRANSCRIPT, **other: Any) -> Answer:
    """The auditor's own answer for a transcript."""
    facts = {"job_id": ONE.entry.job_id, "input_tokens": 7, "text": "hi", "finish": "stop"} | other
    return answer_of(transcript, **facts)


def check(transcript: Transcript = TRANSCRIPT, answer: Answer | None = None, entry: Entry = ONE.entry) -> None:
    check_transcript(transcript, answer or derived(transcript), ONE.job, entry, ONE.offer)


def fault(transcript: Transcript = TRANSCRIPT, **other: Any) -> str:
    with pytest.raises(ProviderFault) as found:
        check(transcript, **other)
    return found.value.check


PROMPTS = [
    [], {}, {"messages": [], "salt": SALT}, {"messages": {}, "salt": SALT},
    {"messages": [{"role": "user"}], "salt": SALT}, {"messages": [{"role": "tool", "content": "x"}], "salt": SALT},
    {"messages": [{"role": "user", "content": 1}], "salt": SALT},
    {"messages": [{"role": "user", "content": "x", "name": "y"}], "salt": SALT},
    {"messages": [{"role": "user", "content": "x"}], "salt": "0x00"}, {"messages": [{"role": "user", "content": "x"}]},
    {"messages": [{"role": "user", "content": "x"}] * (MAX_MESSAGES + 1), "salt": SALT},
    {"messages": [{"role": ["user"], "content": "x"}], "salt": SALT}, {"messages": [None], "salt": SALT},
]


@pytest.mark.parametrize("value", PROMPTS)
def test_parse_prompt__another_form__malformed(value: object) -> None:
    with pytest.raises(Malformed):
        parse_prompt(canonical_json(value))


def test_parse_prompt__over_the_limit_or_not_canonical__bad_input() -> None:
    with pytest.raises(BadInput):
        parse_prompt(prompt_bytes(Prompt((("user", "x" * 70_000),), bytes(32))))
    with pytest.raises(Malformed):
        parse_prompt(b" " + TRANSCRIPT.prompt)


@given(st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), st.text(st.characters(
    exclude_categories=("Cs",)))), min_size=1, max_size=4))
def test_parse_prompt__of_prompt_bytes__the_same_prompt(messages: list[tuple[str, str]]) -> None:
    prompt = Prompt(tuple(messages), keccak(b"salt"))
    assert parse_prompt(prompt_bytes(prompt)) == prompt


@given(specs)
def test_parse_spec__of_spec_bytes__the_same_spec_and_digest(spec: JobSpec) -> None:
    assert parse_spec(spec_bytes(spec)) == spec
    assert spec_digest(parse_spec(spec_bytes(spec))) == keccak(spec_bytes(spec))


@pytest.mark.parametrize(("old", "new"), [
    (SPEC.provider.encode(), SPEC.provider.lower().encode()),
    (b'"0x' + SPEC.model.hex().encode(), b'"0x' + SPEC.model.hex().upper().encode()),
    (b'"nonce":1', b'"nonce": 1'),
])
def test_parse_spec__same_meaning_in_another_text__malformed(old: bytes, new: bytes) -> None:
    """Else a requester could name a text by its digest that its provider reads and can never name again."""
    assert old in spec_bytes(SPEC)
    with pytest.raises(Malformed, match="canonical"):
        parse_spec(spec_bytes(SPEC).replace(old, new))


@pytest.mark.parametrize("key", [b"", b"\1" * 31, bytes(32), b"\1" + bytes(31)])
def test_parse_spec__reply_key_that_nothing_can_be_sealed_to__malformed(key: bytes) -> None:
    with pytest.raises(Malformed, match="X25519"):
        parse_spec(spec_bytes(dataclasses.replace(SPEC, reply_key=key)))


@pytest.mark.parametrize("changes", [
    {"salt": b""}, {"salt": b"\1" * 31}, {"salt": b"\1" * 33}, {"output_token_ids": (2**32,)},
])
def test_parse_transcript__what_no_leaf_could_hold__malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        parse_transcript(transcript_bytes(dataclasses.replace(TRANSCRIPT, **changes)))


@settings(max_examples=30)
@given(transcripts)
def test_parse_transcript__of_its_bytes__the_same_transcript(transcript: Transcript) -> None:
    assert parse_transcript(transcript_bytes(transcript)) == transcript


def test_answer_of__top_logprobs__are_in_the_logprob_digest() -> None:
    """R103: what the leaf fixes is every logprob that a transcript shows."""
    more = dataclasses.replace(TRANSCRIPT, top_logprobs=bytes(40 * len(TRANSCRIPT.output_token_ids)))
    plain, shown = (answer_of(one, keccak(b"job"), 9, "hi", "stop") for one in (TRANSCRIPT, more))
    assert (shown.logprobs, shown.top_logprobs) == (more.logprobs, more.top_logprobs)
    assert leaf(shown, SPEC) != leaf(plain, SPEC)


def test_check_transcript__as_committed__passes() -> None:
    check()


@pytest.mark.parametrize(
    "field", [field.name for field in dataclasses.fields(Transcript) if field.name != "fingerprint_opening"]
)
def test_check_transcript__any_one_field_changed__provider_fault(field: str) -> None:
    """R35: leaf and spec digest fix the whole transcript; none of its fields is the word of whoever sealed it."""
    altered = changed(TRANSCRIPT, field)
    assert altered != TRANSCRIPT
    assert fault(altered) == {  # type: ignore[arg-type]
        "spec": "spec", "prompt": "prompt", "output_token_ids": "leaf", "logprobs": "leaf", "salt": "leaf",
        "top_logprobs": "leaf", "fingerprint_root": "leaf", "vector": "leaf",
    }[field]


@pytest.mark.parametrize("other", [{"job_id": keccak(b"other job")}, {"text": "hi!"}, {"finish": "length"}])
def test_check_transcript__answer_delivered_is_not_the_derived_one__provider_fault(other: dict[str, Any]) -> None:
    """R35: an answer other than the delivered one is found by its digest."""
    assert fault(answer=derived(**other)) == "answer"


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(JobSpec)])
def test_check_transcript__any_field_of_the_spec_changed__provider_fault(field: str) -> None:
    """R27: the job names every field of the spec."""
    altered = dataclasses.replace(TRANSCRIPT, spec=changed(SPEC, field))
    assert fault(altered) == "spec"


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Answer)])
def test_sealed_answer__any_field_of_the_answer_changed__other_bytes(field: str) -> None:
    assert sealed_answer(changed(ONE.answer, field), SPEC) != sealed_answer(ONE.answer, SPEC)  # type: ignore[arg-type]


def test_sealed_answer__another_salt__another_sealing_secret() -> None:
    """The first 32 bytes are the sender's public key: it follows from the salt and from nothing else."""
    salted = dataclasses.replace(ONE.answer, salt=keccak(b"other salt"))
    worded = dataclasses.replace(ONE.answer, text="other text")
    own, other, same = (sealed_answer(answer, SPEC)[:32] for answer in (ONE.answer, salted, worded))
    assert own == same == public_key(derive_secret(ONE.answer.salt, "malla/answer/v1")) != other


@pytest.mark.parametrize(("changes", "name"), [
    ({"salt": b"\1" * 33}, "leaf"), ({"output_token_ids": (2**32,)}, "leaf"),
    ({"output_token_ids": ()}, "leaf"),
])
def test_check_transcript__what_cannot_even_be_hashed__fault_and_no_verifiers_error(
    changes: dict[str, Any], name: str
) -> None:
    assert fault(dataclasses.replace(TRANSCRIPT, **changes)) == name


def believed(amount: int | None = None, input_tokens: int = 7, finish: str = "stop", **changes: Any) -> str:
    """What is wrong with a transcript whose provider committed to it as it is."""
    transcript = dataclasses.replace(TRANSCRIPT, **changes)
    worth = input_tokens * 3 + len(transcript.output_token_ids) * 5
    answer = derived(transcript, input_tokens=input_tokens, finish=finish)
    entry = entry_of(answer, transcript.spec, ONE.job, worth if amount is None else amount)
    return fault(transcript, answer=answer, entry=entry)


@pytest.mark.parametrize(("changes", "name"), [
    ({"output_token_ids": (), "logprobs": b""}, "length"),
    ({"output_token_ids": tuple(range(9)), "logprobs": bytes(36)}, "length"),
    ({"finish": "length"}, "finish"),
    ({"amount": 0}, "amount"), ({"amount": 37}, "amount"), ({"input_tokens": 10}, "input"),
    ({"logprobs": bytes(8)}, "logprobs"), ({"logprobs": bytes(13)}, "logprobs"),
    ({"logprobs": pack_float32([0.0, 0.1, 0.0])}, "logprobs"),
    ({"logprobs": pack_float32([0.0, float("nan"), 0.0])}, "logprobs"),
    ({"logprobs": pack_float32([0.0, float("-inf"), 0.0])}, "logprobs"),
])
def test_check_transcript__committed_but_wrong_by_itself__provider_fault(changes: dict[str, Any], name: str) -> None:
    """R4: also a claim over another amount than the tokens are worth is the provider's fault."""
    assert believed(**changes) == name


def test_check_transcript__another_count_of_input_tokens__does_not_have_the_leaf() -> None:
    assert fault(answer=derived(input_tokens=6)) == "leaf"


def test_check_logprobs__good_ones__come_back_as_numbers() -> None:
    assert check_logprobs(pack_float32([-0.5, 0.0005]), 2) == pytest.approx([-0.5, 0.0005])


def test_sealed_answer__opened_by_the_requester__has_the_committed_leaf() -> None:
    answer = parse_answer(unseal(sealed_answer(ONE.answer, SPEC), b"\2" * 32))
    assert (answer.text, answer.output_token_ids) == ("hi", TRANSCRIPT.output_token_ids)
    assert leaf(answer, SPEC) == ONE.entry.leaf


def test_parse_prompt__text__is_the_role_of_an_only_message() -> None:
    text = Prompt((("text", "Once upon"),), bytes(32))
    assert parse_prompt(prompt_bytes(text)) == text
    with pytest.raises(Malformed, match="an only message"):
        parse_prompt(prompt_bytes(Prompt((("user", "hi"), ("text", "Once")), bytes(32))))
