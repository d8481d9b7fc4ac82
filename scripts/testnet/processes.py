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

from protocol.errors import MallaError
from scripts.testnet.watching import measure_trees, read_tail

PR_SET_PDEATHSIG = 1
GUARD = Path(__file__).parent / "guard.py"


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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
                user=None if account is None else account[0],
                group=None if account is None else account[1],
                extra_groups=None if account is None else [],
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

    def stop_all(self, grace: float = 6.0) -> None:
        """Ends every child that is left, newest first, then the guard."""
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
                [sys.executable, "-IS", str(GUARD)],
                stdin=subprocess.PIPE,
                text=True,
                start_new_session=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        assert self._guard.stdin is not None
        self._guard.stdin.write(line + "\n")
        self._guard.stdin.flush()


@contextlib.contextmanager
def own_or_share(
    family: Processes | None, folder: Path | None, name: str, grace: float = 6.0
) -> Iterator[tuple[Processes, Path]]:
    """The children to start in, and the engine's folder: the caller's, or temporary ones that go with the context."""
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="malla-", ignore_cleanup_errors=True)))
            folder.chmod(0o711)  # PostgreSQL's account has to walk through it
        if family is not None:
            stack.callback(family.stop, [name], grace)
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
