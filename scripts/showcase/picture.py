"""Draws the demo's tables as an SVG for the README.

`python -m scripts.showcase.picture var/demo/summary.json docs/demo.svg`

The picture holds what the demo printed, from the summary that it wrote, and refers to nothing outside itself.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from scripts.showcase.table import print_balances, print_jobs

WIDTH = 150


def draw(summary: dict[str, object]) -> str:
    """The SVG text. `summary` is that of docs/demo-summary.schema.json."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, highlight=False)
    print_jobs(console, summary["jobs"])  # type: ignore[arg-type]
    print_balances(console, summary["balances"])  # type: ignore[arg-type]
    picture = console.export_svg(title="make demo")
    return re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)


def main(arguments: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    if len(words) != 2:
        print("Usage: python -m scripts.showcase.picture SUMMARY.json PICTURE.svg", file=sys.stderr)
        return 2
    source, target = map(Path, words)
    target.write_text(draw(json.loads(source.read_text(encoding="utf-8"))), encoding="utf-8")
    print(f"Drew {target}.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
