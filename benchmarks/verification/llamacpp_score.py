"""What an oracle makes of llama.cpp's answers: `python -m benchmarks.verification.llamacpp_score`. Runs no model.

The thresholds are those of the class's profile, made from the shipped corpus; the scored prompts are the benchmark's
own. Writes benchmarks/results/llamacpp.json.
"""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.verification.llamacpp import llama_ways, read_lines
from benchmarks.verification.llamacpp_noise import LENGTHS, Apart, read_noise
from benchmarks.verification.llamacpp_profile import build_profile, measure
from benchmarks.verification.records import Line
from protocol.documents import document_digest
from protocol.encoding import to_hex
from protocol.profile import CalibrationProfile
from protocol.sampling import PLAIN
from protocol.thresholds import beyond, false_alarm_bound, thresholds
from protocol.verdict import EDITED_TOKEN, judge, needs_self_noise

RESULT = Path(__file__).resolve().parents[1] / "results" / "llamacpp.json"
SHORT_ANSWERS = (1, 2, 4)
COMMANDS = ("llamacpp", "llamacpp_noise", "llamacpp_profile", "llamacpp_score")


def score(profile: CalibrationProfile) -> dict[str, Any]:
    """All figures of what was collected."""
    ways: dict[str, Any] = {}
    honest: list[Line] = []
    for way in llama_ways():
        lines = read_lines(way.name)
        if not lines:
            continue
        noise = read_noise(way.name)
        ways[way.name] = {"honest": way.honest, "answers": len(lines), "tokens": sum(len(one.tokens) for one in lines),
                          "at": {str(length): _row(profile, lines, noise, length) for length in LENGTHS
                                 if _asked_for(lines, length)}}
        honest += lines if way.honest else []
    for name, way_found in ways.items():
        for length, row in way_found["at"].items():
            row["auc_against_honest"] = _auc(honest, _asked_for(read_lines(name), int(length)), int(length))
    return {
        "profile": {"digest": to_hex(document_digest(profile)), "sequences": profile.sequences,
                    "comparisons": profile.comparisons, "thresholds": thresholds(profile),
                    "edit_margin": profile.edit_margin},
        "false_alarms": {str(length): _alarms(profile, honest, length) for length in (*SHORT_ANSWERS, *LENGTHS)},
        "ways": ways,
    }


def _row(profile: CalibrationProfile, lines: Sequence[Line], noise: dict[int, list[Apart]],
         length: int) -> dict[str, Any]:
    """Shares of answers that leave the profile, by statistic, and the verdicts of those that were looked at twice."""
    lines = _asked_for(lines, length)
    measured = [measure(line, length) for line in lines]
    said = [beyond(profile, one) for one in measured]
    names = sorted(profile.statistics)
    values = {name: sorted(float(getattr(one, name)) for one in measured) for name in names}
    verdicts: Counter[str] = Counter()
    for number, (line, one) in enumerate(zip(lines, measured, strict=True)):
        needed = needs_self_noise(profile, PLAIN, one)
        if needed and number not in noise:
            verdicts["not looked at twice"] += 1
            continue
        spread = [apart.statistics(length, line.finish) for apart in noise[number]] if needed else []
        found = judge(profile, PLAIN, one, spread).verdict
        exact = EDITED_TOKEN in found.checks
        verdicts["exact" if exact else found.checks[0] if found.checks else "pass"] += 1
    return {
        "answers": len(lines), "beyond": round(sum(map(bool, said)) / len(lines), 4),
        "beyond_count": sum(map(bool, said)),
        "by_statistic": {name: round(sum(name in one for one in said) / len(lines), 4) for name in names},
        "least_median_most": {name: [round(found[place], 4) for place in (0, len(found) // 2, -1)]
                              for name, found in values.items()},
        "verdicts": dict(sorted(verdicts.items())),
    }


def _asked_for(lines: Sequence[Line], length: int) -> list[Line]:
    """Answers that were allowed so many tokens; they are the first of their way."""
    return [line for line in lines if line.limit >= length]


def _auc(honest: Sequence[Line], others: Sequence[Line], length: int) -> float:
    """How often an answer has a larger top-5 logprob distance than an honest one: 0.5 is blind."""
    ranked = sorted([(_top_distance(line, length), 0) for line in honest]
                    + [(_top_distance(line, length), 1) for line in others])
    below = pairs = 0
    for _, is_other in ranked:
        pairs += below * is_other
        below += 1 - is_other
    return round(pairs / (len(honest) * len(others)), 4)


def _top_distance(line: Line, length: int) -> float:
    return measure(line, length).mean_top_logprob_distance or 0.0


def _alarms(profile: CalibrationProfile, lines: Sequence[Line], length: int) -> dict[str, Any]:
    lines = _asked_for(lines, length)
    alarms = sum(bool(beyond(profile, measure(line, length))) for line in lines)
    return {"answers": len(lines), "alarms": alarms, "bound_95_if_none": round(false_alarm_bound(len(lines)), 5)}


def main() -> int:
    found = score(build_profile())
    found["commands"] = [f"python -m benchmarks.verification.{name}" for name in COMMANDS]
    found["versions"] = {"xllamacpp": version("xllamacpp"), "torch": version("torch"),
                         "python": platform.python_version(), "machine": platform.machine()}
    RESULT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    for name, way in found["ways"].items():
        shares = " / ".join(f"{row['beyond']:.1%} of {row['answers']}" for row in way["at"].values())
        print(f"{name}: {shares} beyond the profile; {way['at']['8']['verdicts']}")
    print(json.dumps(found["false_alarms"]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
