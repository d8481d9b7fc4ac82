from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.encoding import canonical_json, parse_canonical
from protocol.errors import Malformed
from protocol.types import AuditStatistics, Decision, Job, SignedReport, Verdict
from protocol.wire import from_json, to_json
from tests.protocol.nouns import NOUNS, decisions, jobs

JOB = {
    "requester": "0x7c8999dC9a822c1f0Df42023113EDB4FDd543266", "provider": "0x7c8999dc9a822c1f0df42023113edb4fdd543266",
    "offer_digest": "0x" + "11" * 32, "spec_digest": "0x" + "22" * 32, "input_tokens": 1, "max_output_tokens": 2,
    "price": "79228162514264337593543950335", "nonce": 2**64 - 1,
}

BAD: list[tuple[str, Any, str]] = [
    ("requester", "0x7C8999dC9a822c1f0Df42023113EDB4FDd543266", "checksum"),
    ("requester", "7c8999dC9a822c1f0Df42023113EDB4FDd543266", "begins with 0x"),
    ("requester", "0x7c89", "20 bytes"), ("requester", None, "20 bytes"), ("requester", 5, "20 bytes"),
    ("offer_digest", "0x11", "1 bytes instead of 32"), ("offer_digest", "11" * 32, "begins with 0x"),
    ("offer_digest", "0x" + " 1" * 32, "hexadecimal"),
    ("input_tokens", "1", "integer"), ("input_tokens", True, "integer"), ("input_tokens", -1, "integer"),
    ("input_tokens", 2**64, "integer"), ("input_tokens", None, "integer"),
    ("price", 5, "wei"), ("price", "-5", "wei"), ("price", "5.0", "wei"), ("price", str(2**96), "wei"),
    ("price", "", "wei"), ("price", "٥", "wei"), ("price", "9" * 5000, "wei"),
]


@pytest.mark.parametrize(("field", "value", "told"), BAD)
def test_from_json__bad_field__malformed_naming_it(field: str, value: Any, told: str) -> None:
    with pytest.raises(Malformed, match=rf"Job\.{field}.*{told}"):
        from_json(Job, JOB | {field: value})


def test_from_json__missing_unknown_or_no_object__malformed_naming_what() -> None:
    with pytest.raises(Malformed, match="lacks nonce, price"):
        from_json(Job, {key: value for key, value in JOB.items() if key not in ("nonce", "price")})
    with pytest.raises(Malformed, match="unknown fields: extra"):
        from_json(Job, JOB | {"extra": 1})
    for value in (None, [], "x", 1):
        with pytest.raises(Malformed, match="must be an object"):
            from_json(Job, value)


@pytest.mark.parametrize("value", ["PAS", 1, "pass", None, ["PASS"]])
def test_from_json__unknown_outcome__malformed_with_the_known_ones(value: object) -> None:
    wire = {"batch_id": 1, "entries_hash": "0x" + "00" * 32, "outcome": value, "amount": "0",
            "auditors": 0}
    with pytest.raises(Malformed, match=r"outcome must be one of NONE, PASS"):
        from_json(Decision, wire)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1_0", " 1.0", "1e0", "1", 1, 1.0, None, "x"])
def test_from_json__no_shortest_finite_number__malformed(value: object) -> None:
    wire = {"max_margin": value, "end_margin": "0.0", "mean_logprob_distance": "0.0", "tokens": 1,
            "mean_margin": "0.0", "mean_top_logprob_distance": None, "fingerprint_distance": None}
    with pytest.raises(Malformed, match="max_margin"):
        from_json(AuditStatistics, wire)


def test_from_json__wrong_list__malformed_naming_the_place() -> None:
    wire = {"kind": "PASS", "reason": "r", "checks": ["a", 2], "statistics": None}
    with pytest.raises(Malformed, match=r"checks\[1\] must be a string"):
        from_json(Verdict, wire)
    with pytest.raises(Malformed, match="checks must be a list"):
        from_json(Verdict, wire | {"checks": "ab"})


def test_from_json__telemetry_that_is_no_object__malformed() -> None:
    report: dict[str, Any] = {"report": None, "signature": "0x", "telemetry": []}
    with pytest.raises(Malformed):
        from_json(SignedReport, report)


def test_from_json__known_job__fields_in_their_types() -> None:
    job = from_json(Job, JOB)
    assert job.provider == job.requester == JOB["requester"]
    assert (job.offer_digest, job.price, job.nonce) == (b"\x11" * 32, 2**96 - 1, 2**64 - 1)


@pytest.mark.parametrize("kind", NOUNS, ids=lambda kind: kind.__name__)
def test_wire__any_noun__comes_back_the_same(kind: type) -> None:
    @settings(max_examples=25)
    @given(NOUNS[kind])
    def comes_back(noun: object) -> None:
        wire = to_json(noun)
        assert from_json(kind, json.loads(json.dumps(wire))) == noun
        text = canonical_json(wire)
        assert from_json(kind, parse_canonical(text, "It")) == noun
        assert canonical_json(to_json(from_json(kind, wire))) == text

    comes_back()


@given(jobs, st.sampled_from(sorted(JOB)))
def test_wire__one_field_left_out__malformed(job: Job, field: str) -> None:
    wire = to_json(job)
    del wire[field]
    with pytest.raises(Malformed, match=field):
        from_json(Job, wire)


@given(decisions)
def test_to_json__amounts_and_enums__are_decimal_strings_and_names(decision: Decision) -> None:
    wire = to_json(decision)
    assert wire["amount"] == str(decision.amount) and wire["outcome"] == decision.outcome.name


def test_from_json__kind_without_a_wire_form__type_error() -> None:
    with pytest.raises(TypeError, match="no wire form"):
        from_json(set, [], "It")


