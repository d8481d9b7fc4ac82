"""Scores what `collect` and `noise` left: `python -m benchmarks.verification.score`. Runs no model; a minute or two.

Writes benchmarks/results/verification.json, docs/VERIFICATION.md and the plots in docs/plots.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.verification.edits import edits
from benchmarks.verification.measure import measure
from benchmarks.verification.noise import LENGTHS, read_noise
from benchmarks.verification.peers import load_toploc
from benchmarks.verification.prompts import half
from benchmarks.verification.records import Shelf
from benchmarks.verification.report import write_report
from benchmarks.verification.thresholds import FACTOR, PEERS, PLAIN, Answer, Rules, beyond, caught, rules_of
from benchmarks.verification.ways import LONG, long_ways, ways
from protocol.thresholds import false_alarm_bound

RESULT = Path(__file__).resolve().parents[1] / "results" / "verification.json"
REQUESTS = (4, 8, 16)
DRAWS = 2_000


@dataclass(frozen=True)
class Shelved:
    """A way's answers, measured at each length."""

    name: str
    honest: bool
    at: Mapping[int, list[Answer]]
    toploc: int | None


def measured(name: str, honest: bool, lengths: Sequence[int] = LENGTHS) -> Shelved:
    """Every record of a shelf at every length, with the second look where it was taken."""
    noise, toploc, rejected = read_noise(name), load_toploc(), 0
    at: dict[int, list[Answer]] = {k: [] for k in lengths}
    for number, record in enumerate(Shelf(name).read()):
        for length in lengths:
            looked = noise.get(number, {}).get(length, {})
            at[length].append(Answer(record.line.place, measure(record, length), looked))
        rejected += bool(toploc and toploc(record))
    return Shelved(name, honest, at, rejected if toploc else None)


def score(shelves: Sequence[Shelved]) -> dict[str, Any]:
    """All figures. Raises ValueError when a half has no honest answer."""
    lines: dict[str, Any] = {shelf.name: {"honest": shelf.honest, "sequences": len(shelf.at[LENGTHS[0]]),
                                          "toploc_shipped": _share(shelf.toploc, len(shelf.at[LENGTHS[0]])), "at": {}}
                             for shelf in shelves}
    rules: dict[str, Any] = {}
    for length in LENGTHS:
        honest = [one for shelf in shelves if shelf.honest for one in shelf.at[length]]
        ours, peers = rules_of(honest), rules_of(honest, PEERS)
        rules[str(length)] = {side: {name: asdict(rule) for name, rule in of.items()} for side, of in ours.items()}
        for shelf in shelves:
            lines[shelf.name]["at"][str(length)] = _line(shelf.at[length], ours, peers)
    return {"rules": rules, "ways": lines, "together": _together(shelves),
            "false_alarms": {str(length): _false_alarms(shelves, length, lines) for length in LENGTHS}}


def _line(found: Sequence[Answer], ours: Rules, peers: Rules) -> dict[str, Any]:
    said, count = [caught(one, ours) for one in found], len(found)
    alone = [beyond(one, ours, PLAIN) for one in found]
    others = [beyond(one, peers, PEERS) for one in found]
    return {
        "caught": _share(sum(map(bool, said)), count),
        "caught_count": sum(map(bool, said)),
        "by_check": {name: _share(sum(name in one for one in said), count) for name in PLAIN},
        "beyond_without_second_look": sum(map(bool, alone)),
        "fingerprint_without_second_look": _share(sum("fingerprint" in one for one in alone), count),
        "looked_at_twice": _share(sum(_is_screened(one, ours) for one in found), count),
        "peers_recalibrated": {name: _share(sum(name in one for one in others), count) for name in PEERS},
        "proof_bytes_most": max((one.measured.proof_bytes for one in found), default=0),
    }


def _is_screened(one: Answer, rules: Rules) -> bool:
    return any(PLAIN[name](one.measured) > rule.screen for name, rule in rules[half(one.place)].items())


def _false_alarms(shelves: Sequence[Shelved], length: int, lines: Mapping[str, Any]) -> dict[str, Any]:
    honest = [lines[shelf.name] for shelf in shelves if shelf.honest]
    count = sum(line["sequences"] for line in honest)
    alarms = sum(line["at"][str(length)]["caught_count"] for line in honest)
    alone = sum(line["at"][str(length)]["beyond_without_second_look"] for line in honest)
    return {"sequences": count, "alarms": alarms, "without_second_look": alone, "rate": _share(alarms, count),
            "bound_95_if_none": round(false_alarm_bound(count), 6)}


def _together(shelves: Sequence[Shelved], length: int = LENGTHS[-1]) -> dict[str, Any]:
    """Several requests of one provider: the mean of the clipped margin over all their tokens, with a threshold that is
    1.25 times the largest of as many groups of honest requests of the other half."""
    found: dict[str, Any] = {}
    honest = [one for shelf in shelves if shelf.honest for one in shelf.at[length]]
    for requests in REQUESTS:
        limits = {side: FACTOR * max(_groups(honest, 1 - side, requests, 1)) for side in (0, 1)}
        row = {"honest": _above(honest, limits, requests)}
        row |= {shelf.name: _above(shelf.at[length], limits, requests) for shelf in shelves if not shelf.honest}
        found[str(requests)] = row
    return found


def _above(answers: Sequence[Answer], limits: Mapping[int, float], requests: int) -> float:
    values = [(side, value) for side in (0, 1) for value in _groups(answers, side, requests, 2)]
    return round(sum(value > limits[side] for side, value in values) / max(1, len(values)), 4)


def _groups(answers: Sequence[Answer], side: int, requests: int, seed: int) -> list[float]:
    """Mean margins of `DRAWS` groups of requests drawn with replacement from one half."""
    draw = Random(seed)
    values = [one.measured.statistics.mean_margin for one in answers if half(one.place) == side]
    return [sum(draw.choices(values, k=requests)) / requests for _ in range(DRAWS)] if values else []


def _share(part: int | None, whole: int) -> float | None:
    return None if part is None or not whole else round(part / whole, 4)


def main() -> int:
    names = {way.name: way.honest for way in ways()} | {edit.name: False for edit in edits()}
    shelves = [measured(name, honest) for name, honest in names.items() if Shelf(name).count()]
    found = score(shelves)
    long = [measured(way.name, way.honest, (LONG,)) for way in long_ways() if Shelf(way.name).count()]
    if any(shelf.honest for shelf in long):
        found["together_long"] = {"sequences": {shelf.name: len(shelf.at[LONG]) for shelf in long},
                                  "caught": _together(long, LONG)}
    found["versions"] = {"torch": version("torch"), "python": platform.python_version(), "machine": platform.machine()}
    RESULT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(write_report(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
