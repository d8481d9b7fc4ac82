"""How the oracle's commands speak: text for people or one JSON object, errors with cause and fix, exit statuses."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from protocol.errors import MallaError, file_error

REFUSED, USAGE = 1, 2


@contextmanager
def reporting(as_json: bool) -> Iterator[None]:
    """Turns an error into its message, its fix and exit status 1."""
    try:
        yield
    except BrokenPipeError:
        raise  # whoever read our output has gone; click ends quietly
    except (MallaError, OSError) as caught:
        error = caught if isinstance(caught, MallaError) else file_error(caught)
        if as_json:
            typer.echo(json_module.dumps(error.as_json()))
        else:
            typer.echo(f"Error: {error.message}", err=True)
            if error.fix:
                typer.echo(f"Fix: {error.fix}", err=True)
        raise typer.Exit(REFUSED) from caught


def say(as_json: bool, value: dict[str, Any], lines: list[str]) -> None:
    """The same news for programs or for people."""
    if as_json:
        typer.echo(json_module.dumps(value))
        return
    for line in lines:
        typer.echo(line)


def confirm(yes: bool, as_json: bool) -> None:
    """Ask before something is sent; without a terminal, `--yes` has to be given (exit status 2)."""
    if yes:
        return
    if as_json or not sys.stdin.isatty():
        typer.echo("Error: nothing was sent, because nobody can be asked.\nFix: add --yes (or --dry-run).", err=True)
        raise typer.Exit(USAGE)
    if not typer.confirm("Send it?"):
        raise typer.Exit(REFUSED)
