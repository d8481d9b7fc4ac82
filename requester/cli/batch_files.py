"""The files of a batch, and its threads: tasks in, one whole row of results for each line that ended."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TextIO

from protocol.errors import BadInput, ConfigInvalid, MallaError
from protocol.units import in_tokens
from requester.flow.batch import Line, answered_keys, complete_rows


def read_tasks(path: Path) -> str:
    """Errors: ConfigInvalid for a file that is not there or is no text."""
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise ConfigInvalid(f"{path} cannot be read: {reason}.", "Name a file of JSON lines.") from error


def results_beside(tasks: Path, named: Path | None) -> Path:
    """Where the results go. Errors: BadInput when that is the file of tasks."""
    results = named or tasks.with_suffix(".results.jsonl")
    if results.resolve() == tasks.resolve():
        raise BadInput(f"{results} is the file of tasks.", "Name another file for the results.")
    return results


def ask_all(lines: list[Line], ask_one: Callable[[Line], None], parallel: int) -> None:
    """Ask every line, `parallel` at once. Ctrl-C ends the process: what runs is on disk and is taken up next time."""
    pool = ThreadPoolExecutor(max(1, parallel))
    try:
        for future in [pool.submit(ask_one, line) for line in lines]:
            future.result()
    except KeyboardInterrupt:
        print("Interrupted. Run the same command again: open jobs are taken up.", file=sys.stderr, flush=True)
        os._exit(130)  # the threads wait for the chain and would hold the process for minutes
    pool.shutdown()


class Tally:
    """Writes the rows, each whole and on disk before it counts; used by all threads."""

    def __init__(self, stream: TextIO, total: int, tell: Callable[[str], None]) -> None:
        self._stream, self._total, self._tell = stream, total, tell
        self._lock = threading.Lock()
        self.settled, self.ended, self.paid = 0, 0, 0

    def add(self, line: Line, row: str, settled: bool, said: str, paid: int = 0) -> None:
        with self._lock:
            self._stream.write(row + "\n")
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self.ended, self.settled, self.paid = self.ended + 1, self.settled + settled, self.paid + paid
            self._tell(f"[{self.ended}/{self._total}] line {line.number}: {said}")

    def postpone(self, line: Line, error: MallaError) -> None:
        with self._lock:
            self._tell(f"line {line.number}: {error.message} Run the same command again to go on.")

    def describe(self) -> str:
        return (f"{self.settled} settled, {self.ended - self.settled} failed or refunded, "
                f"{self._total - self.ended} open; paid {in_tokens(self.paid)} MALLA")


def keep_whole_rows(results: Path) -> set[str]:
    """The keys with a result; a row that a crash cut off is removed, so that the next row begins a line."""
    if not results.exists():
        return set()
    text = results.read_bytes().decode("utf-8", errors="replace")  # as it is: read_text would alter line ends
    rows = list(complete_rows(text))
    whole = "".join(f"{row}\n" for row in rows)
    if whole != text:
        unfinished = results.with_name(results.name + ".tmp")
        unfinished.write_bytes(whole.encode("utf-8"))
        unfinished.replace(results)
    return answered_keys(rows)
