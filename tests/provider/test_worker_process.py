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
import os, signal
from provider.worker_process import keep_running

def work():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.{name}])
    print("ready", flush=True)
    print("told by", signal.sigwaitinfo([signal.{name}]).si_pid, flush=True)

keep_running(work)
"""


EARLY = """
import os, signal
from provider.worker_process import keep_running

def fork(real=os.fork):
    child = real()
    if child:
        os.kill(os.getpid(), signal.SIGTERM)
    return child

os.fork = fork
keep_running(signal.pause)
"""


def test_keep_running__told_to_end_before_it_knows_its_child__tells_it() -> None:
    """Told to nobody, the signal would leave both processes there for ever."""
    process = subprocess.Popen([sys.executable, "-c", EARLY], cwd=ROOT, start_new_session=True)
    try:
        assert process.wait(60) == 0
    finally:
        process.kill()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_keep_running__group_is_signalled__tells_its_child_once(name: str) -> None:
    """Told a second time in the midst of ending, a worker may never come to its end."""
    process = subprocess.Popen([sys.executable, "-c", PROGRAM.format(name=name)], cwd=ROOT, stdout=subprocess.PIPE,
                               text=True, start_new_session=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        os.killpg(process.pid, getattr(signal, name))
        said, _ = process.communicate(timeout=60)
        assert (said, process.returncode) == (f"told by {process.pid}\n", 0)
    finally:
        process.kill()
        process.stdout.close()
