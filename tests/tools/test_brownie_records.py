"""Brownie's deployment records of local chains that share one chain id."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from tests.architecture.tree import ROOT

FIRST, SECOND = "0x" + "11" * 32, "0x" + "22" * 32


@pytest.fixture
def records_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("brownie_records", ROOT / "tools" / "brownie_records.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def deploy(records: Path, address: str) -> None:
    """Leaves what Brownie leaves for one deployed contract."""
    (records / "31337").mkdir(parents=True, exist_ok=True)
    (records / "31337" / f"{address}.json").write_text("{}")
    (records / "map.json").write_text(json.dumps({"1": {"Kept": ["0x9"]}, "31337": {"Staking": [address]}}))


def local_map(records: Path) -> object:
    return json.loads((records / "map.json").read_text()).get("31337")


def test_put_in_place__new_chain__starts_without_records(records_module: ModuleType, tmp_path: Path) -> None:
    records, store = tmp_path / "deployments", tmp_path / "store"
    records_module.put_in_place(records, store, FIRST)
    deploy(records, "0xa")
    records_module.put_in_place(records, store, SECOND)
    assert not (records / "31337").exists()
    assert json.loads((records / "map.json").read_text()) == {"1": {"Kept": ["0x9"]}}


def test_put_in_place__same_chain__changes_nothing(records_module: ModuleType, tmp_path: Path) -> None:
    records, store = tmp_path / "deployments", tmp_path / "store"
    records_module.put_in_place(records, store, FIRST)
    deploy(records, "0xa")
    records_module.put_in_place(records, store, FIRST)
    assert local_map(records) == {"Staking": ["0xa"]}


def test_put_in_place__earlier_chain_again__brings_its_records_back(
    records_module: ModuleType, tmp_path: Path
) -> None:
    records, store = tmp_path / "deployments", tmp_path / "store"
    records_module.put_in_place(records, store, FIRST)
    deploy(records, "0xa")
    records_module.put_in_place(records, store, SECOND)
    deploy(records, "0xb")
    records_module.put_in_place(records, store, FIRST)
    assert [path.name for path in (records / "31337").iterdir()] == ["0xa.json"]
    assert local_map(records) == {"Staking": ["0xa"]}


def test_put_in_place__many_chains__keeps_the_latest_only(records_module: ModuleType, tmp_path: Path) -> None:
    records, store = tmp_path / "deployments", tmp_path / "store"
    for number in range(9):
        records_module.put_in_place(records, store, f"0x{number:064x}")
        deploy(records, f"0x{number}")
    assert len([path for path in store.iterdir() if path.is_dir()]) == records_module.KEPT
