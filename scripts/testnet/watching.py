"""Looking at processes from outside: the end of a log, the memory of a tree, a condition that comes true."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil


def read_tail(path: Path, lines: int = 20) -> str:
    """The last `lines` lines of a text file, at most 64 KiB of it; empty when it is not there."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 65_536))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def measure_trees(pids: Iterable[int]) -> tuple[int, int]:
    """(number of processes, bytes of proportional memory) of these processes and all their descendants."""
    found: dict[int, psutil.Process] = {}
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            root = psutil.Process(pid)
            found |= {process.pid: process for process in (root, *root.children(recursive=True))}
    memory = 0
    for process in found.values():
        with contextlib.suppress(psutil.Error):
            full = process.memory_full_info()
            memory += getattr(full, "pss", 0) or full.rss
    return len(found), memory


def wait_until(condition: Callable[[], bool], timeout: float, step: float = 0.1) -> bool:
    """Polls `condition` every `step` seconds; False when it is still false after `timeout` seconds."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(step)
    return True
