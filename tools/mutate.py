"""Breaks the contracts in small ways, one at a time, and sees whether a Forge test notices.

Standard operators (comparisons, arithmetic, conditions, removed refusals and effects) are applied to the sources of the
escrow, of staking and of the rewards. Each mutant is compiled without the optimizer in a folder of its own and meets
the unit tests and short campaigns of `tests/invariants`; it is killed when one of them fails, invalid when it does
not compile. What survives is listed with its line: an equivalent change, or a test that is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Queue

ROOT = Path(__file__).resolve().parent.parent
FORGE = ROOT / ".venv" / "bin" / "forge"
RESULT = ROOT / "benchmarks" / "results" / "mutation.json"
TESTS = "tests/invariants"
TARGETS = (
    "contracts/JobEscrow.sol",
    "contracts/escrow/*.sol",
    "contracts/Staking.sol",
    "contracts/staking/*.sol",
    "contracts/Rewards.sol",
)
OPERATORS: tuple[tuple[str, str, str], ...] = (
    ("boundary", r" >= ", " > "),
    ("boundary", r" <= ", " < "),
    ("boundary", r" < ", " <= "),
    ("boundary", r" > ", " >= "),
    ("equality", r" == ", " != "),
    ("equality", r" != ", " == "),
    ("logic", r" && ", " || "),
    ("logic", r" \|\| ", " && "),
    ("arithmetic", r" \+ ", " - "),
    ("arithmetic", r" - ", " + "),
    ("arithmetic", r" \* ", " / "),
    ("effect", r" \+= ", " -= "),
    ("effect", r" -= ", " += "),
    ("refusal", r"\bif \((.*)\) revert ", r"if (false) revert "),
    ("removed", r"^(\s+)(_?[a-zA-Z_.]+\(.*\));$", r"\1// \2;"),
)
SKIPPED = (
    "//",
    "import ",
    "emit ",
    "error ",
    "event ",
    "using ",
    "pragma ",
    "contract ",
    "abstract ",
    "for (",
)


@dataclass(frozen=True)
class Mutant:
    """One change of one line."""

    file: str
    line: int
    operator: str
    old: str
    new: str


def mutants() -> list[Mutant]:
    """Every change that an operator makes to a statement of the targets, in the order of the sources."""
    found: list[Mutant] = []
    for pattern in TARGETS:
        for path in sorted(ROOT.glob(pattern)):
            name = str(path.relative_to(ROOT))
            for number, text in enumerate(path.read_text().splitlines(), 1):
                if not text.strip() or text.strip().startswith(SKIPPED):
                    continue
                found += [Mutant(name, number, operator, text, new) for operator, new in changes_of(text)]
    return found


def changes_of(text: str) -> list[tuple[str, str]]:
    """What each operator makes of a line, one occurrence at a time."""
    changed: list[tuple[str, str]] = []
    for operator, pattern, new in OPERATORS:
        for match in re.finditer(pattern, text):
            changed.append((operator, text[: match.start()] + match.expand(new) + text[match.end() :]))
    return changed


def lay_out(folder: Path) -> None:
    """A project of its own, compiled once: a mutant then compiles only what it touches."""
    for tree in ("contracts", TESTS):
        shutil.copytree(ROOT / tree, folder / tree)
    shutil.copy(ROOT / "foundry.toml", folder)
    for name in ("node_modules", ".tools"):
        (folder / name).symlink_to(ROOT / name)


def forge(folder: Path, *arguments: str, limit_s: int = 600) -> subprocess.CompletedProcess[str]:
    settings = {
        "FOUNDRY_OPTIMIZER": "false",
        # A test that deploys a contract is not compiled again when only the contract changed.
        "FOUNDRY_DYNAMIC_TEST_LINKING": "true",
        "FOUNDRY_FUZZ_RUNS": "16",
        "FOUNDRY_INVARIANT_RUNS": "1",
        "FOUNDRY_INVARIANT_DEPTH": "150",
        "FOUNDRY_INVARIANT_SHRINK_RUN_LIMIT": "0",
        "NO_COLOR": "1",
    }
    command = [str(FORGE), *arguments]
    return subprocess.run(
        command, cwd=folder, env=os.environ | settings, capture_output=True, text=True, timeout=limit_s
    )


def verdict_of(folder: Path, mutant: Mutant) -> str:
    """`killed`, `survived` or `invalid`; the folder is as before afterwards."""
    path = folder / mutant.file
    whole = path.read_text()
    lines = whole.splitlines()
    lines[mutant.line - 1] = mutant.new
    path.write_text("\n".join(lines) + "\n")
    try:
        done = forge(folder, "test", "--fail-fast")
    except subprocess.TimeoutExpired:
        return "killed"
    finally:
        path.write_text(whole)
    if (
        "Compiler run failed" in done.stdout + done.stderr
        or "Compilation failed" in done.stdout + done.stderr
    ):
        return "invalid"
    return "survived" if done.returncode == 0 else "killed"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tools/mutate.py", description=__doc__)
    parser.add_argument("--sample", type=int, default=0, help="try so many, drawn at random; 0 tries all")
    parser.add_argument("--seed", type=int, default=1, help="of the draw")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time")
    parser.add_argument("--minutes", type=float, default=0, help="start none after so long; 0 for no limit")
    parser.add_argument("--list", action="store_true", help="only list the mutants")
    options = parser.parse_args(arguments)
    all_of_them = mutants()
    chosen = all_of_them
    if options.sample:
        chosen = random.Random(options.seed).sample(all_of_them, min(options.sample, len(all_of_them)))
    if options.list:
        for mutant in chosen:
            print(f"{mutant.file}:{mutant.line} {mutant.operator}: {mutant.new.strip()}")
        return 0
    started = time.monotonic()
    tried: list[tuple[Mutant, str]] = []
    with tempfile.TemporaryDirectory() as name:
        folders: Queue[Path] = Queue()
        for place in range(options.jobs):
            folder = Path(name) / str(place)
            if place:
                shutil.copytree(Path(name) / "0", folder, symlinks=True)
            else:
                folder.mkdir()
                lay_out(folder)
                first = forge(folder, "test")
                if first.returncode:
                    print(f"FAILED without any change:\n{first.stdout[-2_000:]}{first.stderr[-1_000:]}")
                    return 1
            folders.put(folder)

        def meet(mutant: Mutant) -> None:
            if options.minutes and time.monotonic() - started > options.minutes * 60:
                return
            folder = folders.get()
            try:
                verdict = verdict_of(folder, mutant)
            finally:
                folders.put(folder)
            tried.append((mutant, verdict))
            print(
                f"{verdict:<9} {mutant.file}:{mutant.line} {mutant.operator}: {mutant.new.strip()}",
                flush=True,
            )

        with ThreadPoolExecutor(options.jobs) as pool:
            list(pool.map(meet, chosen))
    counts = {
        word: sum(verdict == word for _, verdict in tried) for word in ("killed", "survived", "invalid")
    }
    valid = counts["killed"] + counts["survived"]
    score = counts["killed"] / valid if valid else 0.0
    record = {
        "mutants": len(all_of_them),
        "tried": len(tried),
        **counts,
        "score": round(score, 3),
        "seconds": round(time.monotonic() - started),
        "survivors": [asdict(mutant) for mutant, verdict in tried if verdict == "survived"],
    }
    RESULT.write_text(json.dumps(record, indent=2) + "\n")
    print(
        f"{counts['killed']} killed, {counts['survived']} survived, {counts['invalid']} invalid: {score:.1%}"
    )
    return 0 if score >= 0.9 else 1


if __name__ == "__main__":
    sys.exit(main())
