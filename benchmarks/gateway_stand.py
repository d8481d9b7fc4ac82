"""What the gateway's measurement runs on: a network of one oracle and one provider, a gateway, and the provider's
backend once more in this process.

The network lies in a folder of its own and ends with the measurement. Its provider takes 40 calls at once, and commits
no voucher meanwhile: an audit would replay calls on the processors that are measured.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.new_user import ROOT, end, free_port, wait_for
from provider.config import Settings
from provider.edges.backends import TorchBackend, load_text_backend
from scripts.testnet.arrangement import Arrangement, Node, arrange
from scripts.testnet.network import Network, remove_network
from scripts.testnet.parties import owner_of
from scripts.testnet.show import Steps

STREAMS = 40
"""More than are measured: a stream is free again a moment after its last event."""
PROVIDER = {"MALLA_STREAMS": str(STREAMS), "MALLA_VOUCHER_WAIT": "3600", "MALLA_LOG_LEVEL": "WARNING"}


class Measured(Arrangement):
    """A network whose providers take that many calls at once, and commit nothing for an hour."""

    def environment(self, node: Node, database_url: str, owner: str | None = None) -> dict[str, str]:
        return super().environment(node, database_url, owner) | (PROVIDER if node.side == "provider" else {})


@dataclass(frozen=True)
class Stand:
    """A gateway at `url`, and the backend that its only provider runs."""

    url: str
    backend: TorchBackend


@contextlib.contextmanager
def running_stand() -> Iterator[Stand]:
    """Everything that is measured, ended with the block. Raises ProcessFailed, SystemExit."""
    with tempfile.TemporaryDirectory(prefix="malla-measure-") as place, ended_by_signals():
        folder = Path(place) / "network"
        what = Measured(**vars(arrange(folder, oracles=1, providers=1, requesters=1)))
        try:
            with Network(what, Steps()):
                requester, node = what.requesters[0], what.providers[0]
                client = what.client_environment(requester.keystore, requester.password_file)
                settings = Settings.from_env(what.environment(node, "postgresql+psycopg://", owner_of(node)))
                backend = load_text_backend(settings.models[0], settings)
                with gateway({**client, "MALLA_HOME": str(Path(place) / "home")}, Path(place) / "gateway.log") as url:
                    yield Stand(url, backend)
                backend.close()
        finally:
            remove_network(folder)


@contextlib.contextmanager
def gateway(environment: dict[str, str], log: Path) -> Iterator[str]:
    """`malla request serve`; yields its base URL."""
    port = free_port()
    command = [sys.executable, "-m", "scripts.malla", "request", "serve", "--port", str(port), "--max-spend", "900",
               "--session-cap", "180"]
    with log.open("w") as stream:
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stdout=stream,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        try:
            wait_for(process, lambda: "Serving OpenAI's API" in log.read_text(), log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            end(process)


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, so that nothing stays behind."""
    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
