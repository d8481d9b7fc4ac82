"""Progress for people: on a terminal one line a step that is redrawn, otherwise one plain line a change."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text


class Steps:
    """`steps(step, detail)` says where things stand; `with Steps(): …` draws while it lasts.

    The last step said is the running one; the others are done. Silent when `quiet`.
    """

    def __init__(self, quiet: bool = False, stream: TextIO | None = None) -> None:
        self.console = Console(file=stream or sys.stdout, highlight=False, soft_wrap=True)
        self._quiet = quiet
        self._began = time.monotonic()
        self._details: dict[str, str] = {}
        self._current = ""
        self._live: Live | None = None
        self._spinner = Spinner("dots")

    def __enter__(self) -> Steps:
        if not self._quiet and self.console.is_terminal:
            self._live = Live(get_renderable=self._draw, console=self.console, refresh_per_second=8, transient=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._current = ""
        self.stop_drawing()

    def finish(self) -> None:
        """Every step is done; what comes after is plain text."""
        self._current = ""
        self.stop_drawing()

    def stop_drawing(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __call__(self, step: str, detail: str) -> None:
        if self._details.get(step) == detail:
            return
        self._details[step], self._current = detail, step
        if not self._quiet and self._live is None:
            self.console.print(f"[{time.monotonic() - self._began:6.1f} s] {step}: {detail}", markup=False)

    def _draw(self) -> Table:
        table = Table.grid(padding=(0, 1))
        for step, detail in self._details.items():
            mark = self._spinner if step == self._current else "✓"
            table.add_row(mark, Text(step), Text(detail))
        table.add_row("", "", f"{time.monotonic() - self._began:.0f} s")
        return table
