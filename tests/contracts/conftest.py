from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from brownie import accounts, chain, project

from tests.contracts.market import Market
from tests.contracts.sending import plain_sending


@pytest.fixture(scope="session", autouse=True)
def sending() -> Iterator[None]:
    with plain_sending():
        yield


@pytest.fixture(scope="session")
def containers() -> Any:
    """The compiled contracts by name."""
    return project.get_loaded_projects()[0]


@pytest.fixture(scope="session")
def deployed(containers: Any) -> Market:
    """Brownie collects garbage whenever it goes back to a snapshot, among everything that it has compiled and loaded:
    what is there by now stays, and is left out of that."""
    market = Market(containers)
    gc.collect()
    gc.freeze()
    return market


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
