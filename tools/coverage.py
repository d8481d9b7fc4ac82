"""Measures which lines and branches of `contracts/` the Forge tests reach, and fails below everything.

Forge sees only Forge's tests: unit tests, fuzz tests and short campaigns of `tests/invariants`. Brownie's tests cover
behaviour and are not counted. Compiled without the optimizer, so each source line has its own place in the code.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FORGE = ROOT / ".venv" / "bin" / "forge"
FOLDER = ROOT / "var" / "coverage"
RESULT = ROOT / "benchmarks" / "results" / "coverage.json"


@dataclass
class Reach:
    """Of one source file: how many lines and branches there are, and which were never reached."""

    lines: int = 0
    branches: int = 0
    missing_lines: set[int] = field(default_factory=set)
    missing_branches: list[int] = field(default_factory=list)


def reach_of(lcov: str) -> dict[str, Reach]:
    """Reads an lcov trace: DA is a line with its hits, BRDA a branch of a line with its hits or `-`."""
    files: dict[str, Reach] = defaultdict(Reach)
    name = ""
    for line in lcov.splitlines():
        kind, _, rest = line.partition(":")
        if kind == "SF":
            name = rest
        elif not name.startswith("contracts/") or name.startswith("contracts/mocks/"):
            continue
        elif kind == "DA":
            number, hits = rest.split(",")[:2]
            files[name].lines += 1
            if hits == "0":
                files[name].missing_lines.add(int(number))
        elif kind == "BRDA":
            number, _, _, hits = rest.split(",")
            files[name].branches += 1
            if hits in ("0", "-"):
                files[name].missing_branches.append(int(number))
    return dict(files)


def measure(runs: int, depth: int) -> str:
    """Runs the Forge tests under coverage; returns the lcov trace, raises when a test fails."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    report = FOLDER / "lcov.info"
    report.unlink(missing_ok=True)
    settings = {
        "FOUNDRY_INVARIANT_RUNS": str(runs),
        "FOUNDRY_INVARIANT_DEPTH": str(depth),
        "FOUNDRY_FUZZ_RUNS": "64",
        "FOUNDRY_OUT": "var/coverage/out",
        "FOUNDRY_CACHE_PATH": "var/coverage/cache",
        "NO_COLOR": "1",
    }
    command = [str(FORGE), "coverage", "--report", "lcov", "--report-file", str(report), "--exclude-tests"]
    # Forge finds the attacks as well, which are meant to fail on our contracts.
    command += ["--match-path", "tests/invariants/*"]
    result = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    (FOLDER / "report.txt").write_text(result.stdout)
    if result.returncode or not report.exists():
        told = [line for line in result.stdout.splitlines() if "FAIL" in line or "rror" in line]
        raise RuntimeError(
            "\n".join(told[:20]) or f"forge ended with {result.returncode}: var/coverage/report.txt"
        )
    return report.read_text()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tools/coverage.py", description=__doc__)
    parser.add_argument("--runs", type=int, default=1, help="sequences of each invariant campaign")
    parser.add_argument("--depth", type=int, default=100, help="moves a sequence")
    parser.add_argument(
        "--write", action="store_true", help="keep the figures in benchmarks/results/coverage.json"
    )
    options = parser.parse_args(arguments)
    try:
        files = reach_of(measure(options.runs, options.depth))
    except RuntimeError as failure:
        print(f"FAILED {failure}")
        return 1
    lines = sum(its.lines for its in files.values())
    branches = sum(its.branches for its in files.values())
    missing_lines = sum(len(its.missing_lines) for its in files.values())
    missing_branches = sum(len(its.missing_branches) for its in files.values())
    for name, its in sorted(files.items()):
        if its.missing_lines or its.missing_branches:
            print(
                f"{name}: lines {sorted(its.missing_lines)}, branches of lines {sorted(its.missing_branches)}"
            )
    figures = {
        "lines": {"reached": lines - missing_lines, "of": lines},
        "branches": {"reached": branches - missing_branches, "of": branches},
    }
    for what, counts in figures.items():
        print(f"{what}: {counts['reached']} of {counts['of']}, {counts['reached'] / max(counts['of'], 1):.1%}")
    if options.write:
        RESULT.write_text(json.dumps(figures, indent=2) + "\n")
    return 1 if missing_lines or missing_branches or not lines else 0


if __name__ == "__main__":
    sys.exit(main())
