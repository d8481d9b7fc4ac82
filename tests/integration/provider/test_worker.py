"""The real Celery worker on the real broker: what it does, and what a kill leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from provider.records.work import Stage
from scripts.testnet.watching import wait_until
from tests.integration.provider.world import World

ROOT = Path(__file__).resolve().parents[3]


@contextmanager
def worker(world: World, seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    settings = world.settings
    environment = dict(os.environ) | {
        "MALLA_RPC_URL": settings.rpc_url, "MALLA_DEPLOYMENT": str(settings.deployment), "PYTHONPATH": str(ROOT),
        "MALLA_KEYSTORE": str(settings.keystore), "MALLA_PASSWORD_FILE": str(settings.password_file),
        "MALLA_DATABASE_URL": settings.database_url, "MALLA_BROKER_URL": settings.broker_url,
        "MALLA_OWNER": settings.owner,
    }
    command = [sys.executable, "-m", "tests.integration.provider.worker_entry", str(seconds)]
    child = subprocess.Popen(command, env=environment, cwd=ROOT, start_new_session=True)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.terminate()
            child.wait(90)


def child_of(process: subprocess.Popen[bytes]) -> int:
    """The one process that holds the model."""
    return int(psutil.Process(process.pid).children()[0].pid)


def running(world: World) -> bool:
    assert world.node is not None
    return bool(world.node.journal.jobs(Stage.RUNNING))


def accepted_job(world: World) -> None:
    world.offer()
    world.start()
    world.turn()
    world.ask()
    world.turn_until(lambda: world.stages() == [Stage.ACCEPTED])


def test_worker__healthy__job_is_done_and_a_sign_of_life_is_there(world: World) -> None:
    accepted_job(world)
    with worker(world, 0.0):
        assert wait_until(lambda: world.stages() == [Stage.DONE], 180), world.stages()
        assert "worker" in world.node.journal.beats()


def test_worker__child_killed_in_the_middle__job_is_done_by_the_next_child(world: World) -> None:
    accepted_job(world)
    with worker(world, 60.0) as process:
        assert wait_until(lambda: running(world), 180)
        first = child_of(process)
        os.kill(first, signal.SIGKILL)
        assert wait_until(lambda: not running(world) or bool(world.turn()), 180, 0.5)
    (job,) = world.node.journal.jobs(Stage.DONE, Stage.COMMITTING, Stage.COMMITTED)
    assert job.attempts == 2


def test_worker__killed_with_its_child__a_fresh_one_takes_the_job_over(world: World) -> None:
    accepted_job(world)
    with worker(world, 30.0) as process:
        assert wait_until(lambda: running(world), 180)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    with worker(world, 0.0):
        assert wait_until(lambda: not running(world) or bool(world.turn()), 180, 0.5)
    world.turn_until(lambda: world.stages() == [Stage.COMMITTED])
    assert world.market.chain.batch_count() == 1
