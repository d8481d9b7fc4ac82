"""The runner behind `make test`: what it counts, and when it fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from scripts import test as runner_module
from scripts.test import Counts, Runner, counts_in, main

REPORT = """<testsuites><testsuite name="s" tests="5">
<testcase name="a"/><testcase name="b"><failure message="no"/></testcase>
<testcase name="c"><error message="setup"/></testcase><testcase name="d"><skipped/></testcase><testcase name="e"/>
</testsuite></testsuites>"""


def as_if(monkeypatch: pytest.MonkeyPatch, root: Path, *runners: Runner) -> None:
    monkeypatch.setattr(runner_module, "ROOT", root)
    monkeypatch.setattr(runner_module, "REPORTS", root / "reports")
    monkeypatch.setattr(runner_module, "runners", lambda: runners)


def shell(name: str, script: str, limit_s: int = 20) -> Runner:
    """A runner whose tests are the file `there`, and whose report is what the script prints."""
    return Runner(name, ("sh", "-c", script), "there", limit_s, report_on_stdout=True)


def test_counts__cut_off_report__count_nothing(tmp_path: Path) -> None:
    (tmp_path / "cut.xml").write_text(REPORT[:60])
    assert counts_in(tmp_path / "cut.xml") == Counts()
    assert counts_in(tmp_path / "absent.xml") == Counts()


def test_counts__each_kind__in_its_own_column(tmp_path: Path) -> None:
    (tmp_path / "r.xml").write_text(REPORT)
    assert counts_in(tmp_path / "r.xml") == Counts(passed=2, failed=2, skipped=1)


def test_main__no_test_at_all__fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    as_if(monkeypatch, tmp_path, shell("one", "true"))
    assert main([]) == 1
    assert capfd.readouterr().out.splitlines()[-1] == "0 passed, 0 failed, 0 skipped"


def test_main__runner_fails__stops_and_still_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there").touch()
    bad = shell("bad", f"echo '{REPORT}'; exit 1")
    as_if(monkeypatch, tmp_path, bad, shell("after", f"touch {tmp_path}/ran"))
    assert main([]) == 1
    assert capfd.readouterr().out.splitlines()[-1] == "2 passed, 2 failed, 1 skipped"
    assert not (tmp_path / "ran").exists()


def test_main__failed_tests_but_status_0__fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there").touch()
    as_if(monkeypatch, tmp_path, shell("lenient", f"echo '{REPORT}'"))
    assert main([]) == 1


def test_main__runner_hangs__is_ended_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there").touch()
    as_if(monkeypatch, tmp_path, shell("stuck", "sleep 600", limit_s=1))
    assert main([]) == 1
    assert "stuck: not done after 1 s" in capfd.readouterr().out


def test_main__two_runners__end_with_their_sum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there").touch()
    good = "echo '<t><testcase name=\"a\"/><testcase name=\"b\"><skipped/></testcase></t>'"
    as_if(monkeypatch, tmp_path, shell("one", good), shell("two", good))
    assert main([]) == 0
    assert capfd.readouterr().out.splitlines()[-1] == "2 passed, 0 failed, 2 skipped"


def test_main__runner_beside_another__runs_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there").touch()
    good = "echo '<t><testcase name=\"a\"/></t>'"
    waits = shell("waits", f"until [ -e {tmp_path}/begun ]; do sleep 0.05; done; {good}")
    begins = replace(shell("begins", f"touch {tmp_path}/begun; {good}"), beside="waits")
    as_if(monkeypatch, tmp_path, waits, begins)
    assert main([]) == 0
    assert capfd.readouterr().out.splitlines()[-1] == "2 passed, 0 failed, 0 skipped"


def test_main__two_beside_the_same__run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there").touch()
    good = "echo '<t><testcase name=\"a\"/></t>'"
    waits = shell("waits", f"until [ -e {tmp_path}/ended ]; do sleep 0.05; done; {good}")
    first = replace(shell("first", f"{good}; touch {tmp_path}/first"), beside="waits")
    then = replace(shell("then", f"test -e {tmp_path}/first && touch {tmp_path}/ended; {good}"), beside="waits")
    as_if(monkeypatch, tmp_path, waits, first, then)
    assert main([]) == 0
    assert capfd.readouterr().out.splitlines()[-1] == "3 passed, 0 failed, 0 skipped"


def test_main__one_of_two_at_the_same_time_fails__nothing_more_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").touch()
    good = "echo '<t><testcase name=\"a\"/></t>'"
    bad = replace(shell("bad", "exit 3"), beside="one")
    as_if(monkeypatch, tmp_path, shell("one", good), bad, shell("after", f"touch {tmp_path}/ran"))
    assert main([]) == 1
    assert not (tmp_path / "ran").exists()
