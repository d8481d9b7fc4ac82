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
from rich.text import Text

from scripts.showcase.table import print_balances, print_jobs

WIDTH = 162


def draw(summary: dict[str, object]) -> str:
    """The SVG text. `summary` is that of docs/demo-summary.schema.json."""
    printed = io.StringIO()
    terminal = Console(width=WIDTH, file=printed, force_terminal=True, highlight=False)
    print_jobs(terminal, summary["jobs"])  # type: ignore[arg-type]
    print_balances(terminal, summary["balances"])  # type: ignore[arg-type]
    sheet = Console(record=True, width=WIDTH, file=io.StringIO(), highlight=False)
    sheet.print(Text.from_ansi(printed.getvalue()), soft_wrap=True)
    picture = sheet.export_svg(title="make demo")
    # Some viewers drop the spaces at the beginning of a line otherwise.
    picture = picture.replace("<svg ", '<svg xml:space="preserve" ', 1)
    # The fonts would be fetched from elsewhere; every viewer has a monospaced one.
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
