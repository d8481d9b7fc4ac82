"""Small ways in which the contracts are broken: standard operators on statements of escrow, staking and rewards."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import schemata

TARGETS = (
    "contracts/JobEscrow.sol",
    "contracts/escrow/*.sol",
    "contracts/Staking.sol",
    "contracts/staking/*.sol",
    "contracts/Rewards.sol",
)
OPERATORS: tuple[tuple[str, str, str], ...] = (
    ("boundary", r" >= ", " > "),
    ("boundary", r" <= ", " < "),
    ("boundary", r" < ", " <= "),
    ("boundary", r" > ", " >= "),
    ("equality", r" == ", " != "),
    ("equality", r" != ", " == "),
    ("logic", r" && ", " || "),
    ("logic", r" \|\| ", " && "),
    ("arithmetic", r" \+ ", " - "),
    ("arithmetic", r" - ", " + "),
    ("arithmetic", r" \* ", " / "),
    ("effect", r" \+= ", " -= "),
    ("effect", r" -= ", " += "),
    ("refusal", r"\bif \((.*)\) revert ", r"if (false) revert "),
    ("refusal", r"\bif \((.*)\) \{\n\s+revert ", r"if (false) {"),
    ("removed", r"^(\s+)(_?[a-zA-Z_.]+\(.*\));$", r"\1// \2;"),
)
SKIPPED = (
    "//",
    "import ",
    "emit ",
    "error ",
    "event ",
    "using ",
    "pragma ",
    "contract ",
    "abstract ",
    "for (",
)


@dataclass(frozen=True)
class Mutant:
    """One change of one line."""

    file: str
    line: int
    operator: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.operator}: {self.new.strip()}"


def mutants(root: Path) -> list[Mutant]:
    """Every change that an operator makes to a statement of the targets, in the order of the sources."""
    found: list[Mutant] = []
    for pattern in TARGETS:
        for path in sorted(root.glob(pattern)):
            found += mutants_of(str(path.relative_to(root)), path.read_text())
    return found


def mutants_of(name: str, source: str) -> list[Mutant]:
    found: list[Mutant] = []
    code = schemata.masked(source)
    lines = source.splitlines()
    at = 0
    for number, text in enumerate(lines, 1):
        after = lines[number] if number < len(lines) else ""
        if text.strip() and not text.strip().startswith(SKIPPED):
            first = at + len(text) - len(text.lstrip())
            begins = schemata.statement_at(code, first)[0] == first
            for operator, new in changes_of(text, after):
                # The end of a longer statement is nothing that could be removed.
                if operator != "removed" or begins:
                    found.append(Mutant(name, number, operator, text, new))
        at += len(text) + 1
    return found


def changes_of(text: str, after: str = "") -> list[tuple[str, str]]:
    """What each operator makes of a line, one occurrence at a time; `after` is the line that follows."""
    changed: list[tuple[str, str]] = []
    for operator, pattern, new in OPERATORS:
        seen = f"{text}\n{after}" if r"\n" in pattern else text
        for match in re.finditer(pattern, seen):
            changed.append((operator, text[: match.start()] + match.expand(new) + text[match.end() :]))
    return changed


def change_of(mutant: Mutant, name: int, source: str) -> schemata.Change:
    """The mutant as a replacement of characters of its source, behind the switch `name`."""
    start, stop, text = schemata.edit_of(mutant.old, mutant.new)
    at = sum(len(line) + 1 for line in source.splitlines()[: mutant.line - 1])
    return schemata.Change(name, at + start, at + stop, text)
