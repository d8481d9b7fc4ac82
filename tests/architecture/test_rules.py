"""Each numbered rule of docs/PROTOCOL.md is named by a test that proves it, as `R12:` in the test's own words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, committed_files, parsed

RULE = re.compile(r"^- \*\*R(\d+)\*\* ", re.M)
NAMED = re.compile(r"\bR(\d+):")
SOLIDITY_TEST = re.compile(r"((?:^ *///.*\n)+) *function (?:test|invariant)_", re.M)


def rules_of(page: str) -> list[int]:
    """The numbers of section 3, in the order of the page."""
    section = page.partition("\n## 3. ")[2].partition("\n## ")[0]
    return [int(number) for number in RULE.findall(section)]


def texts_of_python(tree: ast.Module) -> Iterator[str]:
    """Docstrings of test functions; those of modules, classes and helpers prove nothing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield ast.get_docstring(node) or ""


def texts_of_solidity(source: str) -> Iterator[str]:
    """The `///` lines directly above a test or an invariant."""
    yield from SOLIDITY_TEST.findall(source)


def named_rules() -> dict[int, list[Path]]:
    """The files in which each rule is named."""
    found: dict[int, list[Path]] = {}
    for path in committed_files():
        if path.parts[0] != "tests":
            continue
        if path.suffix == ".py" and path.name.startswith("test_"):
            texts = texts_of_python(parsed(path))
        elif path.name.endswith(".t.sol"):
            texts = texts_of_solidity((ROOT / path).read_text())
        else:
            continue
        for number in (number for text in texts for number in NAMED.findall(text)):
            found.setdefault(int(number), []).append(path)
    return found


@pytest.fixture(scope="module")
def rules() -> list[int]:
    return rules_of((ROOT / "docs" / "PROTOCOL.md").read_text())


def test_rules__of_the_protocol__each_has_a_test_that_names_it(rules: list[int]) -> None:
    named = named_rules()
    assert [f"R{number}" for number in rules if number not in named] == []


def test_rules__named_by_tests__exist(rules: list[int]) -> None:
    unknown = {f"R{number}": paths for number, paths in named_rules().items() if number not in rules}
    assert unknown == {}


def test_rules__of_the_protocol__are_numbered_without_a_gap(rules: list[int]) -> None:
    assert len(rules) > 30, "docs/PROTOCOL.md has no rules in its section 3: has their form changed?"
    assert rules == list(range(1, len(rules) + 1))


def test_named_rules__outside_of_a_tests_own_words__do_not_count() -> None:
    source = '"""R1: module."""\n# R2: comment\ndef helper():\n    """R3: helper."""\n'
    assert [text for text in texts_of_python(ast.parse(source)) if text] == []
    assert list(texts_of_solidity("    /// R1: helper.\n    function help() public {}\n")) == []
    spoken = "/// R1: a state\n\n    /// R4: fees\n    /// @dev why\n    function test_fee() public {}\n"
    assert NAMED.findall("".join(texts_of_solidity(spoken))) == ["4"]
    assert rules_of("## 3. Rules\n- **R1** A\n## 4. Digests\n- **R2** B\n") == []
    assert rules_of("\n## 3. Rules\n\n- **R1** A\n- **R2** B\n\n## 4. Digests\n- **R3** C\n") == [1, 2]
