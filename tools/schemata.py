"""Puts many small changes of a Solidity source behind switches, so that one compilation serves all of them.

A change replaces the characters of one place. The smallest thing around it that can be doubled is written once as it
was and once for each change: a condition or the value of a declaration as `Mutant.on(7) ? changed : original`, any
other statement as `if (Mutant.on(7)) changed else original`. Which one runs is read from `block.coinbase`, which is no
setting of the compiler. Every copy stands on lines of its own, so that an error of the compiler names a change.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

SWITCH = """// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

library Mutant {
    function on(uint256 id) internal pure returns (bool) {
        return _asPure(_chosen)() == id;
    }

    function _chosen() private view returns (uint256) {
        return uint160(address(block.coinbase));
    }

    /// @dev Code that asks stays `pure`, as it was declared.
    function _asPure(function() view returns (uint256) reading)
        private
        pure
        returns (function() pure returns (uint256) same)
    {
        assembly { same := reading }
    }
}
"""
NOT_CODE = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)
HEAD = re.compile(r"(?:else\s+)?if\s*(?=\()")
ELSE = re.compile(r"else\b\s*")
UNSWITCHED = re.compile(r"(?:for|while)\b|.*\b(?:constant|immutable)\b", re.DOTALL)
VALUE = re.compile(r"(?:\w[\w.\[\]]*\s+(?:(?:memory|storage|calldata)\s+)?\w+|\([^=;]*\))\s*=(?!=)\s*")
OPENING, CLOSING = "([", ")]"


@dataclass(frozen=True)
class Change:
    """`text` in place of the characters from `start` to before `stop`; `name` is the number of its switch."""

    name: int
    start: int
    stop: int
    text: str


@dataclass(frozen=True)
class Unit:
    """What is doubled: the characters from `start` to before `stop`, a value or a whole statement."""

    start: int
    stop: int
    is_value: bool


@dataclass(frozen=True)
class Rewritten:
    """A source with switches; `lines` says which changes each of its lines (from 1) belongs to."""

    text: str
    lines: dict[int, frozenset[int]]
    left_out: frozenset[int]


def masked(source: str) -> str:
    """The source with blanks in place of comments and strings; every other character is where it was."""
    return NOT_CODE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), source)


def statement_at(code: str, place: int) -> tuple[int, int]:
    """Where the statement, or the head of a block, around a character of masked code begins and is over."""
    start, depth = place, 0
    while start > 0:
        before = code[start - 1]
        depth += (before in CLOSING) - (before in OPENING)
        if before in "{}" or (before == ";" and depth <= 0):
            break
        start -= 1
    start += len(code[start:place]) - len(code[start:place].lstrip())
    stop, depth = start, 0
    while stop < len(code) and (depth or code[stop] not in ";{}"):
        depth += (code[stop] in OPENING) - (code[stop] in CLOSING)
        stop += 1
    return start, min(stop + 1, len(code))


def unit_at(code: str, start: int, stop: int) -> Unit | None:
    """What has to be doubled to change the characters from `start` to `stop`; None where that cannot be."""
    first, last = statement_at(code, start)
    while True:
        if head := HEAD.match(code, first, last):
            end = _closing(code, head.end())
            if head.end() < start and stop <= end:
                return Unit(head.end() + 1, end, True)
            first = end + 1
        elif other := ELSE.match(code, first, last):
            first = other.end()
        else:
            break
        first += len(code[first:last]) - len(code[first:last].lstrip())
    if not first <= start <= stop <= last or code[last - 1] != ";" or UNSWITCHED.match(code, first, last):
        return None
    if not code.startswith("return", first) and (value := VALUE.match(code, first, last)):
        return Unit(value.end(), last - 1, True) if value.end() <= start and stop < last else None
    return Unit(first, last, False)


def rewrite(source: str, changes: list[Change], library: str) -> Rewritten:
    """The source with every change behind its switch.

    `library` is the path of `SWITCH` as this source imports it. Changes that no unit holds are `left_out`.
    """
    code = masked(source)
    units: dict[Unit, list[Change]] = {}
    left_out: set[int] = set()
    for change in changes:
        unit = unit_at(code, change.start, change.stop)
        if unit is None:
            left_out.add(change.name)
        else:
            units.setdefault(unit, []).append(change)
    pieces: list[tuple[str, frozenset[int]]] = []
    done = _after_pragma(code)
    pieces.append((source[:done] + f'\nimport {{Mutant}} from "{library}";', frozenset()))
    for unit in sorted(units, key=lambda unit: unit.start):
        pieces.append((source[done : unit.start], frozenset()))
        pieces += (_value if unit.is_value else _statement)(source, unit, units[unit])
        done = unit.stop
    pieces.append((source[done:], frozenset()))
    lines: dict[int, frozenset[int]] = {}
    number = 1
    for text, names in pieces:
        for line in range(number, number + text.count("\n") + 1):
            lines[line] = lines.get(line, frozenset()) | names
        number += text.count("\n")
    return Rewritten("".join(text for text, _ in pieces), lines, frozenset(left_out))


def changed(source: str, unit: Unit, change: Change) -> str:
    return source[unit.start : change.start] + change.text + source[change.stop : unit.stop]


def edit_of(old: str, new: str) -> tuple[int, int, str]:
    """The smallest replacement that makes `new` of `old`: from, to, text."""
    start = _common(lambda i: old[i] == new[i], min(len(old), len(new)))
    tail = _common(lambda i: old[-1 - i] == new[-1 - i], min(len(old), len(new)) - start)
    return start, len(old) - tail, new[start : len(new) - tail]


def _value(source: str, unit: Unit, changes: list[Change]) -> list[tuple[str, frozenset[int]]]:
    pieces = [("\n", frozenset[int]())]
    for change in changes:
        text = f"Mutant.on({change.name}) ? (\n{changed(source, unit, change)}\n) :"
        pieces += [(text, frozenset([change.name])), ("\n", frozenset())]
    everything = frozenset(change.name for change in changes)
    return [*pieces, (f"({source[unit.start : unit.stop]})", everything), ("\n", frozenset())]


def _statement(source: str, unit: Unit, changes: list[Change]) -> list[tuple[str, frozenset[int]]]:
    pieces = [("{\n", frozenset[int]())]
    for change in changes:
        text = f"if (Mutant.on({change.name})) {{\n{changed(source, unit, change)}\n}} else"
        pieces += [(text, frozenset([change.name])), ("\n", frozenset())]
    everything = frozenset(change.name for change in changes)
    return [*pieces, (f"{{ {source[unit.start : unit.stop]} }}", everything), ("\n}", frozenset())]


def _closing(code: str, opening: int) -> int:
    """Where the parenthesis that opens at `opening` closes."""
    depth = 0
    for place in range(opening, len(code)):
        depth += (code[place] in OPENING) - (code[place] in CLOSING)
        if not depth:
            return place
    raise ValueError(f"The parenthesis at character {opening} never closes: is this Solidity that compiles?")


def _after_pragma(code: str) -> int:
    match = re.search(r"\bpragma solidity[^;]*;", code)
    if match is None:
        raise ValueError("The source has no pragma after which the switch could be imported: add one.")
    return match.end()


def _common(same: Callable[[int], bool], most: int) -> int:
    length = 0
    while length < most and same(length):
        length += 1
    return length
