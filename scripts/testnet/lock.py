"""One supervisor a network: a lock file with its pid, which the kernel frees however that process ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from protocol.errors import MallaError


class AlreadyRunning(MallaError):
    """Another supervisor holds the network's folder."""

    code = "already_running"


class Lock:
    """Held while a network of `folder` runs: `with Lock(folder): …`. Raises AlreadyRunning naming the holder's pid."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lock"
        self._handle: int | None = None

    def __enter__(self) -> Lock:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(handle, 32, 0).decode().strip() or "unknown"
            os.close(handle)
            raise AlreadyRunning(
                f"A network runs in {self.path.parent} already: its supervisor is process {pid}.",
                "Stop it first (`malla testnet down`, or Ctrl-C where it runs).",
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._handle = handle
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            os.ftruncate(self._handle, 0)
            os.close(self._handle)
            self._handle = None


def find_holder(folder: Path) -> int | None:
    """The pid of the supervisor that runs this folder's network now, or None."""
    path = folder / "lock"
    if not path.exists():
        return None
    with path.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = file.read().strip()
            return int(text) if text.isdigit() else None
    return None
