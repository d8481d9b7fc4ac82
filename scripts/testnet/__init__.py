"""`malla testnet`: a whole network on this machine, started, looked at and ended by five commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from protocol.errors import ConfigInvalid, MallaError

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "var" / "testnet"
START_LIMIT, STOP_LIMIT = 420.0, 30.0

app = typer.Typer(no_args_is_help=True, add_completion=False, help="A whole network on this machine.")
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


@app.command()
def up(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when it is ready; it runs on.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start chain, contracts, 4 oracles, 4 providers and 3 funded requesters, and keep them up.

    Without --detach it runs until Ctrl-C. What it made stays in var/testnet, so the next `up` goes on from there.
    """
    try:
        if detach:
            _start_detached(as_json)
        else:
            _run_here(as_json)
    except MallaError as error:
        _fail(error, as_json)


@app.command()
def status(as_json: AsJson = False) -> None:
    """What runs: processes, health of each node, memory, where things are. Exit status 3 when nothing runs."""
    from scripts.testnet.status import describe, read_status

    found = read_status(FOLDER)
    typer.echo(json.dumps(found, indent=2) if as_json else describe(found))
    if not found["running"]:
        raise typer.Exit(3)


@app.command()
def logs(
    process: Annotated[str, typer.Argument(help="Such as provider-1-worker; without it, all are listed.")] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is written from now on.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many of the last lines.")] = 40,
    as_json: AsJson = False,
) -> None:
    """Show a process's log, or list the logs that there are."""
    folder = FOLDER / "logs"
    names = sorted(path.stem for path in folder.glob("*.log"))
    if not process:
        typer.echo(json.dumps({"folder": str(folder), "logs": names}, indent=2) if as_json else "\n".join(names))
        return
    if process not in names:
        known = ", ".join(names) or "none yet"
        _fail(ConfigInvalid(f"There is no log of '{process}'.", f"The logs are: {known}."), as_json)
    from scripts.testnet.watching import read_tail

    path = folder / f"{process}.log"
    tail = read_tail(path, lines)
    typer.echo(json.dumps({"log": str(path), "lines": tail.splitlines()}, indent=2) if as_json else tail)
    if follow and not as_json:
        _follow(path)


@app.command()
def down(as_json: AsJson = False) -> None:
    """End the network in order. What it made stays in var/testnet."""
    from scripts.testnet.lock import find_holder

    pid = find_holder(FOLDER)
    if pid is not None:
        _end(pid, as_json)
    text = "The testnet is down." if pid is not None else "No testnet was up."
    typer.echo(json.dumps({"was_up": pid is not None}) if as_json else text)


@app.command()
def reset(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False, as_json: AsJson = False
) -> None:
    """End the network if it is up, and delete its keys, databases, chain and addresses."""
    from scripts.testnet.lock import find_holder
    from scripts.testnet.network import remove_network

    if not yes:
        if not sys.stdin.isatty():
            _fail(ConfigInvalid(f"This deletes {FOLDER}.", "Add --yes to say that you mean it."), as_json, 2)
        typer.confirm(f"Delete {FOLDER} with its keys, databases and chain?", abort=True)
    pid = find_holder(FOLDER)
    if pid is not None:
        _end(pid, as_json)
    remove_network(FOLDER)
    (ROOT / "deployments" / "31337.json").unlink(missing_ok=True)
    typer.echo(json.dumps({"deleted": str(FOLDER)}) if as_json else f"Deleted {FOLDER}.")


def _run_here(as_json: bool) -> None:
    from scripts.testnet.guide import describe_use, read_use
    from scripts.testnet.show import Steps
    from scripts.testnet.supervisor import Stopped, keep_up, stoppable

    steps = Steps(quiet=as_json)

    def ready() -> None:
        steps.finish()
        use = read_use(FOLDER)
        typer.echo(json.dumps(use, indent=2) if as_json else describe_use(use) + "\nCtrl-C ends it.")

    try:
        with stoppable(), steps:
            keep_up(FOLDER, steps, ready)
    except Stopped:
        if not as_json:
            typer.echo("The testnet is down.")


def _start_detached(as_json: bool) -> None:
    from scripts.testnet.guide import describe_use, read_use
    from scripts.testnet.lock import AlreadyRunning, find_holder
    from scripts.testnet.watching import read_tail

    if (pid := find_holder(FOLDER)) is not None:
        raise AlreadyRunning(
            f"The testnet is up already: its supervisor is process {pid}.", "See `malla testnet status`."
        )
    (FOLDER / "state.json").unlink(missing_ok=True)  # of a supervisor that was killed: its return is the sign below
    log = FOLDER / "logs" / "supervisor.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "scripts.testnet.supervisor"], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True, env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    end, shown = time.monotonic() + START_LIMIT, 0
    try:
        while not (FOLDER / "state.json").exists():
            if child.poll() is not None or time.monotonic() > end:
                child.terminate()
                raise MallaError(
                    f"The testnet did not start. Its log ends with:\n{read_tail(log, 25)}", f"The whole log is {log}."
                )
            lines = log.read_text(errors="replace").splitlines()
            if not as_json and len(lines) > shown:
                typer.echo("\n".join(lines[shown:]))
                shown = len(lines)
            time.sleep(0.3)
    except KeyboardInterrupt:
        child.terminate()
        child.wait(STOP_LIMIT)
        raise typer.Exit(130) from None
    use = read_use(FOLDER)
    typer.echo(json.dumps(use, indent=2) if as_json else describe_use(use) + "\n`malla testnet down` ends it.")


def _end(pid: int, as_json: bool) -> None:
    from scripts.testnet.lock import find_holder

    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + STOP_LIMIT
    while find_holder(FOLDER) == pid:
        if time.monotonic() > end:
            _fail(MallaError(f"Process {pid} still runs after {STOP_LIMIT:.0f} s.", f"kill -9 {pid}"), as_json)
        time.sleep(0.1)


def _follow(path: Path) -> None:
    with path.open(errors="replace") as file:
        file.seek(0, os.SEEK_END)
        try:
            while True:
                if line := file.readline():
                    typer.echo(line, nl=False)
                else:
                    time.sleep(0.3)
        except KeyboardInterrupt:
            return


def _fail(error: MallaError, as_json: bool, status: int = 1) -> None:
    if as_json:
        typer.echo(json.dumps(error.as_json()))
    else:
        typer.echo(f"malla testnet: {error.message}" + (f"\n{error.fix}" if error.fix else ""), err=True)
    raise typer.Exit(status)
