"""The decision table of a case: what an oracle signs by its own replay and clock alone."""

from __future__ import annotations

import pytest

from protocol.ruling import OwnFinding, decide_ruling, opening_due
from protocol.types import CaseKind, Ruling, VerdictKind

NOTHING = OwnFinding()
WAITING = OwnFinding(opened=True)
PASS, FRAUD, UNKNOWN = (OwnFinding(kind, opened=True) for kind in (VerdictKind.PASS, VerdictKind.FRAUD,
                                                                    VerdictKind.UNKNOWN))
BEYOND = OwnFinding(VerdictKind.UNKNOWN, beyond=True, opened=True)
DUE, DEADLINE = 150.0, 300


def ruled(kind: CaseKind, *findings: OwnFinding, now: float = 100.0, is_voucher: bool = False) -> Ruling | None:
    return decide_ruling(kind, is_voucher, findings, now, DUE, DEADLINE)[0]


@pytest.mark.parametrize("finding", [NOTHING, WAITING, PASS, FRAUD, UNKNOWN, BEYOND])
@pytest.mark.parametrize("kind", [CaseKind.DISPUTE, CaseKind.APPEAL])
def test_decide__at_the_deadline__signs_nothing(kind: CaseKind, finding: OwnFinding) -> None:
    """R124: nothing is signed from the deadline on."""
    assert ruled(kind, finding, now=DEADLINE) is None


@pytest.mark.parametrize("finding", [NOTHING, PASS, FRAUD, BEYOND])
def test_decide__dispute_of_a_voucher__signs_nothing(finding: OwnFinding) -> None:
    """R124: the default returns the bond."""
    assert ruled(CaseKind.DISPUTE, finding, now=DEADLINE - 1, is_voucher=True) is None


@pytest.mark.parametrize(("finding", "now", "expected"), [
    (FRAUD, 0, Ruling.CONVICTED),
    (FRAUD, DEADLINE - 1, Ruling.CONVICTED),
    (PASS, 0, Ruling.REJECTED),
    (PASS, DEADLINE - 1, Ruling.REJECTED),
    (BEYOND, 0, Ruling.UPHELD),
    (UNKNOWN, 0, None),
    (UNKNOWN, DEADLINE - 1, None),
    (WAITING, DUE, None),
    (WAITING, DEADLINE - 1, None),
    (NOTHING, DUE - 0.1, None),
    (NOTHING, DUE, Ruling.UPHELD),
    (NOTHING, DEADLINE - 1, Ruling.UPHELD),
])
def test_decide__dispute__by_the_own_replay_or_an_overdue_opening(
    finding: OwnFinding, now: float, expected: Ruling | None
) -> None:
    """R124: exact fraud convicts, an own PASS rejects, beyond the profile or overdue upholds, doubt signs nothing."""
    assert ruled(CaseKind.DISPUTE, finding, now=now) is expected


@pytest.mark.parametrize("findings", [(), (PASS, PASS)])
def test_decide__dispute_whose_entry_is_not_known__signs_nothing(findings: tuple[OwnFinding, ...]) -> None:
    assert ruled(CaseKind.DISPUTE, *findings, now=DEADLINE - 1) is None


@pytest.mark.parametrize(("findings", "expected"), [
    ((), None),
    ((NOTHING,), None),
    ((WAITING,), None),
    ((UNKNOWN,), None),
    ((BEYOND,), None),
    ((PASS,), Ruling.UPHELD),
    ((PASS, PASS), Ruling.UPHELD),
    ((PASS, NOTHING), None),
    ((PASS, BEYOND), None),
    ((FRAUD,), Ruling.REJECTED),
    ((PASS, FRAUD), Ruling.REJECTED),
    ((FRAUD, NOTHING), Ruling.REJECTED),
])
@pytest.mark.parametrize("now", [0.0, DEADLINE - 1.0])
def test_decide__appeal__by_the_own_replay_of_what_convicted(
    findings: tuple[OwnFinding, ...], expected: Ruling | None, now: float
) -> None:
    """R124: fraud again rejects, all passing upholds, else nothing: an appeal never wins by silence."""
    assert ruled(CaseKind.APPEAL, *findings, now=now) is expected


def test_decide__no_case__signs_nothing() -> None:
    assert ruled(CaseKind.NONE, FRAUD) is None


def test_opening_due__is_half_of_the_window() -> None:
    assert opening_due(1000, 1300, 1002.0) == 1150


def test_opening_due__of_an_oracle_that_came_late__leaves_the_provider_a_quarter() -> None:
    """R124: an oracle that was down signs nothing before it has asked for a while."""
    assert opening_due(1000, 1300, 1140.0) == 1215
