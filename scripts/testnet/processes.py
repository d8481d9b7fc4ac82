"""Child processes that never outlive us: own session, a death signal, a guard, a log file each, an ordered end.

Three things end a child: we do, in order (TERM, then KILL to its whole process group); the kernel does, when this
process dies (PR_SET_PDEATHSIG); and the guard does, a small process that waits at a pipe of ours and, when the pipe
closes, ends every process group that it was told about. The guard is there for children of children, such as a
Celery worker's pool, which the kernel's signal does not reach.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import psutil

from protocol.errors import MallaError

PR_SET_PDEATHSIG = 1
GUARD = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
groups = {}
for line in sys.stdin:
    word, group = line.split()
    if word == "end":
        groups.pop(int(group), None)
    else:
        groups[int(group)] = getattr(signal, word)
def send(number=None):
    left = False
    for group, gentle in groups.items():
        try:
            os.killpg(group, gentle if number is None else number)
            left = True
        except ProcessLookupError:
            pass
    return left
end = time.monotonic() + 5
left = send()
while left and time.monotonic() < end:
    time.sleep(0.1)
    left = send(0)
send(signal.SIGKILL)
"""


class ProcessFailed(MallaError):
    """A process of ours ended, or did not become ready in time. The message carries the end of its log."""

    code = "process_failed"


@dataclass
class Process:
    """One running child; `log` is where its stdout and stderr go."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path
    stop_signal: signal.Signals

    @property
    def pid(self) -> int:
        return self.popen.pid

    def is_alive(self) -> bool:
        return self.popen.poll() is None

    def describe_failure(self, what: str, lines: int = 20) -> ProcessFailed:
        """The error for this process: what happened, how it ended, the last lines of its log."""
        code = self.popen.poll()
        if code is None:
            how = "it still runs"
        elif code < 0:
            how = f"ended by signal {signal.Signals(-code).name}"
        else:
            how = f"ended with status {code}"
        tail = read_tail(self.log, lines)
        return ProcessFailed(
            f"{self.name} {what} ({how}). The last lines of {self.log}:\n{tail}" if tail else
            f"{self.name} {what} ({how}); its log {self.log} is empty.",
            f"Read the whole log in {self.log}.",
        )


class Processes:
    """The children of one network. Use it as a context: leaving it ends every child, newest first.

    Start children from the thread that will live longest (the main one): the kernel sends the death signal when the
    *thread* that started a child ends.
    """

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.running: dict[str, Process] = {}
        self._guard: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop_all()

    def spawn(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        account: tuple[int, int] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> Process:
        """Starts `command` in a session of its own; its output is appended to `<logs>/<name>.log`.

        `account` is (uid, gid) to run as. `environment` replaces ours entirely when given.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{name}.log"
        with log.open("ab") as output:
            popen = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if environment is None else dict(environment),
                cwd=folder,
                start_new_session=True,
                preexec_fn=_die_with_parent(stop_signal),
                **({} if account is None else {"user": account[0], "group": account[1], "extra_groups": []}),
            )
        process = Process(name, popen, log, stop_signal)
        self._tell_guard(f"{stop_signal.name} {popen.pid}")
        with self._lock:
            self.running[name] = process
        return process

    def stop(self, names: Iterable[str], grace: float = 6.0) -> None:
        """Ends the named children together: their stop signal, `grace` seconds, then KILL to each whole group."""
        with self._lock:
            chosen = [self.running.pop(name) for name in list(names) if name in self.running]
        for process in chosen:
            _signal_group(process.pid, process.stop_signal)
        end = time.monotonic() + grace
        for process in chosen:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.popen.wait(max(0.0, end - time.monotonic()))
        for process in chosen:
            _signal_group(process.pid, signal.SIGKILL)
            process.popen.wait()
            self._tell_guard(f"end {process.pid}")

    def kill(self, name: str) -> None:
        """SIGKILL to one child and its whole group, without warning: what a crash looks like."""
        with self._lock:
            process = self.running.pop(name)
        _signal_group(process.pid, signal.SIGKILL)
        process.popen.wait()
        self._tell_guard(f"end {process.pid}")

    def stop_all(self, order: Sequence[Iterable[str]] = (), grace: float = 6.0) -> None:
        """Ends the groups of names in `order`, then all others newest first, then the guard."""
        for names in order:
            self.stop(names, grace)
        for name in reversed(list(self.running)):
            self.stop([name], grace)
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.close()
            self._guard.wait()
            self._guard = None

    def find_dead(self) -> Process | None:
        """A child that ended although nobody asked it to, or None."""
        return next((process for process in list(self.running.values()) if not process.is_alive()), None)

    def measure(self) -> tuple[int, int]:
        """(number of processes, bytes of memory) of all children and their children, ours not counted.

        Memory is the proportional set size where the kernel tells it, so that shared pages count once.
        """
        return measure_trees(process.pid for process in list(self.running.values()))

    def _tell_guard(self, line: str) -> None:
        if self._guard is None or self._guard.poll() is not None:
            self._guard = subprocess.Popen(
                [sys.executable, "-ISc", GUARD],
                stdin=subprocess.PIPE,
                text=True,
                start_new_session=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        assert self._guard.stdin is not None
        self._guard.stdin.write(line + "\n")
        self._guard.stdin.flush()


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


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner can read, from its first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


@contextlib.contextmanager
def own_or_share(family: Processes | None, folder: Path | None, name: str) -> Iterator[tuple[Processes, Path]]:
    """The children to start in, and the engine's folder: the caller's, or temporary ones that go with the context."""
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="malla-", ignore_cleanup_errors=True)))
            folder.chmod(0o711)  # PostgreSQL's account has to walk through it
        if family is not None:
            stack.callback(family.stop, [name])
            yield family, folder
        else:
            yield stack.enter_context(Processes(folder / "logs")), folder


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)


def _die_with_parent(number: signal.Signals) -> Callable[[], None]:
    """What a child does between fork and exec: ask for a signal at its parent's death, and see that it still lives."""
    libc = ctypes.CDLL(None, use_errno=True)
    prctl = getattr(libc, "prctl", None)  # Linux only; elsewhere the guard alone does it
    parent = os.getpid()

    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return prepare
