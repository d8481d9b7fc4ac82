from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from protocol.chain.deployment import CONTRACTS, load_deployment, newest_deployment
from protocol.encoding import keccak
from protocol.errors import ConfigInvalid
from protocol.signing import Signer

ADDRESSES = {name: Signer(keccak(name.encode())).address for name in CONTRACTS}
RECORD: dict[str, Any] = {
    "chain_id": 31337, "block": 0, **ADDRESSES, "code_hashes": dict.fromkeys(CONTRACTS, "0x" + "11" * 32),
    "seats": [ADDRESSES["token"]], "parameters": {"open_fee": 1}, "funded": [],
}


def written(folder: Path, value: object) -> Path:
    path = folder / "31337.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


BAD = [
    ("", "not JSON"), ("[]", "not an object"), ({}, "lacks chain_id, block, token"),
    (RECORD | {"chain_id": "1"}, "chain_id"),
    (RECORD | {"escrow": "0x12"}, "escrow"), (RECORD | {"seats": "x"}, "seats must be a list"),
    (RECORD | {"seats": ["x"]}, r"seats\[0\]"),
    (RECORD | {"code_hashes": {"token": "0x" + "11" * 32}}, "code_hashes.committee"),
    (RECORD | {"code_hashes": None}, "code_hashes"), (RECORD | {"block": -1}, "block"),
]


@pytest.mark.parametrize(("value", "told"), BAD)
def test_load_deployment__cannot_be_used__config_invalid_naming_file_and_field(
    tmp_path: Path, value: object, told: str
) -> None:
    with pytest.raises(ConfigInvalid, match=told) as error:
        load_deployment(written(tmp_path, value))
    assert "31337.json" in error.value.message and "malla testnet up" in error.value.fix


def test_load_deployment__missing__config_invalid(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        load_deployment(tmp_path / "1.json")
    with pytest.raises(ConfigInvalid, match="no deployment file"):
        newest_deployment(tmp_path)


def test_load_deployment__with_more_fields__the_deployment(tmp_path: Path) -> None:
    found = load_deployment(written(tmp_path, RECORD))
    assert found.addresses == ADDRESSES and found.seats == (ADDRESSES["token"],) and found.chain_id == 31337


def test_newest_deployment__two_files__the_later_one(tmp_path: Path) -> None:
    later, earlier = written(tmp_path, RECORD), tmp_path / "1.json"
    earlier.write_text("{}")
    os.utime(earlier, (1, 1))
    assert newest_deployment(tmp_path) == later
