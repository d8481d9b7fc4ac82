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
import sys
from pathlib import Path

if __package__ in (None, ""):  # run by its path: the clone is not on the path yet
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from protocol.errors import MallaError, file_error
from protocol.units import in_tokens
from requester import Client, Progress
from requester.batch_files import Tally, ask_all, keep_whole_rows, read_questions, results_beside
from requester.errors import WaitTimeout, exit_code
from requester.flow.batch import Line, failure_row, read_lines, result_row
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
    text = read_questions(options.questions)
    results = results_beside(options.questions, options.results or options.output)
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


def say(options: argparse.Namespace, text: str, fields: dict[str, object] | None = None) -> None:
    print(json.dumps({"event": "batch", "text": text, **(fields or {})}) if options.json else text, flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
