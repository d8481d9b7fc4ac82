"""The process that works is told to end by its parent alone, also when somebody signals the whole group."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import os, signal, time
from provider.worker_process import keep_running

fork = os.fork

def fork_late():
    child = fork()
    for _ in range(200 if child else 0):
        if asked in signal.sigpending():
            break
        time.sleep(0.01)
    return child

def work():
    signal.pthread_sigmask(signal.SIG_BLOCK, [asked])
    print("ready", flush=True)
    print("told by", signal.sigwaitinfo([asked]).si_pid, flush=True)

asked = signal.{name}
os.fork = {fork}
keep_running(work)
"""


@pytest.mark.parametrize("fork", ["fork", "fork_late"])
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_keep_running__group_is_signalled__tells_its_child_once(name: str, fork: str) -> None:
    """Told a second time in the midst of ending, a worker may never come to its end; nor may it if it is not told at
    all, because it worked before its parent came back from the fork."""
    process = subprocess.Popen([sys.executable, "-c", PROGRAM.format(name=name, fork=fork)], cwd=ROOT,
                               stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        os.killpg(process.pid, getattr(signal, name))
        said, _ = process.communicate(timeout=60)
        assert (said, process.returncode) == (f"told by {process.pid}\n", 0)
    finally:
        process.kill()
        process.wait()
