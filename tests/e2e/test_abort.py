"""However the supervisor ends, nothing of its network stays: a kill, Ctrl-C, a failure in the middle of the start."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from scripts.testnet.lock import find_holder
from scripts.testnet.watching import wait_until

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="supervised-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def start(folder: Path) -> subprocess.Popen[bytes]:
    """The demo, which is the supervisor of its own network."""
    with (folder / "output").open("wb") as output:
        command = [sys.executable, "-m", "scripts.demo", "--folder", str(folder)]
        return subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)


def descendants(pid: int) -> set[int]:
    return {one.pid for one in psutil.Process(pid).children(recursive=True)}


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_supervisor__ended_while_workers_load__leaves_no_process(
    folder: Path, number: signal.Signals, status: int
) -> None:
    supervisor = start(folder)
    worker = folder / "network" / "logs" / "provider-3-worker.log"
    try:
        assert wait_until(worker.exists, 90), (folder / "output").read_text()
        family = descendants(supervisor.pid)
        assert len(family) > 15  # engines, the guard, seven workers
        supervisor.send_signal(number)
        assert supervisor.wait(40) == status
    finally:
        supervisor.kill()
        supervisor.wait()
    assert wait_until(lambda: all(is_gone(pid) for pid in family), 20), [pid for pid in family if not is_gone(pid)]
    assert find_holder(folder) is None


def test_supervisor__engine_that_dies_during_the_start__is_named_and_nothing_stays(folder: Path) -> None:
    supervisor = start(folder)
    try:
        assert wait_until((folder / "network" / "logs" / "provider-3-worker.log").exists, 90)
        family = descendants(supervisor.pid)
        anvil = next(pid for pid in family if "anvil" in psutil.Process(pid).name())
        os.kill(anvil, signal.SIGKILL)
        assert supervisor.wait(60) == 1
    finally:
        supervisor.kill()
        supervisor.wait()
    assert "The demo failed: anvil ended unexpectedly (ended by signal SIGKILL)" in (folder / "output").read_text()
    assert wait_until(lambda: all(is_gone(pid) for pid in family), 20), [pid for pid in family if not is_gone(pid)]
