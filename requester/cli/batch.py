"""`malla request batch run tasks.jsonl`: many jobs over many providers, taken up again where it was interrupted."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from protocol.errors import MallaError, Reason, Refused
from protocol.units import from_tokens, in_tokens
from requester.cli.batch_files import Tally, ask_all, keep_whole_rows, read_tasks, results_beside
from requester.cli.terminal import describe_progress, speaking
from requester.client import Client
from requester.flow.batch import Line, failure_row, read_lines, result_row
from requester.flow.spreading import GOES_ON, SETTLED, Outcome, Shares, ask_line, most_of
from requester.records.jobs import Progress

ROOM_WAIT = 900.0
"""Seconds that a line waits for a provider with room: a batch is longer than any provider's queue."""

app = typer.Typer(no_args_is_help=True, help="Many jobs from a file of JSON lines.")


@app.callback()
def batch() -> None:
    """Many jobs from a file of JSON lines."""


@app.command("run")
def run(
    context: typer.Context,
    tasks: Annotated[Path, typer.Argument(help='JSON lines: {"prompt": "…"} or {"messages": […]}, with id, max_tokens, '
                                               "max_price, model, provider, deadline and seed if you like.")],
    results: Annotated[Path | None, typer.Option(help="JSON lines, one for each that ended (TASKS with "
                                                      ".results.jsonl).")] = None,
    spread: Annotated[float | None, typer.Option(min=0, max=100, metavar="PERCENT",
                                                 help="No provider sees more than this share of the documents; "
                                                      "without it each goes to the best offer.")] = None,
    attempts: Annotated[int, typer.Option(min=1, max=16, help="Providers that are asked for a line before it is "
                                                              "reported as failed.")] = 3,
    parallel: Annotated[int, typer.Option(min=1, max=256, help="Jobs at once.")] = 8,
    max_tokens: Annotated[int, typer.Option(min=1, help="Most output tokens, unless a line says otherwise.")] = 64,
    max_price: Annotated[str | None, typer.Option(metavar="MALLA", help="Most that a job may cost.")] = None,
    model: Annotated[str | None, typer.Option(help="Name or digest of the model.")] = None,
    provider: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Ask this provider and no other.")] = None,
    deadline: Annotated[int | None, typer.Option(min=1, metavar="SECONDS", help="Until it must be committed.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object at the end, and nothing else.")] = False,
) -> None:
    """Ask every line; one that failed is asked elsewhere, then reported.

    Run it again after an interruption: lines with a result are skipped, open jobs are taken up, and what a provider saw
    before counts. Remove a failed row to ask that line again; the rows are in the order in which jobs end. Exit status
    0 if every line was settled, 1 if not, else that of the error.
    """
    with speaking(as_json) as say:
        text, target = read_tasks(tasks), results_beside(tasks, results)
        wanted = {"model": model, "provider": provider, "duration": deadline,
                  "max_price": None if max_price is None else from_tokens(max_price)}
        defaults: dict[str, Any] = {"max_tokens": max_tokens}
        defaults |= {name: value for name, value in wanted.items() if value is not None}
        lines = read_lines(text, str(target.resolve()), defaults)
        done = keep_whole_rows(target)
        waiting = [line for line in lines if line.key not in done]
        if not waiting:
            say.out({"lines": len(lines), "settled": 0, "failed": 0, "open": 0, "results": str(target)},
                    f"All {len(lines)} lines have a result in {target}.")
            return
        client: Client = context.obj.connect()
        tally = _ask_all(client, lines, waiting, target, spread, attempts, parallel, as_json)
        say.out({"lines": len(lines), "settled": tally.settled, "failed": tally.ended - tally.settled,
                 "open": len(waiting) - tally.ended, "paid": str(tally.paid), "results": str(target)}, tally.describe())
    if tally.settled != len(waiting):
        raise typer.Exit(1)


def _ask_all(client: Client, lines: list[Line], waiting: list[Line], target: Path, spread: float | None, attempts: int,
             parallel: int, as_json: bool) -> Tally:
    known = client.labels()
    shares = Shares() if spread is None else Shares(most_of(len(lines), spread, len(_sellers(client, waiting))))
    own = {f"{line.label}{again}" for line in lines for again in ("", *(f"@{n}" for n in range(2, attempts + 1)))}
    for label in own & known.keys():  # what an earlier run showed, also of lines that have their result
        shares.note(client.result(known[label]).provider)
    with ExitStack() as stack:
        stream = stack.enter_context(target.open("a", encoding="utf-8"))
        told: Callable[[str], None] = (lambda text: None) if as_json else typer.echo
        advance: Callable[[], None] = lambda: None  # noqa: E731 - replaced by the bar's where somebody sees it
        if sys.stderr.isatty() and not as_json:
            bar = stack.enter_context(typer.progressbar(length=len(waiting), label="lines", file=sys.stderr))
            told, advance = (lambda text: None), lambda: bar.update(1)
        tally = Tally(stream, len(waiting), told)

        def ask(line: Line) -> None:
            def report(progress: Progress) -> None:
                told(f"line {line.number}: {describe_progress(progress, False)}")

            try:
                _tell(tally, line, ask_line(line, client, shares, known, attempts, ROOM_WAIT, report))
            except GOES_ON as away:
                return tally.postpone(line, away)
            except MallaError as failed:
                _tell(tally, line, Outcome(None, failed, ()))
            advance()

        ask_all(waiting, ask, parallel)
    return tally


def _sellers(client: Client, lines: list[Line]) -> set[str]:
    """Who offers what the lines ask for. A model that nobody knows has no seller: its lines are reported one by one."""
    found: set[str] = set()
    for model in {line.options.get("model") for line in lines if line.error is None}:
        try:
            found |= set(client.sellers(model))
        except Refused as refusal:
            if refusal.reason is not Reason.UNKNOWN_MODEL:
                raise
    return found


def _tell(tally: Tally, line: Line, outcome: Outcome) -> None:
    found, error = outcome.result, outcome.error
    if found is None:
        failed = error or MallaError("The line was asked of nobody.")
        tally.add(line, failure_row(line, failed), False, f"{failed.message} {failed.fix}".rstrip())
        return
    said = f"{found.state}, paid {in_tokens(found.paid)} MALLA"
    said += f": {found.reason}, asked of {len(outcome.asked)} providers" if found.reason else ""
    tally.add(line, result_row(line, found), found.state == SETTLED, said, found.paid)
