"""The export of ABIs: what it refuses, and when a committed file counts as drifted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.build import BuildFailure, abi_of, differences, own_contracts, text_of, write


def test_abi_of__missing_artifact__says_how_to_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(BuildFailure, match="defines no contract Odd"):
        abi_of("Odd", tmp_path)


def test_abi_of__artifact_of_a_library__is_refused(tmp_path: Path) -> None:
    artifact = {"sourcePath": "node_modules/@openzeppelin/contracts/utils/Errors.sol", "abi": []}
    (tmp_path / "Errors.json").write_text(json.dumps(artifact))
    with pytest.raises(BuildFailure, match="the name is taken"):
        abi_of("Errors", tmp_path)


def test_abi_of__any_order__gives_the_same_text(tmp_path: Path) -> None:
    parts = [{"type": "function", "name": "b"}, {"type": "error", "name": "Z"}, {"type": "function", "name": "a"}]
    texts = set()
    for abi in (parts, parts[::-1]):
        (tmp_path / "Thing.json").write_text(json.dumps({"sourcePath": "contracts/Thing.sol", "abi": abi}))
        texts.add(text_of(abi_of("Thing", tmp_path)))
    assert len(texts) == 1


def test_own_contracts__interfaces_and_mocks__are_left_out(tmp_path: Path) -> None:
    for name in ("B.sol", "A.sol", "interfaces/IA.sol", "mocks/Odd.sol"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert own_contracts(tmp_path) == ["A", "B"]


def test_differences__missing_changed_and_left_over__are_named(tmp_path: Path) -> None:
    (tmp_path / "Changed.json").write_text("old")
    (tmp_path / "Gone.json").write_text("[]")
    rows = differences({"Changed": "new", "Missing": "[]"}, tmp_path)
    assert rows == [
        "Changed.json differs from its contract",
        "Gone.json belongs to no contract",
        "Missing.json is missing",
    ]


def test_write__twice__changes_nothing_the_second_time(tmp_path: Path) -> None:
    (tmp_path / "Gone.json").write_text("[]")
    assert write({"A": "[]\n"}, tmp_path) == ["A", "Gone"]
    assert write({"A": "[]\n"}, tmp_path) == []
    assert differences({"A": "[]\n"}, tmp_path) == []
