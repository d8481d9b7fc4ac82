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


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_keep_running__group_is_signalled__tells_its_child_once(name: str) -> None:
    """Told a second time in the midst of ending, a worker may never come to its end."""
    process = subprocess.Popen([sys.executable, "-c", PROGRAM.format(name=name)], cwd=ROOT, stdout=subprocess.PIPE,
                               text=True, start_new_session=True)
    assert process.stdout is not None
    with process.stdout as said:
        try:
            assert said.readline() == "ready\n"
            os.killpg(process.pid, getattr(signal, name))
            assert said.readline() == f"told by {process.pid}\n"
            assert process.wait(10) == 0
        finally:
            process.kill()
