"""What a provider's worker adds to calling the model: `python -m benchmarks.overhead`.

One run, same questions, in turn: the model called directly in this process, and the way of a job through the
provider's own broker (Valkey), Celery worker and journal (PostgreSQL), from `enqueue` until the sealed answer and its
transcript are in the journal. Then the signed report. Both give the same tokens, which is checked.

Wall seconds of two model runs differ by more than the overhead when the machine is busy. So the overhead is also given
in CPU seconds of the worker's processes, and as the wall seconds that pass around the model run inside the worker.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import insert

from protocol import sealing
from protocol.documents import document_digest
from protocol.encoding import ZERO, canonical_json, keccak, pack_token_ids
from protocol.engine.catalogue import find_model
from protocol.messages import Domain, job_id, offer_digest
from protocol.signing import Signer
from protocol.transcript import parse_transcript, prompt_bytes, spec_bytes, spec_digest
from protocol.types import Job, JobSpec, Offer, Prompt, Sampler, SignedOffer
from protocol.units import Address, Seconds, Wei
from protocol.wire import to_json
from provider.config import Settings
from provider.edges.backends import TorchBackend, load_text_backend
from provider.edges.broker import CeleryBroker
from provider.edges.journal import PostgresJournal
from provider.edges.migrate import open_journal
from provider.edges.tables import JOBS
from provider.flow.delivery import sign_report
from provider.records.work import JournalJob, Stage
from scripts.testnet.engines import postgres, valkey

RESULT = Path(__file__).parent / "results" / "overhead.json"
ROOT = Path(__file__).resolve().parents[1]
MODEL = "SmolLM2-135M-Instruct"
OUTPUT_TOKENS = 64
ROUNDS = 6
PROVIDER, REQUESTER = Signer(keccak(b"provider")), Signer(keccak(b"requester"))
DOMAIN = Domain(31337, Address("0x" + "11" * 20))
TOPICS = ("a harbour", "a mountain", "an old library", "a night train", "a market", "a lighthouse", "a garden")
LOOK_EVERY = 0.005
LONGEST = 300.0


def main() -> int:
    """Measure, print, write the result file; non-zero when worker and direct call gave other tokens."""
    with running_provider() as (settings, journal, worker):
        backend = load_text_backend(MODEL, settings)
        broker = CeleryBroker(settings.broker_url)
        run_directly(backend, "warm-up")
        run_through_worker(journal, broker, worker, "warm-up", 0)
        rows = [measure(backend, journal, broker, worker, TOPICS[i % len(TOPICS)], i + 1) for i in range(ROUNDS)]
    result = summarise(rows)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result["medians"], indent=2))
    return 0 if all(row["same_tokens"] for row in rows) else 1


@contextmanager
def running_provider() -> Iterator[tuple[Settings, PostgresJournal, psutil.Process]]:
    """Broker, database and a Celery worker with the model in memory."""
    with tempfile.TemporaryDirectory() as home, valkey() as broker, postgres() as cluster:
        environment = {
            "MALLA_RPC_URL": "http://127.0.0.1:1", "MALLA_DEPLOYMENT": "none", "MALLA_KEYSTORE": f"{home}/none",
            "MALLA_PASSWORD_FILE": f"{home}/none", "MALLA_DATABASE_URL": cluster.create_database("overhead"),
            "MALLA_BROKER_URL": broker.url, "MALLA_OWNER": PROVIDER.address, "MALLA_HOME": home,
        }  # fmt: skip
        settings = Settings.from_env(environment | {k: v for k, v in os.environ.items() if k == "MALLA_MODEL_CACHE"})
        journal = open_journal(settings.database_url)
        quiet = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        worker = subprocess.Popen([sys.executable, "-m", "provider", "worker"], cwd=ROOT, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, env={**os.environ, **quiet, **environment})
        try:
            wait_until(lambda: "worker" in journal.beats() or worker.poll() is not None, "the model is loaded")
            if worker.poll() is not None:
                raise RuntimeError(f"The worker ended with status {worker.returncode}.")
            yield settings, journal, psutil.Process(worker.pid)
        finally:
            worker.terminate()
            worker.wait(30)
            journal.engine.dispose()


def measure(backend: TorchBackend, journal: PostgresJournal, broker: CeleryBroker, worker: psutil.Process, topic: str,
            number: int) -> dict[str, Any]:
    """One question both ways; who begins alternates, so that a machine that gets busier harms both alike."""
    if number % 2:
        direct, tokens = run_directly(backend, topic)
        through, job = run_through_worker(journal, broker, worker, topic, number)
    else:
        through, job = run_through_worker(journal, broker, worker, topic, number)
        direct, tokens = run_directly(backend, topic)
    assert job.work is not None  # run_through_worker waits for it
    began = time.perf_counter()
    body = canonical_json(to_json(sign_report(job, DOMAIN, PROVIDER)))  # type: ignore[arg-type]
    report_s = time.perf_counter() - began
    same = pack_token_ids(parse_transcript(job.work.transcript).output_token_ids) == pack_token_ids(tokens)
    return {
        "output_tokens": len(tokens), "direct_s": round(direct.wall, 4), "worker_s": round(through.wall, 4),
        "direct_cpu_s": round(direct.cpu, 4), "worker_cpu_s": round(through.cpu, 4),
        "worker_inside_s": round(job.work.duration, 4), "report_s": round(report_s, 6), "report_bytes": len(body),
        "transcript_bytes": len(job.work.transcript), "answer_bytes": len(job.work.answer), "same_tokens": same,
    }  # fmt: skip


@dataclass(frozen=True)
class Spent:
    wall: float
    cpu: float


def run_directly(backend: TorchBackend, topic: str) -> tuple[Spent, tuple[int, ...]]:
    wall, cpu = time.perf_counter(), time.process_time()
    done = backend.run(messages(topic), OUTPUT_TOKENS, lambda _count: None, lambda: False)
    return Spent(time.perf_counter() - wall, time.process_time() - cpu), done.output_token_ids


def cpu_of(worker: psutil.Process) -> float:
    """CPU seconds of the worker and its child so far."""
    return sum(sum(process.cpu_times()[:2]) for process in [worker, *worker.children(recursive=True)])


def run_through_worker(journal: PostgresJournal, broker: CeleryBroker, worker: psutil.Process, topic: str,
                       number: int) -> tuple[Spent, JournalJob]:
    """Everything that the node does before (fetch, unseal, check, accept) is done already; its time is not counted."""
    wanted = prepare(journal, topic, number)
    cpu, began = cpu_of(worker), time.perf_counter()
    broker.enqueue(wanted)
    wait_until(lambda: is_done(journal, wanted), "the worker has answered")
    seconds = Spent(time.perf_counter() - began, cpu_of(worker) - cpu)
    job = journal.job(wanted)
    assert job is not None  # it was inserted here
    return seconds, job


def prepare(journal: PostgresJournal, topic: str, number: int) -> bytes:
    """A job in the journal as the node leaves it: accepted, with its spec and its opened prompt."""
    model = document_digest(find_model(MODEL))
    offer = Offer(PROVIDER.address, model, ZERO, Wei(1), Wei(1), 4096, 4096, Seconds(1), Wei(10**9), 1, 2**39)
    signed = SignedOffer(offer, PROVIDER.sign(offer_digest(DOMAIN, offer)))
    prompt = prompt_bytes(Prompt(messages(topic), keccak(b"salt")))
    spec = JobSpec(DOMAIN.chain_id, DOMAIN.contract, REQUESTER.address, PROVIDER.address, model, ZERO,
                   Sampler("greedy", 0), 64, OUTPUT_TOKENS, keccak(prompt), keccak(b"sealed"),
                   sealing.public_key(keccak(b"reply")), number)
    job = Job(REQUESTER.address, PROVIDER.address, offer_digest(DOMAIN, offer), spec_digest(spec), 64, OUTPUT_TOKENS,
              Wei(64 + OUTPUT_TOKENS), number)
    digest, now = job_id(DOMAIN.chain_id, DOMAIN.contract, job), int(time.time())
    journal.keep_offer(job.offer_digest, signed, True)
    row = {"job_id": digest, "job": to_json(job), "opened_at": now, "deadline": now + 3600, "stage": Stage.SEEN}
    with journal.engine.begin() as connection:
        connection.execute(insert(JOBS).values(row))
    journal.accept(digest, spec_bytes(spec), prompt, 64, now)
    return digest


def messages(topic: str) -> tuple[tuple[str, str], ...]:
    return (("user", f"Describe {topic} at the end of a long day, with many details."),)


def is_done(journal: PostgresJournal, wanted: bytes) -> bool:
    job = journal.job(wanted)
    if job is not None and job.stage is Stage.DROPPED:
        raise RuntimeError(f"The worker gave the job up: {job.reason}.")
    return job is not None and job.stage is Stage.DONE


def wait_until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + LONGEST
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"After {LONGEST:.0f} s it is still not so that {what}.")
        time.sleep(LOOK_EVERY)


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians over the rounds; what is added is worker plus report less the direct call of the same question."""

    def median(of: Callable[[dict[str, Any]], float]) -> float:
        return round(statistics.median(of(row) for row in rows), 5)

    medians = {
        "output_tokens": median(lambda row: row["output_tokens"]),
        "direct_s": median(lambda row: row["direct_s"]),
        "worker_s": median(lambda row: row["worker_s"]),
        "direct_cpu_s": median(lambda row: row["direct_cpu_s"]),
        "worker_cpu_s": median(lambda row: row["worker_cpu_s"]),
        "report_s": median(lambda row: row["report_s"]),
        "around_the_model_s": median(lambda row: row["worker_s"] - row["worker_inside_s"] + row["report_s"]),
        "around_the_model_share": median(
            lambda row: (row["worker_s"] - row["worker_inside_s"] + row["report_s"]) / row["direct_s"]),
        "added_s": median(lambda row: row["worker_s"] + row["report_s"] - row["direct_s"]),
        "added_cpu_s": median(lambda row: row["worker_cpu_s"] + row["report_s"] - row["direct_cpu_s"]),
        "added_cpu_share": median(
            lambda row: (row["worker_cpu_s"] + row["report_s"] - row["direct_cpu_s"]) / row["direct_cpu_s"]),
    }
    return {"command": "python -m benchmarks.overhead", "model": MODEL, "rounds": rows, "medians": medians,
            "machine": {"cores": os.cpu_count(), "load_1m": os.getloadavg()[0], "python": platform.python_version(),
                        "gpu": None, "torch_threads": 1}}


if __name__ == "__main__":
    raise SystemExit(main())
