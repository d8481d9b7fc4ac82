"""However the supervisor ends, nothing of its network stays: a kill, Ctrl-C, a failure in the middle of the start."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from scripts.testnet.lock import find_holder
from scripts.testnet.watching import wait_until

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300.0
"""Seconds: nothing here is about how fast a busy machine is."""


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


def child_named(name: str, parent: int) -> int:
    for one in psutil.Process(parent).children():
        with suppress(psutil.NoSuchProcess):  # a step of the start that ended this moment
            if one.name() == name:
                return one.pid
    raise AssertionError(f"{parent} has no child {name}")


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_for_workers(supervisor: subprocess.Popen[bytes], folder: Path) -> None:
    """Until the last of them was started; a supervisor that ended before shows what it wrote."""
    log = folder / "network" / "logs" / "provider-3-worker.log"
    assert wait_until(lambda: log.exists() or supervisor.poll() is not None, PATIENCE)
    assert supervisor.poll() is None, (folder / "output").read_text()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_supervisor__ended_while_workers_load__leaves_no_process(
    folder: Path, number: signal.Signals, status: int
) -> None:
    supervisor = start(folder)
    try:
        wait_for_workers(supervisor, folder)
        family = descendants(supervisor.pid)
        assert len(family) > 15  # engines, the guard, seven workers
        supervisor.send_signal(number)
        assert supervisor.wait(PATIENCE) == status
    finally:
        supervisor.kill()
        supervisor.wait()
    assert wait_until(lambda: all(map(is_gone, family)), PATIENCE), [pid for pid in family if not is_gone(pid)]
    assert find_holder(folder) is None


def test_supervisor__engine_that_dies_during_the_start__is_named_and_nothing_stays(folder: Path) -> None:
    supervisor = start(folder)
    try:
        wait_for_workers(supervisor, folder)
        family = descendants(supervisor.pid)
        os.kill(child_named("anvil", supervisor.pid), signal.SIGKILL)
        assert supervisor.wait(PATIENCE) == 1
    finally:
        supervisor.kill()
        supervisor.wait()
    assert "The demo failed: anvil ended unexpectedly (ended by signal SIGKILL)" in (folder / "output").read_text()
    assert wait_until(lambda: all(map(is_gone, family)), PATIENCE), [pid for pid in family if not is_gone(pid)]
