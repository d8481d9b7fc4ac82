"""The demo's table, balances and ledgers for people. Every amount is shown in whole, without rounding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from protocol.units import in_tokens

WIDEST = 200


def print_jobs(console: Console, jobs: Sequence[Mapping[str, Any]]) -> None:
    """One row a job."""
    table = Table(title="Jobs (amounts in MALLA)", box=SIMPLE_HEAD, title_justify="left")
    for name in ("#", "provider", "model", "tokens"):
        table.add_column(name, no_wrap=True)
    table.add_column("verdict: reason", max_width=46)
    for name in ("paid", "refunded", "slashed", "settlement tx", "gas"):
        table.add_column(name, justify="left" if name == "settlement tx" else "right", no_wrap=True)
    for job in jobs:
        table.add_row(
            str(job["number"]), job["provider_name"], job["model"].replace("-Instruct", ""),
            f"{job['prompt_tokens']}+{job['output_tokens']}", Text(f"{job['verdict'] or job['state']}: {job['reason']}"),
            _amount(job["paid_wei"]), _amount(job["refunded_wei"]), _amount(job["slashed_wei"]),
            job["settlement_tx"][:12] + "…" if job["settlement_tx"] else "", f"{job['settlement_gas']:,}",
        )  # fmt: skip
    _print(console, table)


def print_balances(console: Console, balances: Sequence[Mapping[str, Any]]) -> None:
    """Each party before and after: wallet + escrow + stake."""
    table = Table(title="Balances (MALLA: wallet + escrow + stake)", box=SIMPLE_HEAD, title_justify="left")
    table.add_column("party", no_wrap=True)
    for name in ("before", "after", "change"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in balances:
        before, after = int(row["before"]["total"]), int(row["after"]["total"])
        change = after - before
        sign = "+" if change > 0 else ""
        table.add_row(row["name"], in_tokens(before), in_tokens(after), f"{sign}{in_tokens(change)}")
    _print(console, table)


def print_ledger(console: Console, ledger: Mapping[str, Any], block: int) -> None:
    """Both equations with their terms, in wei."""
    for name, words in (("token", "what was made = what is held"), ("escrow", "what it holds = what it owes")):
        equation = ledger[name]
        exact = equation["left_wei"] == equation["right_wei"]
        console.print(f"Ledger of the {name} at block {block}, in wei: {words}. {'Exact.' if exact else 'NOT EQUAL.'}")
        for side in ("left", "right"):
            terms = " + ".join(f"{word} {wei}" for word, wei in equation["terms"][side].items())
            console.print(f"  {equation[f'{side}_wei']} = {terms}", soft_wrap=True)


def _amount(wei: str) -> str:
    return in_tokens(int(wei)) if int(wei) else "-"


def _print(console: Console, table: Table) -> None:
    """Into a pipe a table is as wide as it needs to be; on a terminal it fits."""
    if console.is_terminal:
        console.print(table)
    else:
        Console(file=console.file, width=WIDEST, highlight=False).print(table)
