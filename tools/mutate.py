"""Breaks the contracts in small ways, one at a time, and sees whether a Forge test notices.

All mutants (mutants.py) are compiled at once, each behind a switch (schemata.py), without the optimizer and in a folder
of their own. Each then meets the tests of `tests/invariants`: first the suites that take no time, then the campaigns,
one run of each from a fixed seed. It is killed when one of them fails. What the compiler takes behind no switch is
compiled on its own, and is invalid when that fails too. A change that is explained as equivalent is spared the
campaigns: it counts as a survivor whatever they would say.

What survives is listed with the reason that tools/mutation_survivors.json gives: an equivalent change, or a test that
is missing. A verdict is written down at once: an interrupted run goes on where it was. A kill is remembered as long as
the contracts are the same, a survivor meets the tests again after they changed; `--fresh` forgets all.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Queue
from typing import Any

from mutants import Mutant, mutants
from trials import Failed, Switches, Trial, digest_of

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "benchmarks" / "results" / "mutation.json"
RECORD = ROOT / "var" / "mutation" / "verdicts.jsonl"
REASONS = ROOT / "tools" / "mutation_survivors.json"
WORDS = ("killed", "survived", "invalid")
Reasons = dict[tuple[str, str, str], dict[str, str]]


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant. `by` is the test that failed first; `seconds` are those of this mutant alone."""

    mutant: Mutant
    word: str
    by: str
    seconds: float


def remembered(record: Path, contracts: str, tests: str) -> dict[Mutant, Verdict]:
    """The verdicts that still hold of what an earlier run wrote down."""
    known: dict[Mutant, Verdict] = {}
    for line in record.read_text().splitlines() if record.exists() else ():
        row = json.loads(line)
        if row["contracts"] == contracts and (row["verdict"] != "survived" or row["tests"] == tests):
            mutant = Mutant(**row["mutant"])
            known[mutant] = Verdict(mutant, row["verdict"], row["by"], row["seconds"])
    return known


def write_down(record: Path, verdict: Verdict, contracts: str, tests: str) -> None:
    row = {
        "contracts": contracts,
        "tests": tests,
        "verdict": verdict.word,
        "by": verdict.by,
        "seconds": round(verdict.seconds, 1),
        "mutant": asdict(verdict.mutant),
    }
    record.parent.mkdir(parents=True, exist_ok=True)
    with record.open("a") as lines:
        lines.write(json.dumps(row) + "\n")


def reasons_of(path: Path) -> Reasons:
    """Why a change survives, by what it changes; lines may move."""
    return {(row["file"], row["old"], row["new"]): row for row in json.loads(path.read_text())}


def reason_of(mutant: Mutant, reasons: Reasons) -> tuple[bool, str]:
    """Whether it is equivalent, and why it survives; an empty reason where none is given."""
    row = reasons.get((mutant.file, mutant.old.strip(), mutant.new.strip()), {})
    return row.get("kind") == "equivalent", row.get("why", "")


def summed_up(everything: list[Mutant], verdicts: list[Verdict], reasons: Reasons) -> dict[str, Any]:
    """The result file: counts, two scores, and the survivors with their reasons."""
    counts = {word: sum(verdict.word == word for verdict in verdicts) for word in WORDS}
    survivors: list[dict[str, Any]] = []
    for mutant in (verdict.mutant for verdict in verdicts if verdict.word == "survived"):
        is_equivalent, why = reason_of(mutant, reasons)
        place = asdict(mutant) | {"old": mutant.old.strip(), "new": mutant.new.strip()}
        survivors.append(place | {"equivalent": is_equivalent, "why": why})
    valid = counts["killed"] + counts["survived"]
    different = valid - sum(survivor["equivalent"] for survivor in survivors)
    return {
        "mutants": len(everything),
        "tried": len(verdicts),
        **counts,
        "score": round(counts["killed"] / valid, 4) if valid else 0.0,
        "score_without_equivalent": round(counts["killed"] / different, 4) if different else 0.0,
        "seconds": round(sum(verdict.seconds for verdict in verdicts)),
        "survivors": survivors,
    }


def try_all(
    chosen: list[Mutant], everything: list[Mutant], reasons: Reasons, options: argparse.Namespace
) -> list[Verdict]:
    """The verdicts on the chosen mutants, in their order; fewer where the time ran out. Raises `Failed`."""
    contracts, tests = digest_of(ROOT / "contracts"), digest_of(ROOT / "tests" / "invariants")
    if options.fresh:
        RECORD.unlink(missing_ok=True)
    known = remembered(RECORD, contracts, tests)
    left = [mutant for mutant in chosen if mutant not in known]
    if len(left) < len(chosen):
        print(f"{len(chosen) - len(left)} verdicts are known of an earlier run", flush=True)
    started = time.monotonic()
    if left:
        with tempfile.TemporaryDirectory() as name:
            switches = Switches(ROOT, Path(name), everything)
            print(
                f"{len(switches.names)} mutants compiled at once in {time.monotonic() - started:.0f} s",
                flush=True,
            )
            trials: Queue[Trial] = Queue()
            for place in range(options.jobs):
                trials.put(switches.trial(place))

            def meet(mutant: Mutant) -> None:
                if options.minutes and time.monotonic() - started > options.minutes * 60:
                    return
                trial = trials.get()
                try:
                    began = time.monotonic()
                    word, by = trial.verdict_of(mutant, campaigns=not reason_of(mutant, reasons)[0])
                finally:
                    trials.put(trial)
                known[mutant] = Verdict(mutant, word, by, time.monotonic() - began)
                write_down(RECORD, known[mutant], contracts, tests)
                print(f"{word:<9} {mutant}", flush=True)

            with ThreadPoolExecutor(options.jobs) as pool:
                list(pool.map(meet, left))
    return [known[mutant] for mutant in chosen if mutant in known]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tools/mutate.py", description=__doc__)
    parser.add_argument("--sample", type=int, default=0, help="try so many, drawn at random; 0 tries all")
    parser.add_argument("--seed", type=int, default=1, help="of the draw")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time")
    parser.add_argument("--minutes", type=float, default=0, help="start none after so long; 0 for no limit")
    parser.add_argument("--fresh", action="store_true", help="forget the verdicts of earlier runs")
    parser.add_argument("--list", action="store_true", help="only list the mutants")
    options = parser.parse_args(arguments)
    everything = mutants(ROOT)
    chosen = everything
    if options.sample:
        chosen = random.Random(options.seed).sample(everything, min(options.sample, len(everything)))
    if options.list:
        for mutant in chosen:
            print(mutant)
        return 0
    reasons = reasons_of(REASONS)
    try:
        verdicts = try_all(chosen, everything, reasons, options)
    except Failed as failure:
        print(f"FAILED: {failure}")
        return 1
    record = summed_up(everything, verdicts, reasons)
    RESULT.write_text(json.dumps(record, indent=2) + "\n")
    for survivor in record["survivors"]:
        print(
            f"{survivor['file']}:{survivor['line']} {survivor['new']}\n    {survivor['why'] or 'NOT EXPLAINED'}"
        )
    print(
        f"{record['killed']} killed, {record['survived']} survived, {record['invalid']} invalid: "
        f"{record['score']:.1%}, {record['score_without_equivalent']:.1%} without equivalent ones"
    )
    return 0 if record["score"] >= 0.9 and all(survivor["why"] for survivor in record["survivors"]) else 1


if __name__ == "__main__":
    sys.exit(main())
