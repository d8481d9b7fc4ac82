"""`malla receipt …`: receipts are checked without asking anybody."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from requester.cli.options import AsJson, Deployment
from requester.cli.terminal import speaking, verify_file

app = typer.Typer(no_args_is_help=True, help="Check receipts offline.")


@app.callback()
def receipts() -> None:
    """Check receipts offline."""


@app.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(help="A receipt file.")],
    deployment: Deployment = None,
    rpc_url: Annotated[str | None, typer.Option(help="Also look the settlement up in the chain.")] = None,
    as_json: AsJson = False,
) -> None:
    """Every check of a receipt, with nothing but the deployment file; exit status 1 when one fails."""
    with speaking(as_json) as say:
        report = verify_file(file, deployment, rpc_url)
        say.out(report.fields(), report.describe())
        if not report.holds:
            raise typer.Exit(1)
