"""One Anvil, one PostgreSQL, one Valkey for the folder; each test gets the market as deployed and an empty database."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Engine

from protocol.messages import offer_digest
from protocol.types import SignedOffer
from provider.edges.fakes import DOMAIN
from provider.edges.journal import PostgresJournal, open_engine
from provider.edges.migrate import migrate
from provider.edges.session_rows import SqlSessions
from scripts.testnet.engines import Postgres, Valkey, anvil, postgres, valkey
from tests.integration.chain.market import ORACLES, Market
from tests.integration.provider.final_blocks import follow, opening
from tests.integration.provider.oracle_server import FakeOracle, serve
from tests.integration.provider.world import World, settings_of
from tests.provider.session_world import OFFER, Payer

_names = count()


@pytest.fixture(scope="session")
def deployed() -> Iterator[Market]:
    with anvil(block_time=None) as node:
        yield Market(node.url)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Postgres]:
    with postgres() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def broker() -> Iterator[Valkey]:
    with valkey() as broker:
        yield broker


@pytest.fixture
def database_url(cluster: Postgres) -> str:
    return cluster.create_database(f"provider{next(_names)}_{os.getpid()}")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def payer() -> Payer:
    return Payer()


@pytest.fixture
def sessions(engine: Engine, payer: Payer) -> SqlSessions:
    PostgresJournal(engine).keep_offer(offer_digest(DOMAIN, OFFER), SignedOffer(OFFER, bytes(65)), True)
    follow(engine, opening(payer))
    return SqlSessions(engine, DOMAIN)


@pytest.fixture
def world(deployed: Market, database_url: str, broker: Valkey, tmp_path: Path) -> Iterator[World]:
    """Whatever a test does to the chain is undone."""
    market = deployed
    snapshot = market.rpc.request("evm_snapshot", [])
    deployment = tmp_path / "deployment.json"
    deployment.write_text(json.dumps(asdict(market.chain.deployment)))
    oracles = [FakeOracle(signer, market.domain) for signer in ORACLES]
    servers = [serve(oracle) for oracle in oracles]
    for oracle in oracles:
        market.send(oracle.signer, market.chain.set_url(oracle.url))
    settings = settings_of(tmp_path, market, deployment, database_url, broker.url)
    world = World(market, oracles, settings, bytes(range(32)))
    yield world
    world.stop()
    for server in servers:
        server.shutdown()
        server.server_close()
    market.rpc.request("evm_revert", [snapshot])
