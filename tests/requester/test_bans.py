"""What is remembered of providers: it decays by half, is kept on disk, and nobody is marked for a user's error."""

from __future__ import annotations

from pathlib import Path

import pytest

from requester.edges.session_store import SessionDatabase
from requester.flow.bans import FAULT_HALF, OUTAGE_HALF, Bans, Failure, banned_for, faded, reliability
from requester.records.sessions import Marks
from tests.requester.fakes import signer

WHO = signer(50).address


@pytest.fixture
def bans(tmp_path: Path) -> Bans:
    return Bans(SessionDatabase(tmp_path))


def test_failure__none__leaves_no_mark(bans: Bans) -> None:
    bans.note_failure(WHO, Failure.NONE, 100.0)
    assert bans.of(WHO) == Marks(WHO, 0.0)
    assert banned_for(bans.of(WHO), 100.0) == 0


def test_failure__outage__bans_for_one_half_life(bans: Bans) -> None:
    bans.note_failure(WHO, Failure.OUTAGE, 100.0)
    assert banned_for(bans.of(WHO), 100.0) == pytest.approx(OUTAGE_HALF)
    assert banned_for(bans.of(WHO), 110.0) == pytest.approx(OUTAGE_HALF - 10)
    assert banned_for(bans.of(WHO), 100.0 + OUTAGE_HALF) == 0


def test_failure__again_and_again__bans_for_longer(bans: Bans) -> None:
    for _ in range(4):
        bans.note_failure(WHO, Failure.OUTAGE, 100.0)
    assert banned_for(bans.of(WHO), 100.0) == pytest.approx(3 * OUTAGE_HALF)


def test_failure__fault__bans_for_a_day(bans: Bans) -> None:
    bans.note_failure(WHO, Failure.FAULT, 100.0)
    assert banned_for(bans.of(WHO), 100.0) == pytest.approx(FAULT_HALF)


def test_marks__after_a_restart__are_the_same(tmp_path: Path) -> None:
    first = Bans(SessionDatabase(tmp_path))
    first.note_failure(WHO, Failure.FAULT, 100.0)
    first.note_success(WHO, 101.0, 20.0)
    assert Bans(SessionDatabase(tmp_path)).of(WHO) == first.of(WHO)


def test_faded__clock_that_goes_back__grows_nothing() -> None:
    marks = Marks(WHO, 100.0, outages=2.0)
    assert faded(marks, 50.0) == marks


def test_reliability__decays_towards_one_and_is_never_zero(bans: Bans) -> None:
    assert reliability(bans.of(WHO), 100.0) == 1
    for _ in range(30):
        bans.note_failure(WHO, Failure.OUTAGE, 100.0)
    assert 0 < reliability(bans.of(WHO), 100.0) < 0.05
    assert reliability(bans.of(WHO), 100.0 + 86_400) > 0.99


def test_success__speed__is_smoothed_and_short_calls_tell_nothing(bans: Bans) -> None:
    bans.note_success(WHO, 100.0, 0.0)
    assert bans.of(WHO).speed == 0
    bans.note_success(WHO, 100.0, 20.0)
    bans.note_success(WHO, 100.0, 0.0)
    assert bans.of(WHO).speed == 20
    bans.note_success(WHO, 100.0, 10.0)
    assert bans.of(WHO).speed == pytest.approx(17)
