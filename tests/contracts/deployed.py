"""The contracts deployed by the plan."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from scripts.plan import ORDER, Plan, constructor_arguments, predicted_addresses


def deploy(containers: Any, what: Plan, deployer: Any) -> SimpleNamespace:
    """Deploys by the plan as `scripts/deploy.py` does; the contracts under their names."""
    addresses = predicted_addresses(str(deployer), deployer.nonce)
    arguments = constructor_arguments(what, addresses)
    deployed = {name: deployer.deploy(getattr(containers, name), *arguments[name]) for name in ORDER}
    assert {name: str(contract.address) for name, contract in deployed.items()} == addresses
    return SimpleNamespace(**deployed)
