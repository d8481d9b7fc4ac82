"""Keeps one network up: the process behind `malla testnet up`. It writes down what runs, for `status` and `logs`."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from protocol.errors import MallaError
from scripts.testnet.arrangement import EMBEDDER, VECTOR_MODELS, arrange
from scripts.testnet.engines import ROOT
from scripts.testnet.lock import Lock
from scripts.testnet.network import Network
from scripts.testnet.private import write_private

FOLDER = ROOT / "var" / "testnet"
DEPLOYMENTS = ROOT / "deployments"
RESTARTS, RESTART_SECONDS = 3, 60.0
"""A node's process that ends by itself is started again, but not more often than this in so many seconds."""


REMIND_S = 5.0
"""An exception that a signal raised can be lost, in a finaliser for one; so it is raised again until the end begins."""


class Stopped(KeyboardInterrupt):
    """Somebody asked us to end: Ctrl-C, TERM or a closed terminal."""


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Turns the first INT, TERM or HUP into `Stopped` in the main thread; later ones cannot disturb the end."""

    def stop(number: int, frame: FrameType | None) -> None:
        words = f"stopped by {signal.Signals(number).name}"

        def remind(again: int, frame: FrameType | None) -> None:
            raise Stopped(words)

        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, remind)
        signal.setitimer(signal.ITIMER_REAL, REMIND_S, REMIND_S)  # `Network.stop` ends the reminding
        raise Stopped(words)

    old = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for each, handler in old.items():
            signal.signal(each, handler)


def keep_up(folder: Path, say: Callable[[str, str], None], ready: Callable[[], None]) -> None:
    """Runs the testnet of `folder` until `Stopped`; `ready` is called once, when everything answers.

    Raises AlreadyRunning, and ProcessFailed when an engine ends, or a node's process that keeps ending.
    """
    state, port_file = folder / "state.json", folder / "rpc_port"
    with Lock(folder):
        state.unlink(missing_ok=True)  # of a supervisor that was killed
        what = arrange(folder, providers=4, models={EMBEDDER: VECTOR_MODELS})
        network = Network(what, say)
        try:
            with network:
                _publish(what.deployment)
                port_file.write_text(f"{what.rpc_port}\n")  # where tools/brownie.sh looks for the network `malla`
                _write_state(state, network)
                ready()
                reviver = Reviver(network)
                while True:
                    time.sleep(1)
                    if reviver.revive():
                        _write_state(state, network)
        finally:
            port_file.unlink(missing_ok=True)
            state.unlink(missing_ok=True)


def _publish(deployment: Path) -> None:
    """Puts the addresses where the commands look for them; the network itself reads its own copy."""
    draft = DEPLOYMENTS / f"{deployment.name}.draft"
    DEPLOYMENTS.mkdir(exist_ok=True)
    draft.write_bytes(deployment.read_bytes())
    draft.replace(DEPLOYMENTS / deployment.name)


class Reviver:
    """Starts a node's process again that ended by itself, but gives up on one that keeps ending."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._nodes = {
            name: (node, name.rpartition("-")[2]) for node in network.what.nodes for name in node.processes
        }
        self._ended: dict[str, list[float]] = {}

    def revive(self) -> str | None:
        """Looks once; the name of what was started again, or None. Raises ProcessFailed for an engine that ended, and
        for a process that ended RESTARTS times within RESTART_SECONDS."""
        dead = self._network.processes.find_dead()
        if dead is None:
            return None
        failure, now = dead.describe_failure("ended unexpectedly"), time.monotonic()
        recent = [at for at in self._ended.get(dead.name, []) if now - at < RESTART_SECONDS]
        if dead.name not in self._nodes or len(recent) >= RESTARTS:
            raise failure
        self._ended[dead.name] = [*recent, now]
        print(f"{failure.message}\n{dead.name} is started again.", flush=True)
        self._network.processes.stop([dead.name])
        self._network.start_process(*self._nodes[dead.name])
        return dead.name


def _write_state(path: Path, network: Network) -> None:
    what = network.what
    record = {
        "supervisor": os.getpid(),
        "since": int(time.time()),
        "rpc_url": what.rpc_url,
        "deployment": str(what.deployment),
        "published": str(DEPLOYMENTS / what.deployment.name),
        "requesters": {
            one.name: {"keystore": str(one.keystore), "password_file": str(one.password_file)}
            for one in what.requesters
        },
        "nodes": {node.name: node.url for node in what.nodes},
        "processes": {
            name: {"pid": process.pid, "log": str(process.log)} for name, process in network.processes.running.items()
        },
        "durations_s": network.durations,
    }
    draft = path.with_suffix(".draft")
    write_private(draft, json.dumps(record, indent=2) + "\n")
    draft.replace(path)


def main() -> int:
    """`python -m scripts.testnet.supervisor`: the testnet in the background, with plain lines as its log."""
    from scripts.testnet.show import Steps

    try:
        with stoppable():
            keep_up(FOLDER, Steps(), lambda: print("The network is ready.", flush=True))
    except Stopped as stopped:
        print(f"Ended: {stopped}.", flush=True)
        return 0
    except MallaError as error:
        print(f"{error.message}\n{error.fix}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
