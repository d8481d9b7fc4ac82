"""`cases`: disputes and appeals as an oracle's api shows them: the state of each, and what it waits for."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from oracle.cli.options import DeploymentFile, Json, Keystore, Place, Rpc
from oracle.cli.output import reporting, say
from protocol.units import Wei, in_tokens

Url = Annotated[str, typer.Option("--url", help="The api to ask; default: this oracle's own, as its seat names it.")]
OnlyOpen = Annotated[bool, typer.Option("--open", help="Only those that are not ruled yet.")]

LATEST = 253_402_300_800
"""The year 10000 in unix seconds: what an api says of another time cannot be written as a date."""


def cases(url: Url = "", only_open: OnlyOpen = False, rpc_url: Rpc = "", deployment: DeploymentFile = None,
          keystore: Keystore = None, json: Json = False) -> None:
    """Disputes and appeals, newest first: state, bond and parties of each, until when it has to be ruled, what it
    waits for, of whom and until when, and this oracle's own ruling once the case is closed.

    Oracles rule by themselves; nothing has to be done here. A case that waits for "this oracle" needs its worker and
    its model (see: malla oracle status). After the deadline a case closes by default and its bond returns.
    """
    from oracle.wiring.console import fetch_cases

    with reporting(json):
        url = url or Place(rpc_url, deployment, keystore).own_api()
        found, now = fetch_cases(url, only_open), time.time()
        lines = [line for row in found for line in _lines(row, now)]
        say(json, {"url": url, "cases": found}, lines or ["There are no cases."])


def _lines(row: dict[str, Any], now: float) -> list[str]:
    entry = f"entry {row['index']} of " if row["kind"] == "DISPUTE" else ""
    lines = [
        f"{row['case_id']:>4}  {row['kind']:<7}  {row['state']:<9}  {entry}batch {row['batch_id']}, bond "
        f"{in_tokens(Wei(int(row['bond'])))} MALLA, {row['plaintiff']} against "
        + (row["provider"] if row["kind"] == "DISPUTE" else "a finding of the oracles"),
    ]
    if row["state"] == "OPEN":
        lines.append(f"      to be ruled until {_when(row['deadline'], now)}")
    else:
        lines.append(f"      closed {_when(row['closed_at'], now)}; own ruling {row['own_ruling'] or 'none'}")
    if row["waits_for"]:
        until = "" if row["waits_until"] is None else f", until {_when(row['waits_until'], now)}"
        lines.append(f"      waits for {row['waits_on']}{until}: {row['waits_for']}")
    return lines


def _when(second: int | None, now: float) -> str:
    if second is None:
        return "at an unknown time"
    if not 0 <= second < LATEST:
        return f"second {second}"
    left = second - now
    away, unit = next(((abs(left) / size, unit) for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"))
                       if abs(left) >= size), (abs(left), "s"))
    text = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(second))
    return f"{text} (in {away:.0f} {unit})" if left >= 0 else f"{text} ({away:.0f} {unit} ago)"
