"""What the simulation found: as JSON, as a page with tables, and as plots."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.simulation.cells import BOUNDS, Claim, Row
from benchmarks.simulation.chain import Result
from benchmarks.simulation.market import COST_BPS, INT4, INT8, NO_WORK, PRICE, least_scale
from benchmarks.simulation.market import least_floor as floor_of
from benchmarks.simulation.market import least_floor_by_findings as floor_by_findings
from benchmarks.simulation.scoring import AS_BUILT
from protocol.units import BPS_ONE

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "benchmarks" / "results" / "simulation.json"
PAGE = ROOT / "docs" / "SIMULATION.md"
PLOTS = ROOT / "docs" / "plots"


def bounds() -> dict[str, Any]:
    """What follows from the terms, the cheats and the score without playing: rates are shares, amounts prices of a job.
    """
    free = AS_BUILT.free
    return {
        "stake": BOUNDS.stake / PRICE,
        "least_audit_rate": {cheat.name: floor_of(cheat, BOUNDS) for cheat in (INT4, INT8, NO_WORK)},
        "least_audit_rate_30_percent_collude": {
            cheat.name: floor_of(cheat, BOUNDS, 0.3) for cheat in (INT4, INT8, NO_WORK)},
        "least_audit_rate_by_findings": {
            "refunded": floor_by_findings(INT8, 1.0), "disputed": floor_by_findings(INT8, 2.0),
            "disputed, 30 % collude": floor_by_findings(INT8, 2.0, 0.3)},
        "findings_without_conviction": free,
        "least_scale": least_scale(INT8, BOUNDS, free) / PRICE,
        "scale": BOUNDS.scale / PRICE,
        "dearest_job_under_the_scale": BOUNDS.scale / least_scale(INT8, BOUNDS, free),
    }  # fmt: skip


def assumptions() -> dict[str, Any]:
    return {
        "price_tokens": 1, "honest_cost": COST_BPS / BPS_ONE, "fee": BOUNDS.terms.fee_bps / BPS_ONE,
        "slash": BOUNDS.terms.slash_bps / BPS_ONE, "challenger": BOUNDS.terms.challenger_bps / BPS_ONE,
        "detection": BOUNDS.terms.detection_bps / BPS_ONE, "audit_rate_floor": BOUNDS.floor_bps / BPS_ONE,
        "beta": BOUNDS.beta_bps / BPS_ONE,
        "cheats": [dataclasses.asdict(cheat) for cheat in (INT4, INT8, NO_WORK)],
    }  # fmt: skip


def failures(rows: Sequence[Row], chain: Result | None) -> list[str]:
    """Sentences about what is not as claimed; empty when everything is."""
    wrong = []
    for row in rows:
        if row.holds:
            continue
        where = f"'{row.strategy}' ({row.cheat or row.group}) in '{row.group}': {row.low:+.4f} to {row.high:+.4f}"
        if row.claim == Claim.LOSES.value:
            wrong.append(f"A strategy is not seen to lose against honest work: {where}. Raise its bound or its sample.")
        else:
            wrong.append(f"A control shows no profit: {where}. The simulation is blind there: mend it.")
    if chain is not None:
        wrong += [f"Contracts and ledger differ: {one}." for one in chain.differences]
        if chain.refusal != "StakeDoesNotDeter":
            wrong.append(f"A job opened under too small a stake gave '{chain.refusal}' instead of StakeDoesNotDeter.")
    return wrong


def write(rows: Sequence[Row], chain: Result | None, drawn: dict[str, str], seconds: dict[str, float]) -> None:
    """The three kinds of files; nothing is written when a number is not finite."""
    result = {
        "assumptions": assumptions(), "bounds": _rounded(bounds()), "seconds": _rounded(seconds),
        "cells": [_rounded(dataclasses.asdict(row)) | {"holds": row.holds} for row in rows],
        "chain": _rounded(dataclasses.asdict(chain)) if chain else None,
    }  # fmt: skip
    text = json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False)
    RESULT.write_text(text + "\n")
    PLOTS.mkdir(exist_ok=True)
    for name, svg in drawn.items():
        (PLOTS / name).write_text(svg)
    PAGE.write_text(page(rows, chain, list(drawn)))


def page(rows: Sequence[Row], chain: Result | None, drawn: Sequence[str]) -> str:
    its = bounds()
    least, by_findings = its["least_audit_rate"], its["least_audit_rate_by_findings"]
    blind = its["least_audit_rate_30_percent_collude"]["no work"]
    lines = [
        "# Simulation: does any strategy earn more than honest work?", "",
        "Written by `make simulate`; figures in `benchmarks/results/simulation.json`, assumptions in"
        " `benchmarks/simulation/market.py`. Gains are what a strategy earns more than honest work of the same"
        f" provider, in parts of a job's price, a job. Honest work costs {COST_BPS / BPS_ONE:.0%} of the price."
        " Intervals are 99 %, over independent providers. A claim holds when all of its interval is below zero. A"
        " control takes a bound away, and its interval must be above zero: else the simulation is blind.", "",
        "The power of an audit (int4 convicts at once, int8 in one audit of four) and what a cheat saves (0.4 of the"
        " price) are inputs here, not results. Each provider of a cell stakes as little as the contracts allow, commits"
        " one job at a time, and has an identity whose audit rate is at the floor for nothing, unless said otherwise:"
        " the best for a cheat.", "",
        "## Bounds", "",
        f"- Stake: {its['stake']:.2f} prices of the dearest job (`neededStake`; the contracts refuse less).",
        f"- Least audit rate: {least['no work']:.1%} against a cheat that saves the whole cost and that one audit in"
        f" four convicts, {least['int8']:.1%} for int8, {least['int4']:.1%} for int4. The floor of the terms is"
        f" {BOUNDS.floor_bps / BPS_ONE:.0%}; with 30 % of the auditors blind it takes {blind:.1%}.",
        f"- A cheat that no single audit convicts has {its['findings_without_conviction']} findings free, and more when"
        " it lets its score sink, leaves in time, or keeps to two requesters. It loses only where a finding costs it"
        f" something: from an audit rate of {by_findings['disputed']:.1%} on when the requester disputes it"
        f" (R74: amount and penalty), from {by_findings['refunded']:.1%} on if it were only refunded. Where findings"
        " are paid by default these strategies earn more than honest work: see the limits below.",
        f"- Scale of the audit rate: at least {its['least_scale']:.2f} prices of the dearest job, or buying an"
        f" identity's age pays for its free findings; it is {its['scale']:.0f} tokens, enough for jobs of up to"
        f" {its['dearest_job_under_the_scale']:.1f} tokens. It cannot replace the floor: honest work ages an identity"
        " for nothing.", "",
    ]  # fmt: skip
    for name in drawn:
        lines += [f"![{name.removesuffix('.svg').replace('-', ' ')}](plots/{name})", ""]
    sections = {
        "Inside the bounds": [row for row in rows if row.claim == Claim.LOSES.value],
        "Limits: what earns more as things are": [row for row in rows if row.is_limit],
        "Controls": [row for row in rows if row.claim == Claim.WINS.value and not row.is_limit],
    }  # fmt: skip
    for title, those in sections.items():
        lines += [f"## {title}", "", "| market | strategy | cheat | jobs | providers | gain | 99 % interval | unit |",
                  "|---|---|---|---:|---:|---:|---|---|", *map(_line, those), ""]
    return "\n".join(lines + (_of_chain(chain) if chain else [])) + "\n"


def _line(row: Row) -> str:
    holds = "" if row.holds else " **not as claimed**"
    sample = f"{row.jobs:,} | {row.providers:,}" if row.jobs > 1 else "exact | "
    return (f"| {row.group} | {row.strategy}{holds} | {row.cheat} | {sample} | {row.gain:+.4f} |"
            f" {row.low:+.4f} to {row.high:+.4f} | {row.unit} |")


def _of_chain(chain: Result) -> list[str]:
    same = "every one is the ledger's, to the wei" if not chain.differences else "; ".join(chain.differences)
    lines = [
        "## On the contracts", "",
        f"{chain.jobs:,} jobs in {chain.transactions:,} transactions on Anvil, with draws from block hashes and reveals"
        f" and settlements signed by three of four oracles. {chain.balances} balances compared: {same}. A job behind a"
        f" stake that is one wei short is refused: `{chain.refusal}`. New identities are audited nearly always, so"
        " cheats lose sooner here than above.", "",
        "| agent | jobs | cheated | audited | convictions | identities | profit, prices a job |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]  # fmt: skip
    return lines + [
        f"| {one.name} | {one.jobs} | {one.cheated} | {one.audited} | {one.convictions} | {one.identities} |"
        f" {one.profit:+.3f} |" for one in chain.players]


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {name: _rounded(its) for name, its in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list | tuple) else value
