"""Can a provider tell canaries from traffic? `python -m benchmarks.canaries` writes benchmarks/results/canaries.json.

An oracle sees a week of traffic and plans a week of canaries from it (`protocol.canary`). A provider, who sees all of
the next week, holds them against what other wallets do. Every draw is one wallet and one of its jobs, so that draws are
independent; each feature has a test of its own, and a classifier looks at all of them together. Planners that do
the obvious thing are held against the same traffic by the same tests, which otherwise might be blind.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy

from benchmarks.traffic import WEEK, by_program, make_lines
from benchmarks.two_sample import Numbers, chi_square, smirnov, told_apart
from protocol.canary import DAY, SITTING, plan
from protocol.canary_lines import Line
from protocol.encoding import keccak

RESULT = Path(__file__).parent / "results" / "canaries.json"
DRAWS, OBSERVED = 10_000, 50_000
TWINS = 1.65
"""Times as many wallets are looked at for copies: only those with five jobs count there."""
NUMBERS = (
    "input tokens", "output tokens", "price", "second of the day", "second of the week", "pause before", "wallet age",
    "jobs so far", "session age", "jobs of the session so far", "last deposit", "deposits so far", "jobs of the wallet",
    "prompt beside the one before", "deposit beside the price", "spread of the wallet's prompts",
)
KINDS = ("provider", "sampler")
COPIED = "nearest observed wallet"


def draw_of(line: Line, chance: numpy.random.Generator) -> tuple[list[float], list[str]]:
    """One job of a wallet, as whoever watches the chain from the beginning of the week sees it."""
    jobs = line.jobs
    place = int(chance.integers(len(jobs)))
    job, before = jobs[place], jobs[place - 1] if place else None
    begun = place
    while begun and jobs[begun].at - jobs[begun - 1].at <= SITTING:
        begun -= 1
    funded = [one for one in line.deposits if one.at <= job.at]
    last = funded[-1] if funded else None
    seen = [line.born if place == 0 else jobs[place - 1].at, *(one.at for one in funded)]
    logs = [math.log(one.input_tokens) for one in jobs]
    numbers = [
        job.input_tokens, job.max_output_tokens, job.price, job.at % DAY, job.at % WEEK, job.at - max(seen),
        job.at - line.born, place, job.at - jobs[begun].at, place - begun, last.amount if last else 0, len(funded),
        len(jobs), job.input_tokens / before.input_tokens if before else 0.0, last.amount / job.price if last else 0.0,
        round(float(numpy.std(logs)), 9),  # of equal lengths it is rounding, and tells nothing
    ]
    return [float(one) for one in numbers], [job.provider, f"{job.sampler.kind} {job.sampler.temperature_milli}"]


def draws(lines: Sequence[Line], seed: int, count: int = DRAWS) -> tuple[Numbers, Numbers]:
    """One draw of each of `count` wallets; of fewer wallets, as many of each as it takes."""
    chance = numpy.random.Generator(numpy.random.PCG64(seed))
    rows = [draw_of(lines[i % len(lines)], chance) for i in range(count)]
    return numpy.array([row[0] for row in rows]), numpy.array([row[1] for row in rows])


def compare(canaries: Sequence[Line], fresh: Sequence[Line], seed: int, count: int = DRAWS) -> dict[str, float]:
    """The p-value of each feature, and of the classifier under "all together"."""
    (one, one_kinds), (other, other_kinds) = draws(canaries, seed, count), draws(fresh, seed + 1, count)
    found = {name: smirnov(one[:, i], other[:, i]) for i, name in enumerate(NUMBERS)}
    found |= {name: chi_square(one_kinds[:, i], other_kinds[:, i]) for i, name in enumerate(KINDS)}
    area, found["all together"] = told_apart(one, other, seed)
    return found | {"area under the curve": area}


def nearest(lines: Sequence[Line], observed: Sequence[Line], jobs: int = 5) -> Numbers:
    """How far the first jobs of each wallet (lengths and pauses, in logarithms) are from those of the observed wallet
    that is nearest: a copy would be nearer than chance brings two strangers."""
    known, found = _firsts(observed, jobs), []
    squares = (known**2).sum(1)
    firsts = _firsts(lines, jobs)
    for start in range(0, len(firsts), 500):
        part = firsts[start:start + 500]
        apart = (part**2).sum(1)[:, None] + squares[None] - 2 * part @ known.T
        found.append(numpy.sqrt(numpy.maximum(apart.min(1), 0)))
    return numpy.concatenate(found)


def _firsts(lines: Sequence[Line], jobs: int) -> Numbers:
    return numpy.array([
        [math.log(job.input_tokens) for job in line.jobs[:jobs]]
        + [math.log(1 + after.at - before.at) for before, after in zip(line.jobs, line.jobs[1:jobs], strict=False)]
        for line in lines if len(line.jobs) >= jobs])


def as_seen(line: Line) -> Line:
    """A planned line as the chain shows it once the requester's program has made its deposits."""
    deposits = line.deposits if line.jobs_ahead is None else tuple(by_program(line.jobs, line.jobs_ahead))
    return replace(line, deposits=deposits)


def plan_canaries(observed: Sequence[Line], count: int, seed: int) -> list[Line]:
    share = min(1.0, 1.05 * count / len(observed))
    made = [as_seen(line) for line in plan(observed, {}, 0.0, WEEK, share, keccak(seed.to_bytes(8, "big")))]
    within = [line for line in made if line.born >= WEEK and line.jobs[-1].at < 2 * WEEK]
    return within[:count] if len(within) >= count else made[:count]


def naive_planners(observed: Sequence[Line], count: int, seed: int) -> dict[str, list[Line]]:
    """What an oracle might do instead. Each has one thing wrong that a test should see."""
    good = plan_canaries(observed, count, seed)
    chance = numpy.random.Generator(numpy.random.PCG64(seed))
    jobs = [job for line in good for job in line.jobs[:1]]
    deposit = good[0].deposits[:1]
    other = chance.permutation(len(good))
    return {
        "fixed size": [replace(line, jobs=tuple(replace(job, input_tokens=200, max_output_tokens=64)
                                                for job in line.jobs)) for line in good],
        "one wallet": [Line("", deposit, tuple(sorted(jobs, key=lambda job: job.at)))],
        "a wallet for each job": [Line("", line.deposits[:1], line.jobs[-1:]) for line in good],
        "by the clock": [replace(line, jobs=tuple(replace(job, at=WEEK + (i * 977 + n * 600) % WEEK)
                                                  for n, job in enumerate(line.jobs))) for i, line in enumerate(good)],
        "each feature by itself": [
            replace(line, jobs=tuple(
                replace(job, input_tokens=theirs.jobs[n % len(theirs.jobs)].input_tokens)
                for n, job in enumerate(line.jobs)))
            for line, theirs in ((good[i], good[j]) for i, j in enumerate(other))],
    }


def measure(count: int, observed_count: int, seeds: Sequence[int]) -> dict[str, Any]:
    runs: list[dict[str, Any]] = []
    for seed in seeds:
        observed, fresh = make_lines(observed_count, seed), make_lines(round(TWINS * count), seed + 1_000, WEEK)
        planned = plan_canaries(observed, round(TWINS * count), seed)
        near, chance_near = nearest(planned, observed), nearest(fresh, observed)
        found = compare(planned, fresh, seed, count)
        found[COPIED] = smirnov(near, chance_near)
        runs.append({"seed": seed, "p": found, "wallets with five jobs": [len(near), len(chance_near)]})
        low = {name: round(p, 6) for name, p in found.items() if p <= 0.05}
        print(f"seed {seed}: p at most 0.05: {low or 'none'}", flush=True)
    controls = {name: compare([as_seen(line) for line in lines], fresh, seeds[-1], count)
                for name, lines in naive_planners(observed, count, seeds[-1]).items()}
    copies = [replace(one, jobs=tuple(replace(job, at=job.at + WEEK) for job in one.jobs)) for one in observed[:count]]
    controls["copies"] = {COPIED: smirnov(nearest(copies, observed), chance_near)}
    names = [name for name in runs[0]["p"] if "area" not in name]
    every = [run["p"][name] for run in runs for name in names]
    return {
        "draws": count, "observed_wallets": observed_count, "features": names, "runs": runs, "controls": controls,
        "p_below_0.05": sum(p <= 0.05 for p in every), "p_values": len(every),
        "by_feature": {name: sum(run["p"][name] <= 0.05 for run in runs) for name in names},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--observed", type=int, default=OBSERVED)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(1, 11)))
    parser.add_argument("--output", type=Path, default=RESULT)
    chosen = parser.parse_args()
    found = measure(chosen.draws, chosen.observed, chosen.seeds)
    chosen.output.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps({"first run": found["runs"][0], "controls": found["controls"], "by_feature": found["by_feature"],
                      "p below 0.05": f"{found['p_below_0.05']} of {found['p_values']}"}, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
