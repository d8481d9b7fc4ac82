"""Vector answers: what may be asked and claimed, and what a replay says of a claim. Rules: R120, R121, R122."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.documents import DocumentInvalid
from protocol.encoding import keccak, pack_float32
from protocol.errors import BadInput, Malformed, MallaError, ProviderFault, Reason, Refused, TooLarge
from protocol.manifest import FileDigest, TensorDigest
from protocol.profile import HonestRange
from protocol.transcript import answer_of, leaf, parse_prompt, prompt_bytes
from protocol.types import Prompt, Transcript, VerdictKind
from protocol.vector_manifest import VECTOR_FORMAT, VectorManifest
from protocol.vector_profile import VECTOR_PROFILE_FORMAT, VectorProfile, VectorVariation, tolerance
from protocol.vector_verdict import (
    BEYOND_TOLERANCE,
    REPLAY_FAILED,
    compare_vectors,
    judge_vectors,
)
from protocol.vectors import (
    VectorInputs,
    check_inputs,
    check_vector_transcript,
    count_numbers,
    find_vector_fault,
    inputs_of_prompt,
    pack_rows,
    prompt_of_inputs,
    unpack_rows,
)
from tests.protocol.nouns import one_job

SALT = keccak(b"salt")
DIGEST = FileDigest(1, "0" * 64)
ROWS = VectorManifest(VECTOR_FORMAT, "Rows", "MIT", "release:rows.safetensors", "scorer", {"columns": 3}, 3, (), 2, 0,
                      8, "-10", "10", False, DIGEST, TensorDigest(1, 1, "0" * 64), None)
TEXTS = VectorManifest(VECTOR_FORMAT, "Texts", "MIT", "some:model/texts.safetensors", "bert", {"layers": 1}, 0, (), 4,
                       32, 4, "-1.001", "1.001", True, DIGEST, TensorDigest(1, 1, "0" * 64), DIGEST)
PROFILE = VectorProfile(VECTOR_PROFILE_FORMAT, "Rows", "0" * 64, "torch", "f32", "cpu", "1.25", 400, 6000, "0" * 64,
                        {"relative": HonestRange("0.00002", "0.0001", {}),
                         "absolute": HonestRange("0.0004", "0.0001", {})},
                        (VectorVariation("native", 1, 1, {}),), {})
REPLAY = pack_rows([[1.0, -2.0], [0.5, 4.0]])
numbers = st.floats(-1e9, 1e9, width=32)


def claimed(delta: float) -> bytes:
    return pack_rows([[1.0, -2.0 - delta], [0.5, 4.0]])


@pytest.mark.parametrize(("changes", "word"), [
    ({"format": "malla-vector-model/0"}, "format"), ({"architecture": "resnet"}, "architecture"),
    ({"name": ""}, "name"), ({"source": "release:../secret"}, "source"), ({"source": "a:/etc/x"}, "source"),
    ({"shape": {"columns": 0}}, "sizes"), ({"output_width": 0}, "output_width"), ({"max_rows": 257}, "max_rows"),
    ({"tokenizer": DIGEST}, "tokenizer"), ({"context_tokens": 5}, "context"), ({"columns": ("a",)}, "columns"),
    ({"low": "10"}, "bounds"), ({"high": "inf"}, "bounds"),
])
def test_manifest__what_no_model_is__refused(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(DocumentInvalid, match=word):
        dataclasses.replace(ROWS, **changes)


@pytest.mark.parametrize("changes", [
    {"format": "x"}, {"statistics": {}}, {"statistics": {"absolute": HonestRange("1", "1", {})}}, {"inputs": 0},
    {"comparisons": 0}, {"safety_factor": "0.9"}, {"corpus_sha256": "x"},
])
def test_profile__that_says_nothing__refused(changes: dict[str, Any]) -> None:
    with pytest.raises(DocumentInvalid):
        dataclasses.replace(PROFILE, **changes)


def test_tolerance__floor_above_the_maximum__counts() -> None:
    assert [str(tolerance(PROFILE, name)) for name in PROFILE.statistics] == ["0.000125", "0.000500"]


@pytest.mark.parametrize(("inputs", "error"), [
    (VectorInputs(), BadInput), (VectorInputs(texts=("a",)), BadInput),
    (VectorInputs(texts=("a",), rows=((1.0, 2.0, 3.0),)), BadInput), (VectorInputs(rows=((1.0, 2.0),)), BadInput),
    (VectorInputs(rows=((1.0, 2.0, math.nan),)), BadInput), (VectorInputs(rows=((1.0, 2.0, 2e9),)), BadInput),
    (VectorInputs(rows=((1.0, 2.0, 3.0),) * 9), Refused),
])
def test_check_inputs__of_rows__refused(inputs: VectorInputs, error: type[MallaError]) -> None:
    with pytest.raises(error):
        check_inputs(inputs, ROWS)


def test_check_inputs__too_many_or_empty_texts__refused() -> None:
    """R122: what does not fit is refused before anybody works or pays, never cut."""
    with pytest.raises(Refused) as refusal:
        check_inputs(VectorInputs(texts=("a",) * 5), TEXTS)
    assert refusal.value.reason is Reason.TOO_MANY_TOKENS
    with pytest.raises(BadInput):
        check_inputs(VectorInputs(texts=("a", "")), TEXTS)
    with pytest.raises(TooLarge, match="inputs"):
        check_inputs(VectorInputs(texts=("a" * 70_000,)), TEXTS)
    with pytest.raises(TooLarge, match="transcript"):
        check_inputs(VectorInputs(texts=("a" * 30_000,)), dataclasses.replace(TEXTS, output_width=8192))


@pytest.mark.parametrize("messages", [
    (("system", "0x" + "00" * 12),), (("user", "0x00"),), (("user", "1, 2, 3"),), (("user", "0x" + "zz" * 12),),
    (("user", "0x" + "0000c07f" * 3),), (),
])
def test_inputs_of_prompt__no_rows__refused(messages: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(BadInput):
        inputs_of_prompt(Prompt(messages, SALT), ROWS)


@given(st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=8))
def test_prompt_of_inputs__any_rows__come_back_as_they_were(rows: list[tuple[float, float, float]]) -> None:
    """R120: a row travels as the hexadecimal of its float32 numbers, a text as it is, each a message of the user."""
    inputs = VectorInputs(rows=tuple(rows))
    prompt = parse_prompt(prompt_bytes(prompt_of_inputs(inputs, SALT)))
    assert inputs_of_prompt(prompt, ROWS) == inputs
    assert count_numbers(inputs) == 3 * len(rows)


def test_prompt_of_inputs__texts__are_the_messages() -> None:
    prompt = prompt_of_inputs(VectorInputs(texts=("a ship", "two")), SALT)
    assert prompt.messages == (("user", "a ship"), ("user", "two"))
    assert inputs_of_prompt(prompt, TEXTS).texts == ("a ship", "two")
    with pytest.raises(Malformed):
        inputs_of_prompt(Prompt((("assistant", "a ship"),), SALT), TEXTS)


@pytest.mark.parametrize(("claim", "check"), [
    (b"", "vector_count"), (REPLAY[:-4], "vector_count"), (REPLAY + bytes(8), "vector_count"),
    (pack_rows([[math.nan, 0], [0, 0]]), "vector_not_finite"),
    (pack_rows([[math.inf, 0], [0, 0]]), "vector_not_finite"),
    (pack_rows([[0, 0], [0, 10.5]]), "vector_bounds"),
])
def test_judge__claim_of_no_form__fraud(claim: bytes, check: str) -> None:
    """R121: a claim that breaks a rule of form is exact evidence, whatever the replay says."""
    verdict = judge_vectors(PROFILE, ROWS, 2, claim, REPLAY)
    assert (verdict.kind, verdict.checks) == (VerdictKind.FRAUD, (check,))


def test_find_vector_fault__of_unit_vectors__length_counts() -> None:
    assert find_vector_fault(pack_rows([[0.5, 0.5, 0.5, 0.5]]), 1, TEXTS) is None
    fault = find_vector_fault(pack_rows([[0.5, 0.5, 0.5, 0.4]]), 1, TEXTS)
    assert fault is not None and fault.check == "vector_length"


@pytest.mark.parametrize(("delta", "kind"), [
    (0.0, VerdictKind.PASS), (0.0002, VerdictKind.PASS), (0.0006, VerdictKind.UNKNOWN), (0.003, VerdictKind.FRAUD),
    (-0.003, VerdictKind.FRAUD), (7.9, VerdictKind.FRAUD),
])
def test_judge__distance__within_the_tolerance_or_not(delta: float, kind: VerdictKind) -> None:
    """R121: PASS within the tolerance, FRAUD beyond eight times of it, UNKNOWN in between."""
    verdict = judge_vectors(PROFILE, ROWS, 2, claimed(delta), REPLAY)
    assert verdict.kind is kind
    assert verdict.checks != () or kind is VerdictKind.PASS
    if kind is VerdictKind.UNKNOWN:
        assert verdict.checks == (BEYOND_TOLERANCE,) and "tolerated" in verdict.reason


@pytest.mark.parametrize(("spread", "kind"), [
    (0.0, VerdictKind.FRAUD), (0.0005, VerdictKind.UNKNOWN), (math.nan, VerdictKind.UNKNOWN),
])
def test_judge__inputs_on_which_honest_runs_lie_apart__convicts_nobody(spread: float, kind: VerdictKind) -> None:
    """R121: a distance convicts beyond eight times of what rounding alone makes on these inputs."""
    assert judge_vectors(PROFILE, ROWS, 2, claimed(0.003), REPLAY, [REPLAY, claimed(spread)]).kind is kind


@pytest.mark.parametrize("replay", [b"", pack_rows([[math.nan, 1], [0, 0]]), pack_rows([[0, 99], [0, 0]])])
def test_judge__unusable_replay__unknown_whatever_was_claimed(replay: bytes) -> None:
    """R121: what the verifier cannot compute speaks against nobody."""
    for claim in (REPLAY, b"", pack_rows([[math.nan, 0], [0, 0]])):
        verdict = judge_vectors(PROFILE, ROWS, 2, claim, replay)
        assert (verdict.kind, verdict.checks) == (VerdictKind.UNKNOWN, (REPLAY_FAILED,))


def test_compare_vectors__rows_of_zeros__are_finite() -> None:
    same = compare_vectors(bytes(16), bytes(16), 2)
    assert (same.relative, same.absolute) == (0, 0)
    assert math.isfinite(compare_vectors(REPLAY, bytes(16), 2).relative)


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=5))
def test_compare_vectors__with_itself__nothing(rows: list[tuple[float, float]]) -> None:
    data = pack_rows(rows)
    found = compare_vectors(data, data, 2)
    assert (found.relative, found.absolute) == (0, 0) and data == b"".join(pack_float32(row) for row in rows)
    assert unpack_rows(data, 2).shape == (len(rows), 2)


def vector_transcript(**changes: Any) -> Transcript:
    plain = dataclasses.replace(one_job().transcript, output_token_ids=(), logprobs=b"", vector=REPLAY)
    return dataclasses.replace(plain, **changes)


@pytest.mark.parametrize("changes", [
    {"vector": b""}, {"output_token_ids": (1,)}, {"logprobs": bytes(4)}, {"top_logprobs": bytes(40)},
    {"fingerprint_root": keccak(b"root")}, {"fingerprint_opening": b"\1"},
])
def test_check_vector_transcript__with_anything_of_tokens__provider_fault(changes: dict[str, Any]) -> None:
    """R120: a call has tokens or a vector, never both: its leaf has one meaning."""
    with pytest.raises(ProviderFault):
        check_vector_transcript(vector_transcript(**changes))


def test_leaf__of_a_vector__fixes_each_of_its_bytes() -> None:
    """R120: the leaf's logprob digest covers the vector."""
    check_vector_transcript(vector_transcript())
    spec = one_job().transcript.spec
    leaves = {leaf(answer_of(vector_transcript(vector=vector), keccak(b"job"), 6, "", "stop"), spec)
              for vector in (REPLAY, claimed(1e-6), REPLAY[:-4])}
    assert len(leaves) == 3
