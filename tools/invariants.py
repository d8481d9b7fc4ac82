"""Runs the invariant campaigns, prints how often each move was tried and worked, and fails where that proves little.

`make invariants` makes at least a million calls; `make test` runs the same campaigns for less than a minute. Forge
counts calls and reverts of each handler's functions; here they are added up over all campaigns.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FORGE = ROOT / ".venv" / "bin" / "forge"
SUITE = ROOT / "tests" / "invariants"
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


RESULT = re.compile(r"^\[(PASS|FAIL.*?)\] (invariant_\w+)\(\) \(runs: \d+, calls: (\d+), reverts: \d+\)")
ROW = re.compile(r"^\|\s*(\w+)\s*\|\s*(\w+)\s*\|\s*(\d+)\s*\|\s*(\d+)\s*\|\s*\d+\s*\|$")


def tally(report: str) -> Tally:
    """Adds up what Forge prints: a line for each campaign, and a table of its moves (calls and reverts)."""
    total = Tally()
    for line in map(str.strip, report.splitlines()):
        if result := RESULT.match(line):
            verdict, name, calls = result.groups()
            total.campaigns += 1
            total.calls += int(calls)
            if verdict != "PASS":
                total.failures.append(f"{name}: {verdict}")
        elif row := ROW.match(line):
            contract, function, calls, reverts = row.groups()
            total.tried[f"{contract}.{function}"] += int(calls)
            total.refused[f"{contract}.{function}"] += int(reverts)
    return total


def histogram(total: Tally) -> str:
    """One line a move: how often it was tried, how often it worked."""
    lines = [f"{'move':<40} {'tried':>9} {'worked':>9} {'share':>7}"]
    for move in sorted(total.tried):
        tried = total.tried[move]
        lines.append(f"{move:<40} {tried:>9} {tried - total.refused[move]:>9} {total.share_of(move):>7.1%}")
    return "\n".join(lines)


def forge(*arguments: str, runs: int, depth: int) -> str:
    # Forge's JSON report carries a trace of every call: gigabytes. Its tables carry the counts.
    settings = {
        "FOUNDRY_INVARIANT_RUNS": str(runs),
        "FOUNDRY_INVARIANT_DEPTH": str(depth),
        "FOUNDRY_OUT": "var/invariants/out",
        "FOUNDRY_CACHE_PATH": "var/invariants/cache",
        "NO_COLOR": "1",
    }
    result = subprocess.run(
        [str(FORGE), *arguments],
        cwd=ROOT,
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return result.stdout


def names() -> list[str]:
    """Every invariant of the suite."""
    found = re.findall(
        r"function (invariant_\w+)", "\n".join(path.read_text() for path in sorted(SUITE.glob("*.t.sol")))
    )
    return sorted(found)


def run(runs: int, depth: int, jobs: int) -> str:
    """Runs every campaign with `runs` sequences of `depth` moves each; returns what Forge printed.

    One Forge a campaign, each with a seed of its own: campaigns that share a seed would make the same moves.
    """
    report = forge("build", runs=runs, depth=depth)

    def campaign(place: int, name: str) -> str:
        return forge("test", "--match-test", f"^{name}\\(", "--fuzz-seed", str(place), runs=runs, depth=depth)

    with ThreadPoolExecutor(jobs) as pool:
        report += "\n".join(pool.map(campaign, itertools.count(1), names()))
    (ROOT / "var" / "invariants" / "report.txt").write_text(report)
    return report


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tools/invariants.py", description=__doc__)
    parser.add_argument("--runs", type=int, default=44, help="sequences a campaign")
    parser.add_argument("--depth", type=int, default=500, help="moves a sequence")
    parser.add_argument(
        "--least-calls", type=int, default=1_000_000, help="fewer calls in total are a failure"
    )
    parser.add_argument("--jobs", type=int, default=2, help="campaigns at a time")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    total = tally(run(options.runs, options.depth, options.jobs))
    print(histogram(total))
    print(f"{total.campaigns} invariants, {total.calls} calls, {time.monotonic() - started:.0f} s")
    if not total.campaigns:
        print("FAILED no campaign ran: var/invariants/report.txt says why")
        return 1
    problems = total.failures + [f"{move} works too seldom to prove anything" for move in total.too_rare()]
    if total.calls < options.least_calls:
        problems.append(f"{total.calls} calls are fewer than {options.least_calls}: raise --runs or --depth")
    for problem in problems:
        print(f"FAILED {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
