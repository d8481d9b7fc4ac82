"""Many mutants behind switches in one source."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
SOURCE = """pragma solidity ^0.8.35;
contract Purse {
    uint256 private constant MOST = 2 * 3;
    // if (a < b) revert;
    function take(uint256 amount) external returns (uint256 left) {
        if (amount == 0) revert Nothing("a < b");
        if (
            amount > balance // too much
                || isClosed
        ) {
            revert TooMuch(amount);
        } else if (amount < least) left -= amount;
        uint256 rest = balance - amount;
        _pay(amount);
        return rest
            + left;
    }
}
"""


@pytest.fixture(scope="module")
def schemata() -> Iterator[ModuleType]:
    """tools/ is a folder of scripts, not a package; a dataclass asks for its module by name."""
    yield from loaded("schemata")


@pytest.fixture(scope="module")
def mutants(schemata: ModuleType) -> Iterator[ModuleType]:
    yield from loaded("mutants")


def loaded(name: str) -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[name]


def rewritten(schemata: ModuleType, old: str, new: str, source: str = SOURCE) -> str:
    """The source, without its line ends and double blanks, in which `new` stands for `old` behind switch 7."""
    start = source.index(old)
    change = schemata.Change(7, start, start + len(old), new)
    result = schemata.rewrite(source, [change], "./Mutant.sol")
    assert not result.left_out
    return " ".join(result.text.split())


def test_rewrite__change_of_a_constant__is_left_out(schemata: ModuleType) -> None:
    start = SOURCE.index(" * ")
    result = schemata.rewrite(SOURCE, [schemata.Change(7, start, start + 3, " / ")], "./Mutant.sol")
    assert result.left_out == {7}
    assert "Mutant.on" not in result.text


def test_rewrite__head_of_a_function__is_left_out(schemata: ModuleType) -> None:
    start = SOURCE.index("external")
    result = schemata.rewrite(SOURCE, [schemata.Change(7, start, start + 8, "public")], "./Mutant.sol")
    assert result.left_out == {7}


def test_rewrite__source_without_pragma__is_refused(schemata: ModuleType) -> None:
    with pytest.raises(ValueError, match="no pragma"):
        schemata.rewrite("contract A {}", [], "./Mutant.sol")


def test_rewrite__condition__chooses_inside_the_parentheses(schemata: ModuleType) -> None:
    text = rewritten(schemata, "amount == 0", "false")
    assert 'if ( Mutant.on(7) ? ( false ) : (amount == 0) ) revert Nothing("a < b");' in text


def test_rewrite__condition_over_lines__keeps_all_of_it(schemata: ModuleType) -> None:
    text = rewritten(schemata, "||", "&&")
    assert "Mutant.on(7) ? ( amount > balance // too much && isClosed ) : ( amount > balance" in text


def test_rewrite__statement_behind_a_condition__stands_in_braces(schemata: ModuleType) -> None:
    text = rewritten(schemata, "left -=", "left +=")
    assert (
        "else if (amount < least) { if (Mutant.on(7)) { left += amount; } else { left -= amount; } }" in text
    )


def test_rewrite__declaration__chooses_the_value(schemata: ModuleType) -> None:
    text = rewritten(schemata, "balance - amount", "balance + amount")
    assert "uint256 rest = Mutant.on(7) ? ( balance + amount ) : (balance - amount) ;" in text


def test_rewrite__removed_call__is_a_comment(schemata: ModuleType) -> None:
    start = SOURCE.index("_pay(amount)")
    result = schemata.rewrite(SOURCE, [schemata.Change(7, start, start, "// ")], "./Mutant.sol")
    assert "{\nif (Mutant.on(7)) {\n// _pay(amount);\n} else\n{ _pay(amount); }\n}" in result.text


def test_rewrite__return_over_lines__is_one_statement(schemata: ModuleType) -> None:
    text = rewritten(schemata, "+ left", "- left")
    assert "if (Mutant.on(7)) { return rest - left; } else { return rest + left; }" in text


def test_rewrite__two_changes_of_a_condition__name_their_lines(schemata: ModuleType) -> None:
    start = SOURCE.index("amount == 0")
    changes = [schemata.Change(3, start, start + 11, "one"), schemata.Change(4, start, start + 11, "two")]
    result = schemata.rewrite(SOURCE, changes, "./Mutant.sol")
    lines = result.text.splitlines()
    assert result.lines[lines.index("one") + 1] == {3}
    assert result.lines[lines.index("two") + 1] == {4}
    assert result.lines[next(n for n, line in enumerate(lines, 1) if "(amount == 0)" in line)] == {3, 4}


def test_masked__comments_and_strings__are_blank_and_nothing_moves(schemata: ModuleType) -> None:
    code = schemata.masked(SOURCE)
    assert len(code) == len(SOURCE)
    assert "a < b" not in code
    assert code.index("_pay") == SOURCE.index("_pay")


def test_mutants__of_a_source__spare_comments_and_ends_of_statements(mutants: ModuleType) -> None:
    source = SOURCE.replace("_pay(amount);", "(bool a, bool b) =\n            _pay(amount);")
    found = mutants.mutants_of("Purse.sol", source)
    assert all("revert;" not in mutant.old for mutant in found)
    assert not [mutant for mutant in found if mutant.operator == "removed"]
    assert [mutant for mutant in mutants.mutants_of("Purse.sol", SOURCE) if mutant.operator == "removed"]


def test_mutants__refusal_in_braces__is_one_of_them(mutants: ModuleType) -> None:
    assert ("refusal", "if (false) {") in mutants.changes_of("if (a != b) {", "    revert Different(a, b);")
    assert ("refusal", "if (false) {") not in mutants.changes_of("if (a != b) {", "    a = b;")


def test_change_of__every_mutant__makes_its_line(mutants: ModuleType) -> None:
    found = mutants.mutants_of("Purse.sol", SOURCE)
    assert found
    for mutant in found:
        change = mutants.change_of(mutant, 1, SOURCE)
        made = SOURCE[: change.start] + change.text + SOURCE[change.stop :]
        assert made.splitlines()[mutant.line - 1] == mutant.new
