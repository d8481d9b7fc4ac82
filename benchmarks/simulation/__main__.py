"""`make simulate`: the table of a million jobs a cell, the run on the real contracts, and the files about both.

Exit status 1 when a strategy earns more than honest work inside the bounds, when a control does not, or when the
contracts' books and ours differ.
"""

from __future__ import annotations

import argparse
import sys
import time

from benchmarks.simulation import bystanders, report, sweeps
from benchmarks.simulation.cells import Row, run, table
from benchmarks.simulation.chain import ROUNDS, Game, Result
from benchmarks.simulation.net import Net
from scripts.testnet.engines import anvil


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulation", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds on the contracts; 0 leaves them out")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the providers of each cell")
    parser.add_argument("--dry", action="store_true", help="write no files")
    words = parser.parse_args()

    began, worked = time.monotonic(), time.process_time()
    rows = []
    for seed, cell in enumerate(table(words.scale), 1):
        rows.append(run(cell, seed))
        _say(rows[-1])
    for row in bystanders.rows(max(1_000, int(bystanders.EPOCHS * words.scale))):
        rows.append(row)
        _say(row)
    drawn = sweeps.plots(rows, words.scale)
    seconds = {"model": time.monotonic() - began, "model_cpu": time.process_time() - worked}
    chain = _play_on_chain(words.rounds) if words.rounds else None
    seconds["chain"] = time.monotonic() - began - seconds["model"]
    wrong = report.failures(rows, chain)
    if not words.dry:
        report.write(rows, chain, drawn, seconds)
    print(f"{len(rows)} cells, {sum(row.jobs for row in rows):,} jobs in {seconds['model']:.0f} s", end="")
    print(f"; {chain.jobs:,} jobs on the contracts in {seconds['chain']:.0f} s" if chain else "")
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    return 1 if wrong else 0


def _play_on_chain(rounds: int) -> Result:
    with anvil(block_time=None) as node:
        return Game(Net(node.url)).play(rounds)


def _say(row: Row) -> None:
    interval = f"[{row.low:+9.4f} {row.high:+9.4f}]"
    print(f"{row.claim:5s} {row.gain:+9.4f}  {interval}  {row.group}: {row.strategy} {row.cheat}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
