"""The figures as a table in docs/VERIFICATION.md and as plots in docs/plots."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.plots import Axis, Series, bar_plot, heatmap, percent

DOCS = Path(__file__).resolve().parents[2] / "docs"
BEGIN, END = "<!-- figures: written by `make bench-verification` -->", "<!-- end of figures -->"


def write_report(found: Mapping[str, Any]) -> str:
    """Writes plots and table; returns the table."""
    honest = {name: line for name, line in found["ways"].items() if line["honest"]}
    cheats = {name: line for name, line in found["ways"].items() if not line["honest"]}
    table = "\n".join([_alarms(found), "", _cheats(cheats), "", _honest(honest), "", _together(found["together"], 32)])
    if "together_long" in found:
        table += "\n\n" + _together(found["together_long"]["caught"], 128)
    page = DOCS / "VERIFICATION.md"
    if page.exists() and BEGIN in (text := page.read_text(encoding="utf-8")):
        before, rest = text.split(BEGIN, 1)
        page.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{rest.split(END, 1)[1]}", encoding="utf-8")
    _plots(cheats)
    return table


def _alarms(found: Mapping[str, Any]) -> str:
    rows = ["| tokens | honest answers scored | false alarms | without a second look | 95 % bound if none |",
            "|---|---|---|---|---|"]
    rows += [f"| {length} | {one['sequences']} | {one['alarms']} | {one['without_second_look']} "
             f"| {one['bound_95_if_none']:.2%} |"
             for length, one in found["false_alarms"].items()]
    return "\n".join(rows)


def _cheats(cheats: Mapping[str, Any]) -> str:
    head = ("cheat", "answers", "8 tokens", "16", "32", "margins alone, 32", "fingerprint alone, 8",
            "TOPLOC as shipped, 32", "Token-DiFR, 32", "Activation-DiFR, 32")
    rows = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, line in cheats.items():
        at, checks = line["at"], line["at"]["32"]["by_check"]
        margins = max(checks["max_margin"], checks["mean_margin"])
        shares = [*(at[k]["caught"] for k in ("8", "16", "32")), margins, at["8"]["by_check"]["fingerprint"],
                  line["toploc_shipped"], *at["32"]["peers_recalibrated"].values()]
        cells = " | ".join(_percent(one) for one in shares)
        rows.append(f"| {name} | {line['sequences']} | {cells} |")
    return "\n".join(rows)


def _honest(honest: Mapping[str, Any]) -> str:
    rows = ["| benign variation | answers | alarms at 8 / 16 / 32 tokens | looked at twice, 16 | TOPLOC as shipped |",
            "|---|---|---|---|---|"]
    for name, line in honest.items():
        alarms = " / ".join(str(line["at"][length]["caught_count"]) for length in line["at"])
        twice = _percent(line["at"]["16"]["looked_at_twice"])
        rows.append(f"| {name} | {line['sequences']} | {alarms} | {twice} | {_percent(line['toploc_shipped'])} |")
    return "\n".join(rows)


def _together(found: Mapping[str, Any], tokens: int) -> str:
    names = [name for name in found["16"] if found["4"][name] < 1]
    rows = [f"| mean margin over several requests of {tokens} tokens | 4 | 8 | 16 |", "|---|---|---|---|"]
    rows += [f"| {name} | " + " | ".join(_percent(found[count][name]) for count in found) + " |" for name in names]
    return "\n".join(rows)


def _plots(cheats: Mapping[str, Any]) -> None:
    folder = DOCS / "plots"
    folder.mkdir(exist_ok=True)
    names = list(cheats)
    columns = ["8 tokens", "16 tokens", "32 tokens", "TOPLOC shipped", "Token-DiFR", "Activation-DiFR"]
    values = [[*(line["at"][k]["caught"] for k in ("8", "16", "32")), line["toploc_shipped"],
               *line["at"]["32"]["peers_recalibrated"].values()] for line in cheats.values()]
    note = "Share of dishonest answers caught, thresholds fixed on other prompts. The last three see 32 tokens."
    picture = heatmap("What is caught", names, columns, values, low=0.0, high=1.0, as_text=percent, note=note)
    (folder / "verification.svg").write_text(picture, encoding="utf-8")
    forward = [name for name in ("int8", "int8 + bf16", "fp8 KV", "weights + 1 % noise") if name in cheats]
    if forward:
        series = [Series(f"{k} tokens", tuple(cheats[n]["at"][k]["by_check"]["fingerprint"] or 0.0 for n in forward))
                  for k in ("8", "16", "32")]
        plot = bar_plot("Fingerprints against cheaper arithmetic", forward, Axis("share caught"), series)
        (folder / "fingerprints.svg").write_text(plot, encoding="utf-8")


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
