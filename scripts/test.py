"""Runs all tests and ends with one line: `N passed, N failed, N skipped`.

The runners cannot share a process: Brownie's plugin takes over every pytest that loads it, and Forge is a program
of its own. The unit tests begin with those that wait for chains and processes, and Brownie computes beside them; they
end with those that compute, and the end-to-end tests wait beside them. What these two print follows when they are
done. After a failure nothing more is begun. No test at all is a failure.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
REPORTS = ROOT / "var" / "test"
QUIET = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
LAST_CHANCE_S = 20
RUNNING: set[subprocess.Popen[str]] = set()


@dataclass(frozen=True)
class Counts:
    """What a runner reported; an error while a test is set up counts as failed."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


@dataclass(frozen=True)
class Runner:
    """One command, the files that it finds its tests in, and how long it may take."""

    name: str
    command: tuple[str, ...]
    tests: str
    limit_s: int
    report_on_stdout: bool = False
    beside: str = ""
    """The runner at whose side it runs; those beside the same one run one after the other."""

    def has_tests(self) -> bool:
        return any(ROOT.glob(self.tests))


def runners() -> tuple[Runner, ...]:
    pytest = (str(BIN / "python"), "-m", "pytest", "-p", "no:pytest-brownie", "-q", "-rfE")
    apart = ("--ignore=tests/contracts", "--ignore=tests/e2e", "-m", "not weakened")
    # Without the optimizer it compiles in a third of the time; Brownie tests the code that is deployed.
    forge = ("env", "FOUNDRY_OPTIMIZER=false", str(BIN / "forge"), "test", "--junit")
    return (
        Runner("forge", forge, "tests/invariants/*.t.sol", 1_200, True),
        Runner("unit", (*pytest, "tests", *apart), "tests/**/test_*.py", 2_400),
        Runner("brownie", (str(BIN / "brownie"), "test"), "tests/contracts/**/test_*.py", 2_400, beside="unit"),
        Runner("e2e", (*pytest, "tests/e2e"), "tests/e2e/**/test_*.py", 2_400, beside="unit"),
    )


def counts_in(report: Path) -> Counts:
    """Adds up the test cases of a junit file; none when there is no such file or it is cut off."""
    try:
        cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return Counts()
    failed = sum(case.find("failure") is not None or case.find("error") is not None for case in cases)
    skipped = sum(case.find("skipped") is not None for case in cases)
    return Counts(len(cases) - failed - skipped, failed, skipped)


def end(process: subprocess.Popen[str]) -> None:
    """Ends a runner with everything that it started: politely, then by force."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(LAST_CHANCE_S)
            return
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def run(runner: Runner, more: list[str]) -> tuple[int, Counts]:
    """Runs one runner with its output on our own; returns its exit status and what it counted."""
    report = REPORTS / f"{runner.name}.xml"
    report.unlink(missing_ok=True)
    command = [*runner.command, *more]
    if not runner.report_on_stdout:
        command.append(f"--junitxml={report}")
    stdout = subprocess.PIPE if runner.report_on_stdout or runner.beside else None
    stderr = subprocess.STDOUT if runner.beside else None
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | QUIET, stdout=stdout, stderr=stderr, text=True, start_new_session=True
    )
    RUNNING.add(process)
    try:
        output, _ = process.communicate(timeout=runner.limit_s)
    except subprocess.TimeoutExpired:
        end(process)
        print(f"{runner.name}: not done after {runner.limit_s} s, ended", flush=True)
        return 124, counts_in(report)
    finally:
        RUNNING.discard(process)
    if runner.beside:
        print(output, flush=True)
    if runner.report_on_stdout:
        report.write_text(output[max(output.find("<?xml"), 0) :])
        show(report, output)
    return process.returncode, counts_in(report)


def show(report: Path, output: str) -> None:
    """Prints what a junit report says, one line a suite and each failure; the raw output when there is no report."""
    try:
        suites = list(ElementTree.parse(report).getroot().iter("testsuite"))
    except ElementTree.ParseError:
        print(output, flush=True)
        return
    for suite in suites:
        failed = [case for case in suite.iter("testcase") if case.find("failure") is not None]
        print(f"  {suite.get('name')}: {suite.get('tests')} tests, {len(failed)} failed", flush=True)
        for case in failed:
            failure = case.find("failure")
            words = "" if failure is None else failure.get("message") or failure.text or ""
            print(f"    FAILED {case.get('name')}: {words.strip()}\n{case.findtext('system-out') or ''}", flush=True)


Lane = list[Runner]
"""Runners that run one after the other."""


def stages(chosen: list[Runner]) -> list[list[Lane]]:
    """The runners that have tests, in lanes that run at the same time."""
    found: list[list[Lane]] = []
    for runner in chosen:
        if not runner.has_tests():
            print(f"== {runner.name}: nothing at {runner.tests} yet", flush=True)
        elif found and runner.beside == found[-1][0][0].name:
            if len(found[-1]) == 1:
                found[-1].append([])
            found[-1][1].append(runner)
        else:
            found.append([[runner]])
    return found


def run_and_tell(runner: Runner, more: list[str]) -> tuple[int, Counts]:
    """Runs one runner and says how it ended; returns its status, never 0 after a failed test."""
    print(f"== {runner.name}: {' '.join(Path(word).name for word in runner.command[:4])}", flush=True)
    started = time.monotonic()
    status, counts = run(runner, more)
    print(f"== {runner.name}: {counts} in {time.monotonic() - started:.0f} s", flush=True)
    return status or int(counts.failed > 0), counts


def run_lane(lane: Lane, more: list[str]) -> tuple[int, Counts]:
    """One runner after the other, until one fails."""
    status, total = 0, Counts()
    for runner in lane:
        if not status:
            status, counts = run_and_tell(runner, more)
            total += counts
    return status, total


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="scripts/test.py", description=__doc__)
    parser.add_argument("--only", choices=[runner.name for runner in runners()], help="run one runner only")
    parser.add_argument("more", nargs="*", help="further arguments for the runner named by --only, after `--`")
    options = parser.parse_args(arguments)
    # A runner has a session of its own: ended politely, we must end it too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if options.more and not options.only:
        parser.error("further arguments need --only: the runners do not understand each other's")
    REPORTS.mkdir(parents=True, exist_ok=True)
    chosen = [runner for runner in runners() if options.only in (None, runner.name)]
    total, status = Counts(), 0
    for stage in stages(chosen):
        with ThreadPoolExecutor(len(stage)) as pool:
            try:
                ended = list(pool.map(lambda lane: run_lane(lane, options.more), stage))
            except KeyboardInterrupt:
                for process in list(RUNNING):
                    end(process)
                raise
        total = sum((counts for _, counts in ended), total)
        status = next((one for one, _ in ended if one), 0)
        if status:
            print(f"== ended with {status}; what comes after it was not run", flush=True)
            break
    if not status and total == Counts():
        print("== no test was run, and that is a failure", flush=True)
        status = 1
    sys.stderr.flush()
    print(total, flush=True)
    return 1 if status else 0


if __name__ == "__main__":
    raise SystemExit(main())
