"""Scores what `collect` and `noise` left: `python -m benchmarks.verification.score`. Runs no model; a minute or two.

Writes benchmarks/results/verification.json, docs/verification.md and the plots in docs/plots.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.verification.edits import edits
from benchmarks.verification.measure import Measured, measure
from benchmarks.verification.noise import LENGTHS, SCREENS, read_noise
from benchmarks.verification.peers import load_toploc
from benchmarks.verification.prompts import half
from benchmarks.verification.records import Record, Shelf
from benchmarks.verification.report import write_report
from benchmarks.verification.thresholds import CHECKS, PEERS, PLAIN, Limits, caught, limits_of
from benchmarks.verification.ways import ways
from protocol.profile import SAFETY_FACTOR, false_alarm_bound

RESULT = Path(__file__).resolve().parents[1] / "results" / "verification.json"
REQUESTS = (4, 8, 16)
DRAWS = 2_000


@dataclass(frozen=True)
class Shelved:
    """A way's answers, measured at each length: (place of the prompt, measured)."""

    name: str
    honest: bool
    at: Mapping[int, list[tuple[int, Measured]]]
    toploc: int | None


def measured(name: str, honest: bool) -> Shelved:
    """Every record of a shelf at every length, with the second look where it was taken."""
    noise, at, toploc, rejected = read_noise(name), {k: [] for k in LENGTHS}, load_toploc(), 0
    for number, record in enumerate(Shelf(name).read()):
        for length in LENGTHS:
            at[length].append((record.line.place, _looked(record, length, noise.get(number, {}))))
        rejected += bool(toploc and toploc(record))
    return Shelved(name, honest, at, rejected if toploc else None)


def _looked(record: Record, length: int, noise: Mapping[int, float]) -> Measured:
    found = measure(record, length)
    distance = found.statistics.fingerprint_distance or 0.0
    if distance > SCREENS[length] and length in noise:
        return replace(found, second_look=distance / noise[length])
    return found


def score(shelves: Sequence[Shelved]) -> dict[str, Any]:
    """All figures. Raises ValueError when a half has no honest answer."""
    lines: dict[str, Any] = {shelf.name: {"honest": shelf.honest, "sequences": len(shelf.at[LENGTHS[0]]),
                                          "toploc_shipped": _share(shelf.toploc, len(shelf.at[LENGTHS[0]])), "at": {}}
                             for shelf in shelves}
    thresholds: dict[str, Any] = {}
    for length in LENGTHS:
        honest = [one for shelf in shelves if shelf.honest for one in shelf.at[length]]
        ours, plain, peers = (limits_of(honest, checks) for checks in (CHECKS, PLAIN, PEERS))
        thresholds[str(length)] = {"screen": SCREENS[length], "by_half": ours, "without_second_look": plain}
        for shelf in shelves:
            lines[shelf.name]["at"][str(length)] = _line(shelf.at[length], ours, plain, peers)
    return {"thresholds": thresholds, "ways": lines, "together": _together(shelves),
            "false_alarms": {str(length): _false_alarms(shelves, length, lines) for length in LENGTHS}}


def _line(found: Sequence[tuple[int, Measured]], ours: Limits, plain: Limits, peers: Limits) -> dict[str, Any]:
    said = [caught(place, one, ours, CHECKS) for place, one in found]
    alone = [caught(place, one, plain, PLAIN) for place, one in found]
    others = [caught(place, one, peers, PEERS) for place, one in found]
    count = len(found)
    return {
        "caught": _share(sum(map(bool, said)), count),
        "caught_count": sum(map(bool, said)),
        "by_check": {name: _share(sum(name in one for one in said), count) for name in CHECKS},
        "fingerprint_without_second_look": _share(sum("fingerprint" in one for one in alone), count),
        "looked_at_twice": _share(sum(one.second_look > 0 for _, one in found), count),
        "peers_recalibrated": {name: _share(sum(name in one for one in others), count) for name in PEERS},
        "proof_bytes_most": max((one.proof_bytes for _, one in found), default=0),
    }


def _false_alarms(shelves: Sequence[Shelved], length: int, lines: Mapping[str, Any]) -> dict[str, Any]:
    honest = [shelf.name for shelf in shelves if shelf.honest]
    count = sum(lines[name]["sequences"] for name in honest)
    alarms = sum(lines[name]["at"][str(length)]["caught_count"] for name in honest)
    return {"sequences": count, "alarms": alarms, "rate": _share(alarms, count),
            "bound_95_if_none": round(false_alarm_bound(count), 6)}


def _together(shelves: Sequence[Shelved]) -> dict[str, Any]:
    """Several requests of one provider: the mean of the clipped margin over all their tokens, with a threshold that is
    1.25 times the largest of as many groups of honest requests of the other half."""
    found: dict[str, Any] = {}
    honest = [one for shelf in shelves if shelf.honest for one in shelf.at[LENGTHS[-1]]]
    for requests in REQUESTS:
        limits = {side: float(SAFETY_FACTOR) * max(_groups(honest, 1 - side, requests)) for side in (0, 1)}
        false = sum(value > limits[side] for side in (0, 1) for value in _groups(honest, side, requests, 2))
        row = {"honest": false / (2 * DRAWS)}
        for shelf in shelves:
            if not shelf.honest and shelf.at[LENGTHS[-1]]:
                values = [(side, value) for side in (0, 1)
                          for value in _groups(shelf.at[LENGTHS[-1]], side, requests, 3)]
                row[shelf.name] = sum(value > limits[side] for side, value in values) / len(values)
        found[str(requests)] = {name: round(value, 4) for name, value in row.items()}
    return found


def _groups(found: Sequence[tuple[int, Measured]], side: int, requests: int, seed: int = 1) -> list[float]:
    """Mean margins of `DRAWS` groups of requests drawn with replacement from one half."""
    draw, values = Random(seed), [one.statistics.mean_margin for place, one in found if half(place) == side]
    return [sum(draw.choices(values, k=requests)) / requests for _ in range(DRAWS)] if values else [0.0]


def _share(part: int | None, whole: int) -> float | None:
    return None if part is None or not whole else round(part / whole, 4)


def main() -> int:
    shelves = [shelf for one in (*ways(), *edits())
               if (shelf := measured(one.name, getattr(one, "honest", False))).at[LENGTHS[0]]]
    found = score(shelves)
    found["versions"] = {"torch": version("torch"), "python": platform.python_version(), "machine": platform.machine()}
    RESULT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(write_report(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
