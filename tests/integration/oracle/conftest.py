"""One PostgreSQL for the folder; each test gets an empty database that the migrations brought up."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from sqlalchemy import Engine

from oracle.edges.migrate import migrate
from oracle.edges.store import open_engine
from scripts.testnet.engines import Postgres, postgres

_names = count()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Postgres]:
    with postgres(durable=False) as cluster:
        yield cluster


@pytest.fixture
def database_url(cluster: Postgres) -> str:
    return cluster.create_database(f"oracle_{next(_names)}")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    migrate(engine)
    yield engine
    engine.dispose()
