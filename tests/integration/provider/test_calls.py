"""A call over the real ways: api, broker, Celery worker, database; and what a worker that dies leaves behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from benchmarks.serving import DOMAIN, NODE, OWNER, open_sessions, write_home
from benchmarks.serving_client import Client
from protocol.messages import offer_digest
from protocol.types import Offer, SignedOffer
from protocol.units import Seconds, Wei
from provider.config import Settings
from provider.edges.journal import PostgresJournal
from provider.edges.keys import NodeKeys
from provider.edges.migrate import open_journal
from provider.edges.models import served_model
from provider.edges.session_rows import SqlSessions
from scripts.testnet.engines import Valkey
from scripts.testnet.watching import wait_until

ROOT = Path(__file__).resolve().parents[3]
MESSAGES = (("user", "Name the capital of Peru."),)
INPUT = 36  # tokens of it
KEY = NodeKeys(NODE).encryption_key


class Place:
    """A provider's api and worker in processes of their own. The worker's model gives a token every `pause` seconds."""

    def __init__(self, home: Path, database_url: str, broker: Valkey, pause: float) -> None:
        self.environment = write_home(home, database_url, broker.url) | {"MALLA_STREAMS": "4", "PYTHONPATH": str(ROOT)}
        self.settings = Settings.from_env(self.environment)
        self.url = f"http://127.0.0.1:{self.settings.http_port}"
        self.journal: PostgresJournal = open_journal(database_url)
        served = served_model(self.settings.models[0])
        self.offer = Offer(OWNER.address, served.model, served.profile, Wei(10), Wei(100), 2000, 1000, Seconds(10),
                           Wei(10**12), 1, 2**39)
        self.journal.keep_offer(offer_digest(DOMAIN, self.offer), SignedOffer(self.offer, bytes(65)), True)
        self.sessions = SqlSessions(self.journal.engine, DOMAIN)
        self.worker = self._start("tests.integration.provider.calls_entry", str(pause))
        self.api = self._start("provider", "api")

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", *words], cwd=ROOT, env={**os.environ, **self.environment},
                                start_new_session=True)

    def client(self, number: int = 1) -> Client:
        client = Client(DOMAIN, self.offer, number)
        open_sessions(self.journal, [client])
        return client

    def is_up(self) -> bool:
        with socket.socket() as probe:
            return "worker" in self.journal.beats() and probe.connect_ex(("127.0.0.1", self.settings.http_port)) == 0

    def tokens(self, client: Client) -> list[dict[str, Any]]:
        return [one.__dict__ for one in (self.sessions.session_totals(client.id) or NOTHING).open_calls]

    def stop(self) -> None:
        for process in (self.worker, self.api):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in (self.worker, self.api):
            process.wait(90)
        self.journal.engine.dispose()


class NOTHING:
    open_calls: tuple[Any, ...] = ()


@contextmanager
def place(tmp_path: Path, database_url: str, broker: Valkey, pause: float) -> Iterator[Place]:
    its = Place(tmp_path, database_url, broker, pause)
    try:
        assert wait_until(its.is_up, 180)
        yield its
    finally:
        its.stop()


def test_calls__many_at_once__each_streams_its_own_to_the_end(tmp_path: Path, database_url: str,
                                                              broker: Valkey) -> None:
    with place(tmp_path, database_url, broker, 0.01) as its:
        found: dict[int, Any] = {}

        def ask(number: int) -> None:
            found[number] = its.client(number).call(its.url, KEY, MESSAGES, INPUT, 10 + number)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(180)
        assert {number: len(one.tokens) for number, one in found.items()} == {1: 11, 2: 12, 3: 13, 4: 14}


def test_call__worker_killed_in_the_middle__error_part_nothing_owed_and_the_next_call_is_served(
        tmp_path: Path, database_url: str, broker: Valkey) -> None:
    with place(tmp_path, database_url, broker, 0.2) as its:
        client, caught = its.client(), []

        def ask() -> None:
            with pytest.raises(RuntimeError) as error:
                client.call(its.url, KEY, MESSAGES, INPUT, 900)
            caught.append(str(error.value))

        asking = threading.Thread(target=ask)
        asking.start()
        assert wait_until(lambda: bool(its.tokens(client)) and its.tokens(client)[0]["produced"] > 0, 180)
        first = psutil.Process(its.worker.pid).children()[0].pid
        os.kill(first, signal.SIGKILL)
        asking.join(180)
        assert "worker_lost" in caught[0], caught
        totals = its.sessions.session_totals(client.id)
        assert totals is not None and (totals.owed.amount, totals.held) == (0, 0)
        assert wait_until(lambda: psutil.Process(its.worker.pid).children() != [], 180)
        assert len(its.client(2).call(its.url, KEY, MESSAGES, INPUT, 3).tokens) == 3


def test_call__requester_gone_in_the_middle__ends_as_cancelled(tmp_path: Path, database_url: str,
                                                               broker: Valkey) -> None:
    with place(tmp_path, database_url, broker, 0.1) as its:
        client = its.client()
        body = client.body(KEY, client.request(MESSAGES, INPUT, 900))
        with httpx.stream("POST", f"{its.url}/v1/chat/completions", json=body, timeout=60) as answer:
            assert answer.status_code == 200
            next(answer.iter_lines())
        assert wait_until(lambda: its.sessions.ended_call(client.id, 1) is not None, 180)
        ended = its.sessions.ended_call(client.id, 1)
        assert ended is not None and ended.finish == "cancelled" and ended.line.output_tokens < 900


def test_call__worker_told_to_stop__ends_as_cancelled_with_what_came(tmp_path: Path, database_url: str,
                                                                     broker: Valkey) -> None:
    with place(tmp_path, database_url, broker, 0.1) as its:
        client, found = its.client(), []
        asking = threading.Thread(target=lambda: found.append(client.call(its.url, KEY, MESSAGES, INPUT, 900)))
        asking.start()
        assert wait_until(lambda: bool(its.tokens(client)), 180)
        assert wait_until(lambda: its.tokens(client)[0]["produced"] > 0, 180)
        os.killpg(its.worker.pid, signal.SIGTERM)
        asking.join(180)
        assert 0 < len(found[0].tokens) < 900
        assert its.worker.wait(90) == 0
