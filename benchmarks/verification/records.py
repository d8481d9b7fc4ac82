"""What a run leaves on disk: one JSON line a sequence, and beside it the hidden states of both sides as float32."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy
from numpy.typing import NDArray

FOLDER = Path(__file__).resolve().parents[2] / "var" / "bench" / "verification"
States = NDArray[numpy.float32]


@dataclass(frozen=True)
class Line:
    """One sequence: who asked what, what the provider claims, what the verifier's float32 replay of it found.

    `claimed_top` and `own_top` are the replay's logprobs of the claimed five ids and of its own best five.
    """

    place: int
    prompt_tokens: int
    seed: int
    temperature_milli: int
    limit: int
    tokens: tuple[int, ...]
    finish: str
    logprobs: tuple[float, ...]
    top: str
    margins: tuple[float, ...]
    own_logprobs: tuple[float, ...]
    claimed_top: tuple[tuple[float, ...], ...]
    own_top: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Record:
    """A line with the hidden states (tokens, hidden) of the provider and of the verifier."""

    line: Line
    claimed: States
    own: States


def slug(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name).strip("-")


class Shelf:
    """The sequences of one way. A batch is appended whole: its states first, its lines after them."""

    def __init__(self, name: str, folder: Path = FOLDER) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.lines, self._states = folder / f"{slug(name)}.jsonl", folder / f"{slug(name)}.f32"

    def count(self) -> int:
        return len(self.lines.read_text().splitlines()) if self.lines.exists() else 0

    def append(self, records: list[Record]) -> None:
        with self._states.open("ab") as stream:
            stream.truncate(self._size())  # states of a batch whose lines were never written
            stream.seek(0, 2)
            for record in records:
                stream.write(record.claimed.astype("<f4").tobytes() + record.own.astype("<f4").tobytes())
        with self.lines.open("a") as stream:
            stream.write("".join(json.dumps(asdict(record.line)) + "\n" for record in records))

    def read(self, hidden: int = 576) -> Iterator[Record]:
        if not self.lines.exists():
            return
        states, at = numpy.memmap(self._states, "<f4", "r"), 0
        for text in self.lines.read_text().splitlines():
            line = _line(json.loads(text))
            size = len(line.tokens) * hidden
            both = states[at : at + 2 * size].reshape(2, -1, hidden)
            at += 2 * size
            yield Record(line, both[0], both[1])

    def _size(self, hidden: int = 576) -> int:
        if not self.lines.exists():
            return 0
        return sum(8 * hidden * len(json.loads(text)["tokens"]) for text in self.lines.read_text().splitlines())


def _line(value: dict) -> Line:
    for name in ("tokens", "logprobs", "margins", "own_logprobs"):
        value[name] = tuple(value[name])
    for name in ("claimed_top", "own_top"):
        value[name] = tuple(tuple(row) for row in value[name])
    return Line(**value)
