"""How the worker is set up, and which leases it ends at its start."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from celery.signals import worker_process_init

from protocol.units import Address
from provider.config import CHALLENGE_TASK, QUEUE, TASK, Settings
from provider.ports import Log
from provider.records import Lease
from provider.tasks import LOAD_SECONDS, build_app, release_dead_leases
from tests.provider.test_inference import accepted
from tests.provider.world import World

OWNER = Address("0x000000000000000000000000000000000000dEaD")
SETTINGS = Settings("http://rpc", Path("d"), Path("k"), Path("p"), "database", "memory://", OWNER, Path("h"))


def test_app__built__one_queue_one_child_late_acks_and_time_to_load() -> None:
    before = list(worker_process_init.receivers)
    app = build_app(SETTINGS)
    conf = app.conf
    assert (conf.task_default_queue, conf.worker_concurrency, conf.worker_prefetch_multiplier) == (QUEUE, 1, 1)
    assert conf.task_acks_late and conf.task_reject_on_worker_lost and conf.task_ignore_result
    assert conf.worker_proc_alive_timeout == LOAD_SECONDS == 180
    assert {name for name in app.tasks if not name.startswith("celery.")} == {TASK, CHALLENGE_TASK}
    assert len(worker_process_init.receivers) == len(before) + 1
    worker_process_init.receivers[:] = before


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
