from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

import pytest

from protocol.documents import DocumentInvalid, document_digest, document_from_json, document_to_json
from protocol.encoding import canonical_json
from protocol.engine.catalogue import list_profiles
from protocol.profile import (
    PROFILE_FORMAT,
    CalibrationProfile,
    HonestRange,
    StatisticsUnusable,
    Variation,
    exceeds,
    false_alarm_bound,
    threshold,
)
from protocol.types import AuditStatistics

RANGE = HonestRange("0.002", "0.0005", {"0.5": "0.0001"})
PROFILE = CalibrationProfile(
    format=PROFILE_FORMAT,
    model="tiny",
    tensors_sha256="ab" * 32,
    backend="torch",
    dtype="f32",
    device="cpu",
    safety_factor="1.25",
    sequences=200,
    comparisons=400,
    tokens=5000,
    corpus_sha256="cd" * 32,
    statistics={
        "max_margin": RANGE,
        "end_margin": HonestRange("0", "0.0004", {}),
        "mean_logprob_distance": replace(RANGE, maximum="0.0001"),
    },
    variations=(Variation("native", "generate", 8, 1, {"X": "1"}, 200),),
    versions={"torch": "2.13.0"},
)


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1])
def test_exceeds__statistic_is_no_distance__is_the_verifier_s_error(value: float) -> None:
    with pytest.raises(StatisticsUnusable):
        exceeds(PROFILE, AuditStatistics(0.0, 0.0, value, 3))


@pytest.mark.parametrize("floor", ["0", "-1", "NaN", "one"])
def test_honest_range__no_positive_floor__is_refused(floor: str) -> None:
    with pytest.raises(DocumentInvalid):
        HonestRange("0.1", floor, {})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("format", "malla-profile/9"),
        ("safety_factor", "0.9"),
        ("sequences", "200"),
        ("sequences", True),
        ("statistics", {}),
        ("tensors_sha256", "AB" * 32),
        ("variations", [{"name": "native"}]),
        ("surprise", 1),
    ],
)
def test_profile__field_that_does_not_fit__is_refused(path: str, value: object) -> None:
    with pytest.raises(DocumentInvalid):
        document_from_json(CalibrationProfile, {**document_to_json(PROFILE), path: value})


def test_threshold__maximum_below_the_floor__takes_the_floor() -> None:
    assert threshold(PROFILE, "max_margin") == Decimal("0.0025")
    assert threshold(PROFILE, "end_margin") == Decimal("0.0005")
    assert threshold(PROFILE, "mean_logprob_distance") == Decimal("0.000625")


def test_exceeds__at_the_threshold__is_honest_and_above_it_is_not() -> None:
    at = AuditStatistics(0.0025 - 1e-12, 0.0, 0.0, 3)
    assert exceeds(PROFILE, at) == ()
    (reason,) = exceeds(PROFILE, replace(at, max_margin=0.0026))
    assert reason == "max_margin is 0.0026, above the profile's threshold 0.0025"


def test_exceeds__all_three__names_all_three() -> None:
    found = exceeds(PROFILE, AuditStatistics(1.0, 2.0, 3.0, 3))
    assert [reason.split()[0] for reason in found] == ["max_margin", "end_margin", "mean_logprob_distance"]


def test_document__there_and_back__is_the_same_and_has_one_digest() -> None:
    value = document_to_json(PROFILE)
    assert document_from_json(CalibrationProfile, value) == PROFILE
    assert canonical_json(value) == canonical_json(
        document_to_json(document_from_json(CalibrationProfile, value))
    )
    assert document_digest(PROFILE) != document_digest(replace(PROFILE, sequences=201))


def test_false_alarm_bound__of_no_run__is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        false_alarm_bound(0)
    assert false_alarm_bound(48) == pytest.approx(0.0605, abs=1e-4)


def test_committed_profiles__every_threshold__is_above_what_was_measured() -> None:
    profiles = list_profiles()
    assert profiles
    for profile in profiles:
        for name, honest in profile.statistics.items():
            assert threshold(profile, name) >= Decimal(honest.maximum) * Decimal("1.25") > -1
            assert threshold(profile, name) > 0
