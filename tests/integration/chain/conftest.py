"""One Anvil and one PostgreSQL for the folder; each test gets the market as deployed, and an empty database."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from protocol.chain.tables import CHAIN_METADATA
from scripts.testnet.engines import Postgres, anvil, postgres
from tests.integration.chain.market import Market

_names = count()


@pytest.fixture(scope="session")
def deployed() -> Iterator[Market]:
    with anvil(block_time=None) as node:
        yield Market(node.url)


@pytest.fixture
def market(deployed: Market) -> Iterator[Market]:
    """Mines a block at each transaction; a test may stop that. Whatever it did is undone."""
    snapshot = deployed.rpc.request("evm_snapshot", [])
    yield deployed
    # In this order: what still waits would else be mined, behind our back, on the state that we return to.
    deployed.rpc.request("anvil_dropAllTransactions", [])
    deployed.rpc.request("evm_setAutomine", [True])
    deployed.rpc.request("evm_revert", [snapshot])


@pytest.fixture
def paused(market: Market) -> Market:
    """Transactions wait until the test mines a block."""
    market.rpc.request("evm_setAutomine", [False])
    return market


@pytest.fixture(scope="session")
def cluster() -> Iterator[Postgres]:
    with postgres() as cluster:
        yield cluster


@pytest.fixture
def engine(cluster: Postgres) -> Iterator[Engine]:
    engine = create_engine(cluster.create_database(f"chain{next(_names)}"), poolclass=NullPool)
    CHAIN_METADATA.create_all(engine)
    yield engine
    engine.dispose()
