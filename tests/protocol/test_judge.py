"""One audited leaf: what passes, what convicts alone, what waits for the score, and what counts for nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import ProviderFault
from protocol.profile import PROFILE_FORMAT, CalibrationProfile, HonestRange
from protocol.score import log_e_value
from protocol.thresholds import StatisticsUnusable, alpha
from protocol.types import AuditStatistics, Sampler, VerdictKind
from protocol.verdict import escalates, is_beyond, judge, judge_fault, needs_self_noise

GREEDY = Sampler("greedy", 0)
RANGE = HonestRange("0.04", "0.0001", {"0.5": "0", "0.9": "0.01", "0.99": "0.03"})
NAMES = ("max_margin", "end_margin", "mean_margin", "mean_logprob_distance")
PROFILE = CalibrationProfile(
    PROFILE_FORMAT, "tiny", "ab" * 32, "torch", "f32", "cpu", ("greedy",), ("mean_logprob_distance",), "1.25", "0.3",
    3000, 3000, 90_000, "cd" * 32, dict.fromkeys(NAMES, RANGE), (), {},
)  # fmt: skip
HONEST = AuditStatistics(0.005, 0.0, 0.0, 24, 0.001)
QUIET = AuditStatistics(0.001, 0.0, 0.0001, 24, 0.0001)
NOISE = (QUIET, QUIET)
BEYOND = replace(HONEST, max_margin=0.06)

margins = st.floats(0, 5, allow_nan=False)
statistics = st.builds(AuditStatistics, margins, margins, margins, st.just(24), margins)


def kind(found: AuditStatistics, noise: tuple[AuditStatistics, ...] = NOISE) -> VerdictKind:
    return judge(PROFILE, GREEDY, found, noise).verdict.kind


def test_judge__proof_that_its_class_always_brings_is_missing__is_fraud() -> None:
    """R76: null proofs are the provider's failure; the leaf holds that there was none."""
    found = judge(PROFILE, GREEDY, replace(HONEST, mean_logprob_distance=None))
    assert (found.verdict.kind, found.verdict.checks) == (
        VerdictKind.FRAUD, ("missing_proof", "mean_logprob_distance"))
    assert found.log_e is None


def test_judge__sampler_that_was_not_calibrated__is_unknown_and_says_so() -> None:
    """R76: an audit outside any profile says so."""
    found = judge(PROFILE, Sampler("gumbel", 1, 700), replace(HONEST, max_margin=9.0))
    assert (found.verdict.kind, found.verdict.checks, found.log_e) == (VerdictKind.UNKNOWN, ("outside_profile",), None)
    assert found.verdict.reason == "The profile was calibrated for greedy, not for gumbel."
    assert not needs_self_noise(PROFILE, Sampler("gumbel", 1, 700), BEYOND)


def test_judge__own_numbers_are_none__is_the_verifiers_error() -> None:
    """R34."""
    with pytest.raises(StatisticsUnusable):
        kind(replace(HONEST, max_margin=float("nan")))


def test_judge__beyond_without_self_noise__is_a_mistake_of_the_caller() -> None:
    """R77: no fail counts before the transcript was replayed under two benign variations."""
    for noise in ((), (QUIET,)):
        with pytest.raises(ValueError, match="self-noise"):
            kind(BEYOND, noise)


def test_judge__within_the_profile__passes_with_its_p_value() -> None:
    found = judge(PROFILE, GREEDY, HONEST)
    assert found.verdict.kind is VerdictKind.PASS and found.p_value == 1.0
    seldom = replace(HONEST, max_margin=0.035)
    with pytest.raises(ValueError, match="self-noise"):
        judge(PROFILE, GREEDY, seldom)
    likely = judge(PROFILE, GREEDY, seldom, NOISE)
    assert likely.verdict.kind is VerdictKind.PASS and likely.p_value == pytest.approx(0.04)
    assert likely.log_e == log_e_value(likely.p_value, False, alpha(PROFILE)) > found.log_e


def test_judge__beyond_and_not_exact__waits_for_the_score() -> None:
    found = judge(PROFILE, GREEDY, BEYOND, NOISE)
    assert (found.verdict.kind, found.verdict.checks) == (VerdictKind.UNKNOWN, ("beyond_profile", "max_margin"))
    assert found.log_e == log_e_value(found.p_value, True, alpha(PROFILE)) > 6
    assert is_beyond(found.verdict.kind, found.verdict.checks) and escalates(found.verdict.kind, found.verdict.checks)


@pytest.mark.parametrize("changes", [{"max_margin": 0.31}, {"end_margin": 0.31}])
def test_judge__token_beyond_the_edit_margin__is_fraud_alone(changes: dict[str, float]) -> None:
    """R77: an edited token, or a stop that the model did not choose, is exact."""
    found = judge(PROFILE, GREEDY, replace(HONEST, **changes), NOISE)
    assert found.verdict.kind is VerdictKind.FRAUD and found.verdict.checks[0] == "edited_token"
    assert found.log_e is None


def test_judge__margin_at_the_edit_margin__is_not_exact() -> None:
    assert kind(replace(HONEST, max_margin=0.3)) is VerdictKind.UNKNOWN


@pytest.mark.parametrize("noise", [0.03765, 0.04, 0.5])
def test_judge__margin_below_eight_times_the_models_own_noise__is_no_edit(noise: float) -> None:
    loud = replace(QUIET, max_margin=noise)
    assert kind(replace(HONEST, max_margin=0.3008), (QUIET, loud)) is VerdictKind.UNKNOWN


@pytest.mark.parametrize("spread", [{"max_margin": 0.051}, {"mean_logprob_distance": 0.06}, {"mean_margin": 0.051}])
def test_judge__the_model_itself_leaves_the_profile__counts_for_nothing(spread: dict[str, float]) -> None:
    """R77: a prompt that makes the model noisy frames nobody."""
    for noise in ((QUIET, replace(QUIET, **spread)), (replace(QUIET, **spread), QUIET)):
        found = judge(PROFILE, GREEDY, replace(HONEST, max_margin=0.25), noise)
        assert found.verdict.kind is VerdictKind.UNKNOWN and found.verdict.checks[0] == "self_noise"
        assert found.log_e is None and not escalates(found.verdict.kind, found.verdict.checks)


def test_judge__noisy_transcript_with_a_token_far_beyond_its_noise__is_still_an_edit() -> None:
    """R77: nor does noise shield: else a cheat would answer with tokens that make the model noisy."""
    loud = replace(QUIET, max_margin=0.06)
    assert kind(replace(HONEST, max_margin=5.0), (loud, loud)) is VerdictKind.FRAUD


def test_judge__seldom_but_within_twice_the_models_own_noise__says_nothing() -> None:
    """R77: else prompts that make honest runs noisy would add up."""
    found = judge(PROFILE, GREEDY, replace(HONEST, max_margin=0.035), (QUIET, replace(QUIET, max_margin=0.018)))
    assert (found.verdict.kind, found.p_value) == (VerdictKind.PASS, 1.0)


def test_judge__beyond_but_within_twice_the_models_own_noise__counts_for_nothing() -> None:
    found = judge(PROFILE, GREEDY, BEYOND, (QUIET, replace(QUIET, max_margin=0.031)))
    assert (found.verdict.kind, found.verdict.checks) == (VerdictKind.UNKNOWN, ("self_noise", "max_margin"))
    assert "within twice" in found.verdict.reason


SCREENED = replace(PROFILE, statistics={
    **PROFILE.statistics, "fingerprint_distance": HonestRange("0.03", "0.001", {}, "0.015", "1.2")})


@pytest.mark.parametrize(("distance", "noise", "kind"), [
    (0.014, 0.001, VerdictKind.PASS), (0.02, 0.0134, VerdictKind.PASS), (0.02, 0.0133, VerdictKind.UNKNOWN),
    (0.05, 0.034, VerdictKind.UNKNOWN), (0.05, 0.06, VerdictKind.UNKNOWN),
])
def test_judge__statistic_with_a_screen__is_judged_by_its_ratio_to_the_noise(distance: float, noise: float,
                                                                            kind: VerdictKind) -> None:
    """R77: above the screen, 1.25 times the largest honest ratio decides; what is noisy itself stays unknown."""
    spread = replace(QUIET, fingerprint_distance=noise)
    found = judge(SCREENED, GREEDY, replace(HONEST, fingerprint_distance=distance), (spread, spread))
    assert found.verdict.kind is kind
    confirmed = 0.015 < distance > 1.5 * noise and noise <= 0.0375
    assert (found.verdict.checks == ("beyond_profile", "fingerprint_distance")) is confirmed


def test_judge__margin_with_a_ratio_in_its_profile__is_judged_by_twice_the_noise_all_the_same() -> None:
    """R77: honest ratios of margins are those of near ties; they would shield every margin."""
    honest = HonestRange("0.04", "0.001", {}, "0.01", "9")
    profile = replace(PROFILE, statistics={**PROFILE.statistics, "max_margin": honest})
    spread = replace(QUIET, max_margin=0.02)
    found = judge(profile, GREEDY, replace(HONEST, max_margin=0.06), (spread, spread))
    assert found.verdict.checks == ("beyond_profile", "max_margin")


@given(statistics, statistics, statistics)
def test_judge__any_numbers__fraud_only_beyond_edit_margin_and_noise(found: AuditStatistics, one: AuditStatistics,
                                                                    other: AuditStatistics) -> None:
    """R77, R78: and everything beyond the profile is either fraud or unknown, never a pass."""
    judged = judge(PROFILE, GREEDY, found, (one, other))
    largest = max(found.max_margin, found.end_margin)
    spread = max(one.max_margin, one.end_margin, other.max_margin, other.end_margin)
    assert (judged.verdict.kind is VerdictKind.FRAUD) is (largest > 0.3 and largest > 8 * spread)
    limits = [getattr(found, name) > 0.05 for name in NAMES]
    assert (judged.verdict.kind is VerdictKind.PASS) is not any(limits)
    assert judged.verdict.reason.endswith(".")


def test_judge_fault__digest_that_does_not_match__is_exact() -> None:
    exact = judge_fault(ProviderFault("leaf", "The transcript is another one."))
    assert (exact.kind, exact.checks, exact.reason) == (VerdictKind.FRAUD, ("leaf",), "The transcript is another one.")


@pytest.mark.parametrize(("verdict", "checks", "goes_to_all"), [
    (VerdictKind.FRAUD, (), True), (VerdictKind.MALFORMED, ("opening",), True), (VerdictKind.PASS, (), False),
    (VerdictKind.UNKNOWN, ("own",), False), (VerdictKind.UNKNOWN, ("self_noise",), False),
    (VerdictKind.UNKNOWN, ("beyond_profile", "max_margin"), True), (VerdictKind.PASS, ("beyond_profile",), False),
])  # fmt: skip
def test_escalates__any_finding__what_speaks_against_the_provider(verdict: VerdictKind, checks: tuple[str, ...],
                                                                 goes_to_all: bool) -> None:
    """R78."""
    assert escalates(verdict, checks) is goes_to_all
