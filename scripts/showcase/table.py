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
ROOM_FOR_REASONS, ROOM_FOR_MODEL = 140, 108
"""Columns of a terminal from which a row has room for its reason, and for its model."""


def print_jobs(console: Console, jobs: Sequence[Mapping[str, Any]]) -> None:
    """One row a job. On a narrow terminal the reasons stand below, each with the numbers of its jobs."""
    width = _width(console)
    models = ", ".join(sorted({_model(job) for job in jobs}))
    title = "Jobs (amounts in MALLA)" if width >= ROOM_FOR_MODEL else f"Jobs on {models} (amounts in MALLA)"
    table = Table(title=title, box=SIMPLE_HEAD, title_justify="left", padding=(0, 1 if width >= ROOM_FOR_MODEL else 0))
    left = ["#", "provider", *(["model"] if width >= ROOM_FOR_MODEL else []), "tokens"]
    for name in left:
        table.add_column(name, no_wrap=True)
    table.add_column("verdict: reason" if width >= ROOM_FOR_REASONS else "verdict", min_width=7, max_width=70)
    for name in ("paid", "refunded", "slashed", "settlement tx", "gas"):
        table.add_column(name, justify="left" if name == "settlement tx" else "right", no_wrap=True)
    reasons: dict[str, list[str]] = {}
    for job in jobs:
        number, verdict = str(job["number"]), job["verdict"] or job["state"]
        reasons.setdefault(f"{verdict}: {job['reason']}", []).append(number)
        model = [_model(job)] if width >= ROOM_FOR_MODEL else []
        table.add_row(
            number, job["provider_name"], *model, f"{job['prompt_tokens']}+{job['output_tokens']}",
            Text(f"{verdict}: {job['reason']}" if width >= ROOM_FOR_REASONS else verdict),
            _amount(job["paid_wei"]), _amount(job["refunded_wei"]), _amount(job["slashed_wei"]),
            job["settlement_tx"][:10] + "…" if job["settlement_tx"] else "", f"{job['settlement_gas']:,}",
        )  # fmt: skip
    _print(console, table)
    if width < ROOM_FOR_REASONS:
        for reason, numbers in reasons.items():
            console.print(f"  {', '.join(numbers)}: {reason}", markup=False)


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


def _model(job: Mapping[str, Any]) -> str:
    return str(job["model"]).removesuffix("-Instruct")


def _width(console: Console) -> int:
    """Into a pipe a table is as wide as it needs to be; on a terminal it fits."""
    return console.width if console.is_terminal else WIDEST


def _print(console: Console, table: Table) -> None:
    Console(file=console.file, width=_width(console), highlight=False, force_terminal=console.is_terminal).print(table)
