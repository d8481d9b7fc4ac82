"""The three engines as they are started for every network: real servers on free ports and sockets."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from protocol.errors import ConfigInvalid
from scripts.testnet.engines import BROWNIE_PORT, anvil, call_rpc, postgres, valkey
from scripts.testnet.postgres import SOCKET_NAME, SOCKET_PATH_LIMIT, discard


def dsn(url: str) -> str:
    return url.replace("postgresql+psycopg", "postgresql")


def test_anvil__port_in_use__is_refused_by_its_number() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigInvalid, match=f"Port {port} for anvil is in use"), anvil(port=port):
            pass


def test_anvil__started__mines_by_itself_on_a_free_port() -> None:
    with anvil(block_time=0.2) as chain:
        assert chain.port != BROWNIE_PORT
        assert call_rpc(chain.url, "eth_chainId") == hex(31337)
        pid = chain.process.pid
    assert not psutil.pid_exists(pid)
    assert call_rpc(chain.url, "eth_chainId") is None


def test_anvil__state_file__brings_the_blocks_back(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    with anvil(tmp_path, state=state, block_time=None) as chain:
        call_rpc(chain.url, "anvil_mine", "0x5")
        before = call_rpc(chain.url, "eth_getBlockByNumber", "0x3", False)
    with anvil(tmp_path, state=state, block_time=None) as chain:
        after = call_rpc(chain.url, "eth_getBlockByNumber", "0x3", False)
    assert isinstance(before, dict) and isinstance(after, dict)
    assert before["hash"] == after["hash"]


def test_valkey__wrong_password__is_refused() -> None:
    with valkey() as broker, pytest.raises(redis.AuthenticationError):
        redis.Redis(port=broker.port, password="wrong").ping()


def test_valkey__started__hides_its_password_and_writes_to_disk(tmp_path: Path) -> None:
    with valkey(tmp_path) as broker:
        client = redis.Redis.from_url(broker.url)
        client.set("key", "value")
        words = " ".join(psutil.Process(broker.process.pid).cmdline())
        secret = broker.url.split(":")[2].split("@")[0]
        assert secret not in words
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        client.close()
    with valkey(tmp_path) as broker:
        client = redis.Redis.from_url(broker.url)
        assert client.get("key") == b"value"
        client.close()


def test_postgres__role_of_one_node__cannot_open_the_database_of_another() -> None:
    with postgres() as cluster:
        urls = cluster.create_databases({"one": "first", "two": "second"})
        with psycopg.connect(dsn(urls["one"])) as connection:
            assert connection.execute("SELECT current_user, current_database()").fetchone() == ("one", "one")
        for database in ("two", "postgres"):
            with pytest.raises(psycopg.OperationalError, match="permission denied"):
                psycopg.connect(dsn(cluster.url_of("one", "first", database)))
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(dsn(cluster.url_of("two", "first")))


def test_postgres__started__runs_without_root_and_without_a_port() -> None:
    with postgres() as cluster:
        process = psutil.Process(cluster.process.pid)
        assert process.uids().real != 0 or os.geteuid() != 0
        assert len(str(cluster.socket_folder / SOCKET_NAME)) <= SOCKET_PATH_LIMIT
        with psycopg.connect(dsn(cluster.superuser_url)) as connection:
            assert connection.execute("SHOW max_connections").fetchone() == ("200",)
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_postgres__folder_that_others_cannot_enter__lies_elsewhere_and_is_discarded(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with postgres(closed / "postgres") as cluster:
        cluster.create_database("one")
        home = cluster.socket_folder.parent
    if os.geteuid() == 0:
        assert not home.is_relative_to(closed)
    with postgres(closed / "postgres") as cluster, psycopg.connect(dsn(cluster.superuser_url)) as connection:
        names = [row[0] for row in connection.execute("SELECT datname FROM pg_database").fetchall()]
        assert "one" in names
    discard(closed / "postgres")
    assert not home.exists()


def test_postgres__programs_that_others_cannot_enter__run_from_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clone under /root: the account that runs the server reads neither its programs nor their libraries there."""
    monkeypatch.setattr("scripts.testnet.postgres.can_enter", lambda *_: False)
    with postgres() as cluster, psycopg.connect(dsn(cluster.superuser_url)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        if os.geteuid() == 0:
            assert not Path(psutil.Process(cluster.process.pid).exe()).is_relative_to(Path(__file__).parents[3])
