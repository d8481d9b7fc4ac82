"""Ask every line of a JSON-lines file and write one result a line.

    python scripts/request_batch.py questions.jsonl --results answers.jsonl
    brownie run scripts/request_batch.py main questions.jsonl answers.jsonl --network malla

A line is {"prompt": "…"} or {"messages": [{"role": "user", "content": "…"}]}, with id, max_tokens, max_price (MALLA),
model, provider, deadline (seconds) and seed if you like. Interrupted, it goes on where it was when you run it again:
lines with a result are skipped, jobs that were opened are taken up. A line that failed has its reason in the results;
remove that row to ask it again. The results are in the order in which jobs end.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TextIO

if __package__ in (None, ""):  # run by its path: the clone is not on the path yet
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from protocol.errors import BadInput, ConfigInvalid, MallaError, file_error
from protocol.units import in_tokens
from requester import Client, Progress
from requester.errors import WaitTimeout, exit_code
from requester.flow.batch import Line, answered_keys, complete_rows, failure_row, read_lines, result_row
from requester.terminal import describe_error, describe_progress
from scripts.request_options import add_options, connect, job_options

ROOM_WAIT = 900.0
"""Seconds that a line waits for a provider with room: a batch is longer than any provider's queue."""


def main(*args: str) -> int:
    """Exit status 0: every line has a settled job; 1: a line failed or was refunded; else as of request_job."""
    options = parse(args)
    try:
        return run(options)
    except (MallaError, OSError) as caught:
        error = caught if isinstance(caught, MallaError) else file_error(caught)
        print(describe_error(error, options.json), file=sys.stdout if options.json else sys.stderr, flush=True)
        return exit_code(error)


def parse(args: tuple[str, ...]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="request_batch", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", type=Path, help="JSON lines, one job each")
    parser.add_argument("output", nargs="?", type=Path, help="the results, the same as --results")
    parser.add_argument("--results", type=Path, help="JSON lines (QUESTIONS with .results.jsonl)")
    parser.add_argument("--parallel", type=int, default=8, help="jobs at once (8)")
    add_options(parser)
    return parser.parse_args(args)


def run(options: argparse.Namespace) -> int:
    try:
        text = options.questions.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise ConfigInvalid(f"{options.questions} cannot be read: {reason}.", "Name a file of JSON lines.") from error
    results: Path = options.results or options.output or options.questions.with_suffix(".results.jsonl")
    if results.resolve() == options.questions.resolve():
        raise BadInput(f"{results} is the file of questions.", "Name another file for the results.")
    lines = read_lines(text, str(results.resolve()), job_options(options))
    done = keep_whole_rows(results)
    waiting = [line for line in lines if line.key not in done]
    say(options, f"{len(lines)} lines, {len(lines) - len(waiting)} of them have a result in {results}")
    if not waiting:
        return 0
    client = connect(options)
    with results.open("a", encoding="utf-8") as stream:
        tally = Tally(stream, len(waiting), lambda text: say(options, text))
        known = client.labels()
        ask_all(waiting, lambda line: ask(line, known.get(line.label), client, tally, options), options.parallel)
    say(options, tally.describe())
    return 0 if tally.settled == len(waiting) else 1


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


def ask(line: Line, begun: str | None, client: Client, tally: Tally, options: argparse.Namespace) -> None:
    """One line, to its end; whatever happens becomes its row, except a wait that ended: that is taken up next time."""

    def report(progress: Progress) -> None:
        say(options, f"line {line.number}: {describe_progress(progress, False)}", dict(line=line.number))

    try:
        if line.error is not None:
            raise line.error
        job_id = begun or client.submit(
            line.messages, label=line.label, room_wait=ROOM_WAIT, on_progress=report, **line.options)
        result = client.wait(job_id, on_progress=report)
    except WaitTimeout as error:
        tally.postpone(line, error)
    except MallaError as error:
        tally.add(line, failure_row(line, error), False, f"{error.message} {error.fix}".rstrip())
    else:
        said = f"{result.state}, paid {in_tokens(result.paid)} MALLA" + (f": {result.reason}" if result.reason else "")
        tally.add(line, result_row(line, result), result.state == "SETTLED", said, result.paid)


class Tally:
    """Writes the rows, each whole and on disk before it counts; used by all threads."""

    def __init__(self, stream: TextIO, total: int, tell: Callable[[str], None]) -> None:
        self._stream, self._total, self._tell = stream, total, tell
        self._lock = threading.Lock()
        self.settled, self._ended, self._paid = 0, 0, 0

    def add(self, line: Line, row: str, settled: bool, said: str, paid: int = 0) -> None:
        with self._lock:
            self._stream.write(row + "\n")
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._ended, self.settled, self._paid = self._ended + 1, self.settled + settled, self._paid + paid
            self._tell(f"[{self._ended}/{self._total}] line {line.number}: {said}")

    def postpone(self, line: Line, error: WaitTimeout) -> None:
        with self._lock:
            self._tell(f"line {line.number}: {error.message} Run the same command again to go on.")

    def describe(self) -> str:
        return (f"{self.settled} settled, {self._ended - self.settled} failed or refunded, "
                f"{self._total - self._ended} open; paid {in_tokens(self._paid)} MALLA")


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


def say(options: argparse.Namespace, text: str, fields: dict[str, object] | None = None) -> None:
    print(json.dumps({"event": "batch", "text": text, **(fields or {})}) if options.json else text, flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
