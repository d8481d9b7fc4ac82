from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.types import Outcome, VerdictKind
from protocol.verdict import EntryEvidence, decide, is_escalated

PASS, FRAUD, UNKNOWN, MALFORMED = VerdictKind.PASS, VerdictKind.FRAUD, VerdictKind.UNKNOWN, VerdictKind.MALFORMED
NOW = 1_000
PASSED = EntryEvidence(True, True, {"a": PASS}, None, True, NOW)
UNDRAWN = EntryEvidence(True, False)

kinds = st.sampled_from(list(VerdictKind))
evidence = st.builds(
    EntryEvidence, st.booleans(), st.booleans(), st.dictionaries(st.sampled_from("abcd"), kinds, max_size=3),
    st.none() | kinds, st.booleans(), st.integers(NOW - 1, NOW + 1),
)


def outcome(*entries: EntryEvidence) -> Outcome | None:
    return decide(entries, NOW)[0]


def but(entry: EntryEvidence = PASSED, **changes: object) -> EntryEvidence:
    return dataclasses.replace(entry, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("entry", [
    but(report_valid=False), but(UNDRAWN, report_valid=False), but(records={}), but(records={"a": UNKNOWN}),
    but(records={"a": FRAUD}), but(records={"a": PASS, "b": FRAUD}), but(records={"a": PASS, "b": MALFORMED}),
    but(records={}, own=UNKNOWN), but(records={"a": FRAUD}, own=UNKNOWN),
    but(records={}, opened=False, open_deadline=NOW + 1),
])
def test_decide__something_open_or_known_against_it__nothing_yet(entry: EntryEvidence) -> None:
    """R33: no PASS while something is open or known against it."""
    assert outcome(PASSED, entry, UNDRAWN) is None
    assert decide([PASSED, entry], NOW)[1].startswith("Entry 1 ")


@pytest.mark.parametrize("entry", [
    but(own=FRAUD), but(UNDRAWN, own=FRAUD), but(own=FRAUD, records={"a": PASS}), but(own=FRAUD, opened=False),
])
def test_decide__own_finding_of_fraud__fraud_whatever_else(entry: EntryEvidence) -> None:
    assert outcome(PASSED, entry) is Outcome.FRAUD


def test_decide__fraud_of_others_only__never_fraud() -> None:
    """R33: FRAUD only by its own replay."""
    assert outcome(but(records=dict.fromkeys("abc", FRAUD))) is None


def test_decide__opening_overdue__not_opened_from_the_deadline_on() -> None:
    """R22: times are half-open."""
    late = but(records={}, opened=False, open_deadline=NOW)
    assert decide([PASSED, late], NOW - 1)[0] is None
    assert decide([PASSED, late], NOW) == (Outcome.NOT_OPENED, "The opening of entry 1 is overdue.")
    assert decide([but(UNDRAWN, open_deadline=0)], NOW)[0] is Outcome.PASS


@pytest.mark.parametrize("entries", [
    [], [UNDRAWN], [PASSED], [PASSED, UNDRAWN], [but(records={}, own=PASS)],
    [but(records={"a": FRAUD, "b": MALFORMED}, own=PASS)], [but(records={"a": UNKNOWN, "b": PASS})],
])
def test_decide__all_valid_and_nothing_against_it_or_own_pass__pass(entries: list[EntryEvidence]) -> None:
    assert outcome(*entries) is Outcome.PASS


@given(st.lists(evidence, max_size=4))
def test_decide__any_evidence__obeys_r33(entries: list[EntryEvidence]) -> None:
    """R33: whatever is known, in all three parts."""
    found, reason = decide(entries, NOW)
    own_fraud = any(entry.own is FRAUD for entry in entries)
    overdue = any(entry.drawn and not entry.opened and entry.open_deadline <= NOW for entry in entries)
    assert reason.endswith(".")
    assert (found is Outcome.FRAUD) is own_fraud
    assert (found is Outcome.NOT_OPENED) is (overdue and not own_fraud)
    if found is Outcome.PASS:
        drawn = [entry for entry in entries if entry.drawn]
        assert all(entry.report_valid for entry in entries)
        assert all(entry.own is PASS or PASS in entry.records.values() for entry in drawn)
        assert all(entry.own is PASS or not is_escalated(entry.records) for entry in drawn)


@given(st.dictionaries(st.sampled_from("abcd"), kinds))
def test_is_escalated__any_records__by_one_finding_against_the_provider(records: dict[str, VerdictKind]) -> None:
    """R32: one FRAUD or MALFORMED escalates."""
    assert is_escalated(records) is bool({FRAUD, MALFORMED} & set(records.values()))


@pytest.mark.parametrize("kind", [None, UNKNOWN, MALFORMED])
def test_decide__escalated_without_an_own_pass__nothing_whatever_others_passed(kind: VerdictKind | None) -> None:
    """R78: a leaf beyond its profile goes to all, and each believes itself alone."""
    assert outcome(but(own=kind, escalated=True, records=dict.fromkeys("abc", PASS))) is None
    assert outcome(but(own=PASS, escalated=True, records={})) is Outcome.PASS


def test_decide__beyond_the_profile_and_the_score_convicts__fraud() -> None:
    """R79: a score convicts by an entry of the batch that this oracle found beyond the profile itself."""
    assert outcome(but(own=UNKNOWN, escalated=True)) is None
    assert outcome(PASSED, but(own=UNKNOWN, escalated=True, convicted=True)) is Outcome.FRAUD
