"""Runs the invariant campaigns, prints how often each move was tried and worked, and fails where that proves little.

`make invariants` makes at least a million calls; `make test` runs the same campaigns for less than a minute. Forge
counts calls and reverts of each handler's functions; here they are added up over all campaigns.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FORGE = ROOT / ".venv" / "bin" / "forge"
LEAST_SUCCESS = 0.02
LEAST_TRIES = 200
"""Below so many tries a share says nothing."""


@dataclass
class Tally:
    """What all campaigns did together."""

    campaigns: int = 0
    calls: int = 0
    failures: list[str] = field(default_factory=list)
    tried: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def share_of(self, move: str) -> float:
        return 1 - self.refused[move] / self.tried[move]

    def too_rare(self) -> list[str]:
        """Moves that were tried often enough to judge them, and worked too seldom to prove anything."""
        return [m for m, n in self.tried.items() if n >= LEAST_TRIES and self.share_of(m) < LEAST_SUCCESS]


def tally(suites: dict[str, Any]) -> Tally:
    """Adds up Forge's JSON report: suites of tests, of which those of kind Invariant have metrics."""
    total = Tally()
    for suite in suites.values():
        for name, test in suite["test_results"].items():
            if test["status"] != "Success":
                total.failures.append(f"{name.removesuffix('()')}: {test['reason']}")
            campaign = test["kind"].get("Invariant")
            if campaign is None:
                continue
            total.campaigns += 1
            total.calls += campaign["calls"]
            for move, counts in campaign["metrics"].items():
                short = move.split(":")[-1]
                total.tried[short] += counts["calls"]
                total.refused[short] += counts["reverts"]
    return total


def histogram(total: Tally) -> str:
    """One line a move: how often it was tried, how often it worked."""
    lines = [f"{'move':<40} {'tried':>9} {'worked':>9} {'share':>7}"]
    for move in sorted(total.tried):
        tried = total.tried[move]
        lines.append(f"{move:<40} {tried:>9} {tried - total.refused[move]:>9} {total.share_of(move):>7.1%}")
    return "\n".join(lines)


def run(runs: int, depth: int) -> dict[str, Any]:
    """Runs every invariant campaign with `runs` sequences of `depth` moves each; raises on a broken build."""
    settings = {
        "FOUNDRY_INVARIANT_RUNS": str(runs),
        "FOUNDRY_INVARIANT_DEPTH": str(depth),
        "FOUNDRY_OUT": "var/invariants/out",
        "FOUNDRY_CACHE_PATH": "var/invariants/cache",
    }
    command = [str(FORGE), "test", "--match-test", "^invariant_", "--json"]
    result = subprocess.run(
        command, cwd=ROOT, env=os.environ | settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    start = result.stdout.find("{")
    if start < 0:
        raise RuntimeError(f"forge ended with {result.returncode} and no report: {result.stderr.strip()[-2_000:]}")
    report: dict[str, Any] = json.JSONDecoder().raw_decode(result.stdout[start:])[0]
    return report


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tools/invariants.py", description=__doc__)
    parser.add_argument("--runs", type=int, default=44, help="sequences a campaign")
    parser.add_argument("--depth", type=int, default=500, help="moves a sequence")
    parser.add_argument("--least-calls", type=int, default=1_000_000, help="fewer calls in total are a failure")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    total = tally(run(options.runs, options.depth))
    print(histogram(total))
    print(f"{total.campaigns} invariants, {total.calls} calls, {time.monotonic() - started:.0f} s")
    problems = total.failures + [f"{move} works too seldom to prove anything" for move in total.too_rare()]
    if total.calls < options.least_calls:
        problems.append(f"{total.calls} calls are fewer than {options.least_calls}: raise --runs or --depth")
    for problem in problems:
        print(f"FAILED {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
