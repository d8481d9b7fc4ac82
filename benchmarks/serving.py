"""What serving a call through the provider adds to running it: `python -m benchmarks.serving`.

One run, same questions, in turn: the backend called directly in this process, and the whole way of a call of a
session: voucher signed, request sealed, HTTP, unsealed, counted, voucher checked and committed to PostgreSQL, Celery
over Valkey, the worker's engine, parts sealed, Valkey's stream, server-sent events, parts opened. At 1, 8 and 32
streams at once.

Two model runs on a busy machine differ by more than what is added. So the time around the model is also given within
one run: what the client measured less what the worker measured of its own model run.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.serving_client import Client, Timing
from protocol.chain.deployment import CONTRACTS
from protocol.chain.events import ChainEvent, FinalBlock, SessionOpened
from protocol.chain.keystore import write_keystore
from protocol.chain.records import BlockRef
from protocol.encoding import keccak
from protocol.envelope import open_request, seal_request
from protocol.messages import Domain, offer_digest
from protocol.signing import Signer
from protocol.types import Offer, SignedOffer
from protocol.units import Address, Seconds, Wei
from protocol.vouchers import open_call, take_voucher
from provider.config import Settings
from provider.edges.backends import TorchBackend, load_text_backend
from provider.edges.journal import PostgresJournal
from provider.edges.keys import NodeKeys
from provider.edges.migrate import open_journal
from provider.edges.models import served_model
from provider.edges.projection import Projection
from provider.edges.session_rows import SqlSessions
from provider.edges.tokenizer import load_counter, model_cache
from provider.ports.work import Counter, Log
from provider.records.work import Produced
from scripts.testnet.engines import postgres, valkey

RESULT = Path(__file__).parent / "results" / "serving.json"
ROOT = Path(__file__).resolve().parents[1]
OWNER, NODE = Signer(keccak(b"owner")), keccak(b"node")
ESCROW = Address("0x" + "11" * 20)
DOMAIN = Domain(31337, ESCROW)
STREAMS = (1, 8, 32)
ROUNDS = {1: 6, 8: 2, 32: 2}
OUTPUT_TOKENS = 32
TOPICS = ("a harbour", "a mountain", "an old library", "a night train", "a market", "a lighthouse", "a garden")
LONGEST = 300.0


@dataclass(frozen=True)
class Stand:
    """A provider that runs, and a backend of the same model in this process."""

    url: str
    settings: Settings
    journal: PostgresJournal
    offer: Offer
    keys: NodeKeys
    counter: Counter
    backend: TorchBackend


def main() -> int:
    """Measure, print, write the result file; non-zero when a way gave other tokens than the other."""
    with running_provider() as stand:
        clients = [Client(DOMAIN, stand.offer, number) for number in range(max(STREAMS))]
        open_sessions(stand.journal, clients)
        directly(stand, 1, 0), through(stand, clients, 1, 0)
        rows = [measure(stand, clients, count, number) for count in STREAMS for number in range(ROUNDS[count])]
        vouchers = measure_vouchers(stand)
    result = {"command": "python -m benchmarks.serving", "model": stand.settings.models[0],
              "output_tokens": OUTPUT_TOKENS,
              "streams": {str(count): summarise([row for row in rows if row["streams"] == count]) for count in STREAMS},
              "voucher": vouchers, "same_tokens": sum(row["same_tokens"] for row in rows),
              "calls": sum(row["streams"] for row in rows),
              "machine": {"cores": os.cpu_count(), "load_1m": os.getloadavg()[0], "python": platform.python_version(),
                          "gpu": None, "torch_threads": 1}}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    return 0 if result["same_tokens"] >= 0.95 * result["calls"] else 1


def measure(stand: Stand, clients: list[Client], count: int, number: int) -> dict[str, Any]:
    """One round both ways; who begins alternates, so that a machine that gets busier harms both alike."""
    found: dict[str, list[Timing]] = {}
    seconds: dict[str, float] = {}
    ways: list[tuple[str, Callable[[], list[Timing]]]] = [
        ("direct", lambda: directly(stand, count, number)), ("through", lambda: through(stand, clients, count, number))]
    for name, run in ways if number % 2 else reversed(ways):
        began = time.perf_counter()
        found[name] = run()
        seconds[name] = time.perf_counter() - began
    same = sum(one.tokens == two.tokens for one, two in zip(found["direct"], found["through"], strict=True))
    return {"streams": count, "same_tokens": same, "seconds": seconds, **found}


def directly(stand: Stand, count: int, number: int) -> list[Timing]:
    """All at once on the backend, as the worker's threads do it."""
    def run(place: int) -> Timing:
        began, first = time.perf_counter(), 0.0

        def deliver(new: Produced) -> int:
            nonlocal first
            first = first or time.perf_counter() - began
            return len(new.ids)

        done = stand.backend.run(messages(place, number), OUTPUT_TOKENS, lambda _count: None, lambda: False,
                                 fingerprint_seed=keccak(b"seed"), deliver=deliver)
        total = time.perf_counter() - began
        return Timing(first, total, done.output_token_ids, first, total)

    return at_once(run, count)


def through(stand: Stand, clients: list[Client], count: int, number: int) -> list[Timing]:
    def run(place: int) -> Timing:
        asked = messages(place, number)
        return clients[place].call(stand.url, stand.keys.encryption_key, asked, stand.counter.count(asked, 1),
                                   OUTPUT_TOKENS)

    return at_once(run, count)


def at_once(run: Callable[[int], Timing], count: int) -> list[Timing]:
    found: dict[int, Timing] = {}
    threads = [threading.Thread(target=lambda place=place: found.update({place: run(place)})) for place in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[place] for place in range(count)]


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Seconds, p50 and p95 over all calls; tokens a second over whole rounds."""
    summary: dict[str, Any] = {}
    for way in ("direct", "through"):
        calls = [one for row in rows for one in row[way]]
        tokens = sum(len(one.tokens) for one in calls)
        summary[way] = {"first_s": spread([one.first for one in calls]),
                        "total_s": spread([one.total for one in calls]),
                        "tokens_per_second": round(tokens / sum(row["seconds"][way] for row in rows), 2)}
    calls = [one for row in rows for one in row["through"]]
    summary["around_the_model"] = {"first_s": spread([one.first - one.worker_first for one in calls]),
                                   "total_s": spread([one.total - one.worker_total for one in calls])}
    summary["throughput_ratio"] = round(
        summary["through"]["tokens_per_second"] / summary["direct"]["tokens_per_second"], 3)
    return summary


def spread(values: list[float]) -> dict[str, float]:
    ranked = sorted(values)
    return {"p50": round(statistics.median(ranked), 5), "p95": round(ranked[int(0.95 * (len(ranked) - 1))], 5)}


def measure_vouchers(stand: Stand, times: int = 60) -> dict[str, Any]:
    """What stands between a request and the GPU: the rule alone, the rule with its commitment, all that is sealed."""
    client = Client(DOMAIN, stand.offer, 9_999)
    open_sessions(stand.journal, [client])
    sessions, now = SqlSessions(stand.journal.engine, DOMAIN), time.time()
    asked = messages(0, 0)
    count = stand.counter.count(asked, 1)
    standing = None
    rule, kept, unsealed = [], [], []
    for _ in range(times):
        request = client.request(asked, count, OUTPUT_TOKENS)
        sealed = seal_request(request, stand.keys.encryption_key)
        began = time.perf_counter()
        open_request(sealed, stand.keys._secret)
        unsealed.append(time.perf_counter() - began)
        standing = read_standing_of(client) if standing is None else standing
        began = time.perf_counter()
        taken = take_voucher(standing, request.voucher, client.known, request.voucher.in_flight, DOMAIN, now)
        open_call(taken, count, OUTPUT_TOKENS, stand.offer)
        rule.append(time.perf_counter() - began)
        began = time.perf_counter()
        row = sessions.admit(request, "chat", count, now)
        kept.append(time.perf_counter() - began)
        sessions.fail_call(row.call_id, "measured")
        client.known = replace(client.known, amount=Wei(client.known.amount + 1))  # the next voucher goes on from it
    return {"unseal_s": spread(unsealed), "rule_s": spread(rule), "rule_and_commit_s": spread(kept)}


def read_standing_of(client: Client) -> Any:
    from protocol.types import SessionState
    from protocol.vouchers import Standing

    return Standing(client.session, SessionState.OPEN, Wei(10**12), 2**39, 0, client.known, client.known, Wei(0))


def messages(place: int, number: int) -> tuple[tuple[str, str], ...]:
    return (("user", f"Describe {TOPICS[(place + number) % len(TOPICS)]} in the year {1900 + place}, with details."),)


def open_sessions(journal: PostgresJournal, clients: list[Client]) -> None:
    """What the node's follower writes when openings are final."""
    opened = [SessionOpened(one.id, one.session.requester, one.session.provider, one.session.offer_digest,
                            one.session.key, one.session.largest_call, one.session.nonce, Wei(10**12), 2**39,
                            one.session.opened_at) for one in clients]
    placed = tuple(ChainEvent(9, keccak(b"9"), 300, keccak(b"tx"), i, event) for i, event in enumerate(opened))
    with journal.engine.begin() as connection:
        Projection(OWNER.address, Log()).apply(connection, FinalBlock(BlockRef(9, keccak(b"9"), 300), placed))


@contextlib.contextmanager
def running_provider() -> Iterator[Stand]:
    """Broker, database, the provider's api and worker with the model in memory."""
    with tempfile.TemporaryDirectory() as home, valkey() as broker, postgres() as cluster:
        environment = write_home(Path(home), cluster.create_database("serving"), broker.url)
        settings = Settings.from_env(environment)
        journal = open_journal(settings.database_url)
        name = settings.models[0]
        served = served_model(name)
        offer = Offer(OWNER.address, served.model, served.profile, Wei(10), Wei(100), 2000, 1000, Seconds(10),
                      Wei(10**12), 1, 2**39)
        journal.keep_offer(offer_digest(DOMAIN, offer), SignedOffer(offer, bytes(65)), True)
        roles = [subprocess.Popen([sys.executable, "-m", "provider", role], cwd=ROOT, env={**os.environ, **environment})
                 for role in ("worker", "api")]
        url = f"http://127.0.0.1:{settings.http_port}"
        try:
            wait_until(lambda: "worker" in journal.beats() and answers(url), roles)
            counter, backend = load_counter(name, model_cache(settings)), load_text_backend(name, settings)
            yield Stand(url, settings, journal, offer, NodeKeys(NODE), counter, backend)
        finally:
            for role in roles:
                role.terminate()
            for role in roles:
                role.wait(30)
            journal.engine.dispose()


def write_home(home: Path, database: str, broker: str) -> dict[str, str]:
    (home / "password").write_text("measured\n")
    write_keystore(home / "node.json", NODE, "measured")
    deployment = {"chain_id": 31337, "block": 0, **dict.fromkeys(CONTRACTS, ESCROW), "seats": [],
                  "code_hashes": dict.fromkeys(CONTRACTS, "0x" + "00" * 32)}
    (home / "deployment.json").write_text(json.dumps(deployment))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    return {
        "MALLA_RPC_URL": "http://127.0.0.1:1", "MALLA_DEPLOYMENT": str(home / "deployment.json"),
        "MALLA_KEYSTORE": str(home / "node.json"), "MALLA_PASSWORD_FILE": str(home / "password"),
        "MALLA_DATABASE_URL": database, "MALLA_BROKER_URL": broker, "MALLA_OWNER": OWNER.address,
        "MALLA_HOME": str(home), "MALLA_HTTP_PORT": port, "MALLA_STREAMS": str(max(STREAMS)), "OMP_NUM_THREADS": "1",
        "MALLA_LOG_LEVEL": "WARNING", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false",
        **{k: v for k, v in os.environ.items() if k == "MALLA_MODEL_CACHE"},
    }  # fmt: skip


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/v1/models", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def wait_until(holds: Callable[[], bool], roles: list[subprocess.Popen[bytes]]) -> None:
    end = time.monotonic() + LONGEST
    while not holds():
        gone = [role for role in roles if role.poll() is not None]
        if gone or time.monotonic() > end:
            raise RuntimeError(f"The provider does not come up: {[role.args for role in gone] or 'too slow'}.")
        time.sleep(0.1)


if __name__ == "__main__":
    raise SystemExit(main())
