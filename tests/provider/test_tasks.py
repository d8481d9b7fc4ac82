"""How the worker is set up, and which leases it ends at its start."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from celery.signals import worker_init, worker_shutdown, worker_shutting_down

from protocol.units import Address, Digest
from provider.config import CALL_TASK, CHALLENGE_TASK, QUEUE, TASK, Settings
from provider.edges.fakes import FakeBackend
from provider.ports.work import Log
from provider.records.work import Lease, Stage
from provider.tasks import WorkerChild, build_app, release_dead_leases
from tests.provider.test_inference import accepted
from tests.provider.world import SERVED, World

OWNER = Address("0x000000000000000000000000000000000000dEaD")
SETTINGS = Settings("http://rpc", Path("d"), Path("k"), Path("p"), "database", "memory://", OWNER, Path("h"))


@pytest.fixture
def signals() -> Iterator[None]:
    """What an application connects to is disconnected again."""
    kept = [(signal, list(signal.receivers)) for signal in (worker_init, worker_shutting_down, worker_shutdown)]
    yield
    for signal, receivers in kept:
        signal.receivers[:] = receivers


@pytest.mark.usefixtures("signals")
def test_app__built__threads_over_one_model_and_late_acks() -> None:
    before = len(worker_init.receivers)
    app = build_app(replace(SETTINGS, streams=6))
    conf = app.conf
    assert (conf.task_default_queue, conf.worker_concurrency, conf.worker_prefetch_multiplier) == (QUEUE, 12, 1)
    assert conf.worker_pool == "threads"
    assert conf.task_acks_late and conf.task_reject_on_worker_lost and conf.task_ignore_result
    assert {name for name in app.tasks if not name.startswith("celery.")} == {TASK, CALL_TASK, CHALLENGE_TASK}
    assert len(worker_init.receivers) == before + 1


@pytest.mark.usefixtures("signals")
def test_app__task_of_a_call__is_never_given_out_again() -> None:
    app = build_app(SETTINGS)
    assert (app.tasks[CALL_TASK].acks_late, app.tasks[TASK].acks_late) == (False, True)


def test_child__many_tasks_at_once__load_the_model_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world, loads, backend = World(), [], FakeBackend()
    jobs = [accepted(world) for _ in range(8)]
    monkeypatch.setattr("provider.tasks.build_journal", lambda settings: world.journal)

    def load(settings: Settings) -> dict[Digest, FakeBackend]:
        loads.append(settings.models)
        return {SERVED.model: backend}

    child = WorkerChild(SETTINGS, load)
    inference = replace(world.inference(), backends={SERVED.model: backend})
    monkeypatch.setattr("provider.tasks.build_inference", lambda *_: inference)
    threads = [threading.Thread(target=child.run, args=(job.hex(),)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    child.stop()
    assert (len(loads), backend.runs) == (1, 8)
    assert {world.stage(job) for job in jobs} == {Stage.DONE}


def test_child__told_twice_of_a_job_at_hand__runs_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease tells processes apart, not threads of one."""
    world = World()
    job = accepted(world)
    child = WorkerChild(SETTINGS, lambda settings: {SERVED.model: world.backend})
    monkeypatch.setattr("provider.tasks.build_journal", lambda settings: world.journal)
    monkeypatch.setattr("provider.tasks.build_inference", lambda *_: world.inference())
    world.backend.before_token = lambda: child.run(job.hex())
    child.run(job.hex())
    child.stop()
    assert (world.backend.runs, world.stage(job)) == (1, Stage.DONE)


def test_leases__of_a_dead_process__ended_and_others_kept() -> None:
    world = World()
    jobs = [accepted(world) for _ in range(3)]
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    host = socket.gethostname()
    for job, holder in zip(jobs, (f"{host}:{gone.pid}", f"{host}:{os.getppid()}", "elsewhere:1"), strict=True):
        world.journal.claim(job, Lease(holder, 2e9), world.clock())
    release_dead_leases(world.journal, Log())
    assert [world.journal.leases[job].until for job in jobs] == [0.0, 2e9, 2e9]


def test_imports__api_node_worker_and_cli__bring_no_torch() -> None:
    names = "provider.api, provider.node, provider.tasks, provider.cli, provider.edges.tokenizer, provider.edges.facts"
    code = f"import sys, {names}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 0


def test_sources__provider__has_no_way_to_compute_something_else() -> None:
    """The dishonest provider of the demo is a worker built with another backend, outside of the product."""
    folder = Path(__file__).parents[2] / "provider"
    texts = {path: path.read_text() for path in folder.rglob("*.py")}
    assert texts and [path for path, text in texts.items() if "cheat" in text or "requantise" in text] == []
