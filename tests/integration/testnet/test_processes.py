"""Children of ours: what ends them. Real processes, because the kernel's part is what matters."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from scripts.testnet.processes import Processes, ProcessFailed
from scripts.testnet.watching import read_tail, wait_until

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)",
]
# A child with a child of its own, like a Celery worker; both print their pids.
PARENT = [
    sys.executable,
    "-c",
    "import os, time; child = os.fork(); print('up', os.getpid(), flush=True); time.sleep(600)",
]


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_for(log: Path, word: str) -> None:
    assert wait_until(lambda: word in read_tail(log), 60), read_tail(log)


def test_stop__child_that_ignores_term__is_killed(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        child = processes.spawn("stubborn", STUBBORN)
        wait_for(child.log, "up")
        processes.stop(["stubborn"], grace=0.3)
        assert child.popen.returncode == -signal.SIGKILL


def test_stop__child_with_children__ends_the_whole_group(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        child = processes.spawn("parent", PARENT)
        wait_for(child.log, "up")
        family = [child.pid, *(one.pid for one in psutil.Process(child.pid).children(recursive=True))]
        processes.stop(["parent"])
    assert len(family) == 2
    assert wait_until(lambda: all(is_gone(pid) for pid in family), 60)


def test_leaving__after_an_error__ends_every_child(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Processes(tmp_path) as processes:
        pids = [processes.spawn(name, SLEEP).pid for name in ("one", "two")]
        raise ZeroDivisionError
    assert all(is_gone(pid) for pid in pids)


def test_find_dead__child_that_ended__is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        words = "print('\\n'.join(f'line {i}' for i in range(40))); raise SystemExit(7)"
        child = processes.spawn("short", [sys.executable, "-c", words])
        assert wait_until(lambda: processes.find_dead() is child, 60)
        failure = child.describe_failure("ended unexpectedly")
    assert isinstance(failure, ProcessFailed)
    assert "short ended unexpectedly (ended with status 7)" in failure.message
    assert "line 39" in failure.message and "line 20" in failure.message and "line 19" not in failure.message


def test_kill_minus_9__of_the_parent__leaves_no_process(tmp_path: Path) -> None:
    """Also not the grandchildren, and not a child that ignores TERM: that is the guard's work."""
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom scripts.testnet.processes import Processes\n"
        f"processes = Processes(Path({str(tmp_path)!r}))\n"
        f"for name, words in {{'sleep': {SLEEP!r}, 'stubborn': {STUBBORN!r}, 'parent': {PARENT!r}}}.items():\n"
        "    processes.spawn(name, words)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": os.getcwd()})
    try:
        for name in ("sleep", "stubborn", "parent"):
            wait_for(tmp_path / f"{name}.log", "up")
        family = [one.pid for one in psutil.Process(parent.pid).children(recursive=True)]
    finally:
        parent.kill()
        parent.wait()
    assert len(family) == 5  # three children, one grandchild, the guard
    assert wait_until(lambda: all(is_gone(pid) for pid in family), 60), [pid for pid in family if not is_gone(pid)]


def test_spawn__environment__is_exactly_what_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_OURS", "1")
    with Processes(tmp_path) as processes:
        words = "import os; print(sorted(name for name in os.environ if name in ('SECRET_OF_OURS', 'GIVEN')))"
        child = processes.spawn("env", [sys.executable, "-c", words], environment={"GIVEN": "1"})
        child.popen.wait(20)
        assert read_tail(child.log) == "['GIVEN']"


def test_measure__running_children__counts_them_and_their_memory(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        child = processes.spawn("parent", PARENT)
        wait_for(child.log, "up")
        count, memory = processes.measure()
    assert count == 2
    assert memory > 1_000_000
