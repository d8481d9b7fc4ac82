"""`start`: api, worker and node of one provider under a small supervisor in the foreground."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Annotated

import typer

from protocol.errors import ConfigInvalid
from provider.cli.options import DEFAULT_HOME, Database, DeploymentFile, Home, Json, PasswordFile, Place, Rpc
from provider.cli.output import OK, reporting, say

ROLES = ("worker", "api", "node")
GRACE_SECONDS = 15.0
PR_SET_PDEATHSIG = 1
Broker = Annotated[
    str,
    typer.Option("--broker-url", envvar="MALLA_BROKER_URL", help="redis://:password@host:port/0", show_default=False),
]
Port = Annotated[
    int,
    typer.Option("--http-port", envvar="MALLA_HTTP_PORT", min=0, max=65535, help="Port of /v1/health; 0: a free one."),
]


def start(
    home: Home = DEFAULT_HOME, rpc_url: Rpc = "", deployment: DeploymentFile = None, password_file: PasswordFile = None,
    database_url: Database = "", broker_url: Broker = "", http_port: Port = 0, json: Json = False,
) -> None:
    """Run the provider: its api, its Celery worker and its node, until Ctrl-C. If one of them ends, all end."""
    from protocol.chain.keystore import read_password
    from provider.api import require_free
    from provider.cli.sending import owner_address
    from provider.wiring.console import open_node_keys, require_database

    with reporting(json):
        place = Place(home, rpc_url, deployment, password_file)
        password = password_file or home / "password"
        if not password.is_file():
            raise ConfigInvalid("The node's processes have nobody to ask for the password.",
                                f"Give --password-file FILE, or write it into {home / 'password'} (mode 0600).")
        port = http_port or _free_port()
        require_free("127.0.0.1", port)
        environment = dict(os.environ) | {
            "MALLA_HOME": str(home), "MALLA_RPC_URL": place.require_rpc(), "MALLA_HTTP_PORT": str(port),
            "MALLA_DEPLOYMENT": str(place.deployment_file()), "MALLA_KEYSTORE": str(place.node_keystore),
            "MALLA_PASSWORD_FILE": str(password), "MALLA_DATABASE_URL": database_url, "MALLA_BROKER_URL": broker_url,
            "MALLA_OWNER": owner_address(place), "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false",
        }
        _check(environment)
        open_node_keys(place.node_keystore, read_password(password))
        require_database(database_url)
        say(json, {"status": "starting", "url": f"http://127.0.0.1:{port}"},
            [f"Starting; http://127.0.0.1:{port}/v1/health says when it is ready. Ctrl-C ends it."])
        ended = supervise({role: [sys.executable, "-m", "provider", role] for role in ROLES}, environment)
        if ended is not None:
            raise ConfigInvalid(f"The process {ended} ended by itself, so the others were ended too.",
                                "Its last lines above say why.")
        raise typer.Exit(OK)


def supervise(commands: Mapping[str, list[str]], environment: Mapping[str, str]) -> str | None:
    """Run the commands until SIGINT or SIGTERM, or until one ends; then end all. Returns who ended by itself."""
    over = threading.Event()
    before = {number: signal.signal(number, lambda *_: over.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    children: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in commands.items():
            children[name] = subprocess.Popen(command, env=dict(environment), start_new_session=True,
                                              preexec_fn=_die_with_parent)
        while not over.wait(0.3):
            for name, child in children.items():
                if child.poll() is not None:
                    return f"{name} (status {child.returncode})"
        return None
    finally:
        end_all(children)
        for number, handler in before.items():
            signal.signal(number, handler)


def end_all(children: Mapping[str, subprocess.Popen[bytes]], grace: float = GRACE_SECONDS) -> None:
    """TERM to each, then KILL to the session of whoever is left after the grace."""
    for child in children.values():
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
    end = time.monotonic() + grace
    for child in children.values():
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(max(0.1, end - time.monotonic()))
        _kill_session(child.pid)
        child.wait()


def _kill_session(pid: int) -> None:
    # Also after an orderly end: a pool process of Celery may have outlived its parent.
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _check(environment: Mapping[str, str]) -> None:
    from provider.config import Settings
    from provider.wiring import require_models

    require_models(Settings.from_env(environment))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
