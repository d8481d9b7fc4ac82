"""The part of an evidence bundle that is a vector model's: its numbers, and with consent the vectors themselves."""

from __future__ import annotations

from typing import Any

from protocol.bundle import TOLERANCE, read_float
from protocol.bundle_leaf import require
from protocol.documents import document_digest, document_from_json
from protocol.encoding import digest_from, from_hex, json_digest, keccak, to_hex
from protocol.errors import Malformed
from protocol.transcript import answer_of, leaf
from protocol.types import JobSpec, Transcript, Verdict
from protocol.vector_profile import VectorProfile
from protocol.vector_verdict import (
    VECTOR_NUMBERS,
    VectorNumbers,
    compare_vectors,
    judge_vector_numbers,
    vector_numbers_from_json,
)
from protocol.wire import from_json, to_json


def is_of_vector(numbers: Any) -> bool:
    """Whether the numbers of a bundle are a vector model's."""
    return isinstance(numbers, dict) and numbers.get("format") == VECTOR_NUMBERS


def vector_ids(transcript: Transcript, input_tokens: int, replay: bytes) -> dict[str, Any]:
    """What consent gives away: the inputs, the claimed vector, and that of the replay."""
    return {
        "spec": to_json(transcript.spec), "prompt": to_hex(transcript.prompt), "salt": to_hex(transcript.salt),
        "input_tokens": input_tokens, "vector": to_hex(transcript.vector), "replay": to_hex(replay),
    }


def read_vector_parts(bundle: Any) -> tuple[VectorNumbers, VectorProfile]:
    """Numbers and profile, each the one that the signed evidence names."""
    evidence = bundle["records"][0]["evidence"]
    require(json_digest(bundle["numbers"]) == digest_from(evidence["numbers"], "evidence.numbers"),
            "The numbers are not the ones whose digest was signed.")
    profile = document_from_json(VectorProfile, bundle["profile"])
    require(document_digest(profile) == digest_from(evidence["profile"], "evidence.profile"),
            "The profile is not the one that the evidence names.")
    return vector_numbers_from_json(bundle["numbers"]), profile


def check_vector(bundle: Any) -> Verdict:
    """The verdict of the numbers, which must be what the evidence says.

    Without consent it rests on the distances that were signed; with it they are computed again from both vectors, and
    the claimed one is shown to be the committed one.
    """
    evidence = bundle["records"][0]["evidence"]
    numbers, profile = read_vector_parts(bundle)
    if bundle["ids"] is not None:
        _check_vectors(bundle, numbers)
    if numbers.distances is not None:
        for name, value in vars(numbers.distances).items():
            said = read_float(evidence["distances"][name], f"evidence.distances.{name}")
            require(abs(said - value) <= TOLERANCE, f"The numbers have a {name} distance of {value}, not {said}.")
    verdict = judge_vector_numbers(profile, numbers)
    require(list(verdict.checks) == evidence["checks"], "The numbers and the evidence name different checks.")
    return verdict


def _check_vectors(bundle: Any, numbers: VectorNumbers) -> None:
    ids = bundle["ids"]
    spec, prompt = from_json(JobSpec, ids["spec"], "ids.spec"), from_hex(ids["prompt"], None, "ids.prompt")
    claim, replay = from_hex(ids["vector"], None, "ids.vector"), from_hex(ids["replay"], None, "ids.replay")
    require(keccak(prompt) == spec.prompt_digest, "The prompt is not the one that the spec names.")
    transcript = Transcript(spec, prompt, (), b"", from_hex(ids["salt"], 32, "ids.salt"), vector=claim)
    answer = answer_of(transcript, digest_from(bundle["entry"]["job_id"], "entry.job_id"), ids["input_tokens"], "", "")
    require(leaf(answer, spec) == digest_from(bundle["entry"]["leaf"], "entry.leaf"),
            "The vector and its inputs are not what was committed.")
    if numbers.distances is None:
        return
    row = 4 * numbers.width
    require(0 < len(claim) == len(replay) and len(claim) % row == 0, "The two vectors are not of the same rows.")
    found = compare_vectors(claim, replay, numbers.width)
    for name, value in vars(numbers.distances).items():
        other = getattr(found, name)
        if not abs(other - value) <= TOLERANCE * max(1.0, abs(value)):
            raise Malformed(f"The vectors have a {name} distance of {other}, the numbers say {value}.")
