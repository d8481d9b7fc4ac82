from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.documents import DocumentInvalid, document_digest, document_from_json, document_to_json
from protocol.encoding import canonical_json
from protocol.engine.catalogue import list_profiles
from protocol.profile import ALWAYS, PROFILE_FORMAT, CalibrationProfile, HonestRange, Variation
from protocol.suspicion import p_value, p_value_of
from protocol.thresholds import (
    StatisticsUnusable,
    alpha,
    exceeds,
    false_alarm_bound,
    missing,
    threshold,
    unjudged,
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
    samplers=("greedy",),
    required=("mean_logprob_distance",),
    safety_factor="1.25",
    edit_margin="0.3",
    sequences=200,
    comparisons=400,
    tokens=5000,
    corpus_sha256="cd" * 32,
    statistics={
        "max_margin": RANGE,
        "end_margin": HonestRange("0", "0.0004", {}),
        "mean_margin": HonestRange("0", "0.0004", {}),
        "mean_logprob_distance": replace(RANGE, maximum="0.0001"),
    },
    variations=(Variation("native", "generate", 8, 1, {"X": "1"}, 200, "f32", "whole", "greedy"),),
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
        ("edit_margin", "0.29"),
        ("required", ["fingerprint_distance"]),
        ("required", ["max_margin"]),
        ("sequences", 0),
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
    found = exceeds(PROFILE, AuditStatistics(1.0, 2.0, 3.0, 3, 0.9))
    assert [reason.split()[0] for reason in found] == [*ALWAYS, "mean_logprob_distance"]


def test_exceeds__statistic_that_was_never_calibrated__is_not_judged_and_named() -> None:
    found = AuditStatistics(0.0, 0.0, 0.0, 3, 0.0, 9.0, 9.0)
    assert exceeds(PROFILE, found) == ()
    assert unjudged(PROFILE, found) == ("mean_top_logprob_distance", "fingerprint_distance")


def test_missing__proof_that_the_class_always_brings__is_named() -> None:
    bare = AuditStatistics(0.0, 0.0, None, 3)
    assert missing(PROFILE, bare) == ("mean_logprob_distance",)
    assert missing(replace(PROFILE, required=()), bare) == ()


GRID = HonestRange("0.75", "0.0625", {"0.5": "0.125", "0.9": "0.25", "0.99": "0.375", "0.999": "0.5"})
WIDE = replace(PROFILE, required=(), sequences=10_000, statistics={name: GRID for name in ALWAYS})


@pytest.mark.parametrize(("value", "p"), [
    (0.0, 1.0), (0.0625, 1.0), (0.07, 1.0), (0.125, 1.0), (0.126, 0.5), (0.25, 0.5), (0.26, 0.1), (0.38, 0.01),
    (0.51, 0.001), (0.75, 0.001), (0.76, alpha(WIDE)), (99.0, alpha(WIDE)),
])  # fmt: skip
def test_p_value__of_the_grid__is_never_said_too_small(value: float, p: float) -> None:
    assert p_value(WIDE, "max_margin", value) == pytest.approx(p)


def test_p_value__of_a_few_sequences__is_never_below_what_they_can_know() -> None:
    few = replace(WIDE, sequences=100)
    assert alpha(few) == pytest.approx(0.0295, abs=1e-4)
    assert p_value(few, "max_margin", 0.5) == p_value(few, "max_margin", 5.0) == alpha(few)


def test_p_value_of__several_statistics__pays_for_each() -> None:
    """Bonferroni: as many statistics, as many chances to look bad."""
    assert p_value_of(WIDE, AuditStatistics(0.38, 0.0, None, 3)) == pytest.approx(0.03)
    assert p_value_of(WIDE, AuditStatistics(0.13, 0.13, None, 3)) == 1.0


@given(st.lists(st.floats(0, 2), min_size=2, max_size=2))
def test_p_value__larger_statistic__never_has_a_larger_p_value(values: list[float]) -> None:
    low, high = sorted(values)
    assert p_value(WIDE, "max_margin", high) <= p_value(WIDE, "max_margin", low)


@pytest.mark.parametrize("quantiles", [{"0.95": "0.1"}, {"0.5": "0.2", "0.9": "0.1"}])
def test_honest_range__quantiles_off_the_grid_or_falling__are_refused(quantiles: dict[str, str]) -> None:
    with pytest.raises(DocumentInvalid, match="quantiles"):
        HonestRange("0.3", "0.1", quantiles)


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
            assert 0 < threshold(profile, name) >= Decimal(honest.maximum) * Decimal("1.25")
