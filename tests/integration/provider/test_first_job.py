"""`malla provider start` with the real model: a job is answered, shown by the other commands, and Ctrl-C ends all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from protocol.chain.keystore import write_keystore
from protocol.encoding import keccak, to_hex
from protocol.sealing import unseal
from protocol.transcript import parse_answer
from scripts.testnet.engines import choose_port
from scripts.testnet.watching import wait_until
from tests.integration.provider.test_start import gone
from tests.integration.provider.world import PASSWORD, World

ROOT = Path(__file__).resolve().parents[3]


def environment_of(world: World) -> dict[str, str]:
    settings = world.settings
    return dict(os.environ) | {
        "MALLA_HOME": str(settings.home), "MALLA_RPC_URL": settings.rpc_url, "MALLA_REVEAL_WAIT": "1",
        "MALLA_DEPLOYMENT": str(settings.deployment), "MALLA_DATABASE_URL": settings.database_url,
        "MALLA_BROKER_URL": settings.broker_url, "MALLA_BATCH_WAIT": "0", "PYTHONPATH": str(ROOT),
    }


def malla(world: World, *words: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-m", "scripts.malla", "provider", *words, "--json"], text=True, cwd=ROOT,
                          env=environment_of(world), capture_output=True, timeout=180)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.model
def test_start__job_is_asked__answered_delivered_shown_and_everything_ends(world: World) -> None:
    write_keystore(world.settings.home / "owner.json", keccak(b"owner"), PASSWORD)
    world.offer()
    port = str(choose_port())
    words = [sys.executable, "-m", "scripts.malla", "provider", "start", "--http-port", port]
    running = subprocess.Popen(words, cwd=ROOT, env=environment_of(world), start_new_session=True)
    family: list[psutil.Process] = []
    try:
        opened = world.ask()

        def all_have_it() -> bool:
            world.mine(1)
            return all(oracle.reports for oracle in world.oracles)

        assert wait_until(all_have_it, 300, 0.5), running.poll()
        family = psutil.Process(running.pid).children(recursive=True)
        report = world.oracles[0].reports[0]["report"]
        answer = parse_answer(unseal(world.oracles[0].blobs[report["answer_digest"]], world.reply_secret))
        assert answer.text.strip() and answer.job_id == opened.job_id
        rows = malla(world, "jobs")["jobs"]
        assert [(row["id"], row["stage"]) for row in rows] == [(to_hex(opened.job_id), "COMMITTED")]
        assert malla(world, "earnings")["pending_wei"] == report["amount"]
        status = malla(world, "status")
        assert status["node"]["ready"] is True and status["active_stake_wei"] != "0"
        assert "ok" in {finding["severity"] for finding in malla(world, "doctor")["findings"]}
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(120)
    assert running.returncode == 0
    assert len(family) >= 4
    assert gone(family)
