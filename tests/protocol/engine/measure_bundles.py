"""Reads each bundle below a folder in a process of its own and tells what it said, took and touched, as JSON.

`python -m tests.protocol.engine.measure_bundles ROOT`: ROOT/<name>/bundle is read with ROOT/<name>/cache beside it.
A process forked for each bundle gives its own peak of memory, and a bomb takes only that process with it.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

# The engine imports these when it first needs them: now, so that no import counts as what a bundle took or wrote.
import gguf.quants  # noqa: F401
import safetensors.numpy  # noqa: F401

from protocol.engine.bundle import read_bundle
from protocol.engine.weights import prepare_model
from protocol.errors import MallaError

ADDRESS_SPACE = 4 << 30
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.chown", "os.link", "os.symlink",
           "os.truncate", "os.utime", "shutil.rmtree", "shutil.move", "shutil.copyfile")  # fmt: skip
NEVER = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect", "socket.bind",
         "ctypes.dlopen", "pickle.find_class")  # fmt: skip


def watch(cache: Path, seen: list[str]) -> None:
    """Note every change of a file outside the cache, and every program and connection, that Python is asked for."""

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event in NEVER:
            seen.append(f"{event} {str(arguments)[:200]}")
        if event == "open":
            flags = arguments[2] if isinstance(arguments[2], int) else 0
            changes = bool(flags & WRITES)
        else:
            changes = event in CHANGES
        # What is named within an open folder belongs to a removal of that folder, which was noted before.
        within = event in ("os.remove", "os.rmdir") and arguments[1] != -1
        # A descriptor instead of a path belongs to a file that was opened, and noted, before.
        if changes and not within and isinstance(arguments[0], str | bytes | os.PathLike):
            path = Path(os.path.abspath(os.fsdecode(arguments[0])))
            if not path.is_relative_to(cache):
                seen.append(f"{event} {path}")

    sys.addaudithook(note)


def read_resident() -> int:
    """Bytes in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def read_one(home: Path) -> dict[str, Any]:
    """Read and prepare one bundle; what happened."""
    cache, seen = home / "cache", list[str]()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    before, start, began = read_resident(), time.monotonic(), time.process_time()
    watch(cache, seen)
    said = {"kind": "loaded", "ours": False, "message": ""}
    try:
        bundle = read_bundle(home / "bundle", cache)
        prepare_model(bundle.manifest, cache, bundle.weights)
    except Exception as error:  # noqa: BLE001 - whatever it is, the test has to see its name
        said = {"kind": type(error).__name__, "ours": isinstance(error, MallaError), "message": str(error)}
    seconds, worked = time.monotonic() - start, time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {**said, "seconds": seconds, "worked": worked, "growth": max(0, peak - before), "touched": seen}


def fork_and_read(home: Path) -> dict[str, Any]:
    """`read_one` in a child; a child that dies says so by its status."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with os.fdopen(writing, "w") as answer:
            json.dump(read_one(home), answer)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    status = os.waitpid(child, 0)[1]
    return json.loads(text) if text else {"kind": f"died with status {status}"}


def main(root: Path) -> None:
    """One JSON object, by the bundles' names."""
    json.dump({home.name: fork_and_read(home) for home in sorted(root.iterdir())}, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
