"""Where one network's contracts lie: the file `deployments/<chain id>.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protocol.encoding import from_hex
from protocol.errors import ConfigInvalid, Malformed
from protocol.units import Address
from protocol.wire import from_json

CONTRACTS = ("token", "committee", "staking", "rewards", "court", "timelock", "governor", "escrow")
_FIX = "Deploy first (`malla testnet up`, or `brownie run scripts/deploy.py`), or name the right deployment file."


@dataclass(frozen=True)
class Deployment:
    """`block` is the last block before the first contract: logs are read from the next one on.

    `code_hashes` maps each name of `CONTRACTS` to the 0x keccak256 of the code at its address; `seats` are the first
    oracles' accounts in the order in which auditors are named.
    """

    chain_id: int
    block: int
    token: Address
    committee: Address
    staking: Address
    rewards: Address
    court: Address
    timelock: Address
    governor: Address
    escrow: Address
    code_hashes: dict[str, str]
    seats: tuple[Address, ...]

    @property
    def addresses(self) -> dict[str, Address]:
        """The contracts by the names of `CONTRACTS`."""
        return {name: getattr(self, name) for name in CONTRACTS}


def load_deployment(path: Path) -> Deployment:
    """Read a deployment file; fields that it has beyond those of `Deployment` are left alone.

    Raises ConfigInvalid naming the file and the first field that is missing or malformed.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigInvalid(f"The deployment file {path} cannot be read: {error.strerror}.", _FIX) from error
    except ValueError as error:
        raise ConfigInvalid(f"The deployment file {path} is not JSON: {error}.", _FIX) from error
    try:
        return _read(value)
    except Malformed as error:
        raise ConfigInvalid(f"The deployment file {path} cannot be used: {error.message}", _FIX) from error


def newest_deployment(folder: Path) -> Path:
    """The deployment file that was written last. Raises ConfigInvalid when the folder has none."""
    files = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
    if not files:
        raise ConfigInvalid(f"There is no deployment file in {folder}.", _FIX)
    return files[-1]


def _read(value: Any) -> Deployment:
    if not isinstance(value, dict):
        raise Malformed("it is not an object.")
    names = ("chain_id", "block", *CONTRACTS, "code_hashes", "seats")
    missing = [name for name in names if name not in value]
    if missing:
        raise Malformed(f"it lacks {', '.join(missing)}.")
    found = from_json(Deployment, {name: value[name] for name in names}, "deployment")
    for name in CONTRACTS:
        from_hex(found.code_hashes.get(name), 32, f"deployment.code_hashes.{name}")
    return found
