"""`cases`: disputes and appeals as this oracle's api shows them, and what it signed about each."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from oracle.cli.options import DeploymentFile, Json, Keystore, Place, Rpc
from oracle.cli.output import reporting, say
from protocol.units import Wei, in_tokens

Url = Annotated[str, typer.Option("--url", help="The api to ask; default: this oracle's own, as its seat names it.")]
OnlyOpen = Annotated[bool, typer.Option("--open", help="Only those that are not ruled yet.")]


def cases(url: Url = "", only_open: OnlyOpen = False, rpc_url: Rpc = "", deployment: DeploymentFile = None,
          keystore: Keystore = None, json: Json = False) -> None:
    """Cases of the court, newest first: state, deadline, this oracle's own ruling, or what it waits for."""
    from oracle.wiring.console import fetch_cases

    with reporting(json):
        if not url:
            place = Place(rpc_url, deployment, keystore)
            url = place.chain().oracle(place.address()).url
        found = fetch_cases(url, only_open)
        say(json, {"url": url, "cases": found}, [_line(row) for row in found] or ["There are no cases."])


def _line(row: dict[str, Any]) -> str:
    own = row["own_ruling"] or "none"
    entry = f"entry {row['index']} of " if row["kind"] == "DISPUTE" else ""
    waits = f"; {row['waits_for']}" if row["waits_for"] else ""
    return (f"{row['case_id']:>4}  {row['kind']:<7}  {row['state']:<9}  {entry}batch {row['batch_id']}, bond "
            f"{in_tokens(Wei(int(row['bond'])))}, deadline {row['deadline']}, own ruling {own}{waits}")
