from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from brownie import chain, project

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
