"""`malla provider start`: three processes, an ordered end, and an end of all when one ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from provider.cli.run import supervise
from scripts.testnet.watching import wait_until

ROOT = Path(__file__).resolve().parents[3]
SLEEPER = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99)"])
time.sleep(99)
"""
SUPERVISOR = """
import os, sys
from provider.cli.run import supervise
sleeper = [sys.executable, "-c", sys.argv[1]]
print(supervise({"worker": sleeper, "api": sleeper, "node": sleeper}, os.environ))
"""


def start() -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """A supervisor with its three children, each with a child of its own."""
    running = subprocess.Popen([sys.executable, "-c", SUPERVISOR, SLEEPER], cwd=ROOT, stdout=subprocess.PIPE, text=True,
                               start_new_session=True)
    family = psutil.Process(running.pid)
    assert wait_until(lambda: len(family.children(recursive=True)) == 6, 60)
    return running, family.children(recursive=True)


def is_gone(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def gone(processes: list[psutil.Process]) -> bool:
    return all(is_gone(one) for one in processes)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_start__told_to_end__ends_every_process_and_its_children(number: signal.Signals) -> None:
    running, family = start()
    running.send_signal(number)
    said, _ = running.communicate(timeout=60)
    assert (said.strip(), running.returncode) == ("None", 0)
    assert gone(family)


def test_start__one_process_ends__all_end_and_it_is_named() -> None:
    commands = {"worker": [sys.executable, "-c", SLEEPER], "node": [sys.executable, "-c", "raise SystemExit(3)"]}
    assert supervise(commands, os.environ) == "node (status 3)"


def test_start__supervisor_killed__its_processes_end() -> None:
    running, family = start()
    direct = [one for one in family if one.ppid() == running.pid]
    running.kill()
    running.wait(timeout=60)
    assert len(direct) == 3 and wait_until(lambda: gone(direct), 60)
    for one in family:
        with suppress(psutil.NoSuchProcess):
            one.kill()
