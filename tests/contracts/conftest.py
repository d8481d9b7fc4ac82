from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from brownie import accounts, chain, project

from tests.contracts.market import Market


@pytest.fixture(scope="session")
def containers() -> Any:
    """The compiled contracts by name."""
    return project.get_loaded_projects()[0]


@pytest.fixture(scope="session")
def deployed(containers: Any) -> Market:
    return Market(containers)


@pytest.fixture
def market(deployed: Market) -> Iterator[Market]:
    """The deployed market; whatever a test does to it is undone."""
    chain.snapshot()
    yield deployed
    chain.revert()


@pytest.fixture
def escrow_account(market: Market) -> Any:
    """The escrow as a sender: what only it may do can then be tried directly."""
    return accounts.at(market.escrow.address, force=True)
