"""Starts a whole network, knows when it is ready, and ends it: one code for the testnet, the demo and the tests."""

from __future__ import annotations

import contextlib
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from protocol.chain.chain import Chain
from protocol.chain.connect import connect
from protocol.chain.deployment import load_deployment
from protocol.errors import ConfigInvalid, MallaError
from scripts.testnet import engines, offers, parties, postgres
from scripts.testnet.arrangement import ROLES, Arrangement, Node
from scripts.testnet.health import read_health
from scripts.testnet.processes import Process, Processes, ProcessFailed

READY_TIMEOUT, OFFERS_TIMEOUT = 300.0, 180.0
Say = Callable[[str, str], None]
"""`say(step, detail)`: progress for people; the same step again replaces its detail."""


class Network:
    """A network of an arrangement. `with Network(what) as network:` starts it and ends it whatever happens.

    `chain` is there after the start. Processes are known as `oracle-1-api`, `provider-3-worker`, `anvil`, `postgres`,
    `oracle-1-valkey`.
    """

    chain: Chain

    def __init__(self, what: Arrangement, say: Say = lambda step, detail: None, deposits: bool = True) -> None:
        self.what = what
        self.processes = Processes(what.logs)
        self.databases: dict[str, str] = {}
        self.durations: dict[str, float] = {}
        self._say = say
        self._deposits = deposits
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Network:
        try:
            self.start()
        except MallaError as error:
            # A step that failed because a process is gone: that process is the cause, and its log says why.
            dead = self.processes.find_dead()
            self.stop()
            if dead is None or isinstance(error, ProcessFailed):
                raise
            raise dead.describe_failure("ended unexpectedly") from error
        except BaseException:  # also Ctrl-C in the middle of the start: nothing may stay behind
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Engines, contracts, parties, processes, readiness. The caller holds the folder's `Lock`.

        Raises ProcessFailed and ConfigInvalid."""
        began = time.monotonic()
        self._start_engines()
        self._took("engines", began)
        self._say("contracts", "deploying with Brownie")
        parties.create_keystores(self.what)
        deployment = parties.start_deployment(self.what, self.processes)
        parties.wait_for_deployment(self.what, deployment, self.processes)
        self.chain = connect(self.what.rpc_url, load_deployment(self.what.deployment))
        self._require_same_contracts()
        self._took("contracts", began)
        self._say("contracts", f"at {self.chain.deployment.escrow} and {len(self.chain.deployment.addresses) - 1} more")
        self._start_workers()
        self._set_up_parties()
        self._took("parties", began)
        for node in self.what.nodes:
            for role in ROLES[node.side]:
                if role != "worker":
                    self.start_process(node, role)
        self.wait_ready()
        self._wait_for_offers()
        self._took("ready", began)

    def stop(self) -> None:
        """Ends every process in order: nodes first, then the engines that they use. Can be called twice."""
        signal.setitimer(signal.ITIMER_REAL, 0)  # the end has begun: nobody needs to be reminded (`stoppable`)
        roles = [[f"{node.name}-{role}" for node in self.what.nodes] for role in ("api", "watch", "node", "worker")]
        self.processes.stop(["deploy", *(name for names in roles for name in names)])
        self._stack.close()
        self.processes.stop_all()

    def start_process(self, node: Node, role: str) -> Process:
        """One process of a node, with a fresh start of its own."""
        owner = parties.owner_of(node) if node.side == "provider" else None
        environment = self.what.environment(node, self.databases[node.name], owner)
        return self.processes.spawn(
            f"{node.name}-{role}", node.command(role), environment=environment, folder=engines.ROOT
        )

    def restart_valkey(self, node: Node) -> None:
        """The broker of a node again, after it was killed."""
        self._stack.enter_context(self._valkey(node))

    def wait_ready(self, nodes: tuple[Node, ...] | None = None, timeout: float = READY_TIMEOUT) -> None:
        """Until every node is ready. Raises ProcessFailed: the process that ended, or what is still waited for."""
        waiting = {node.name: ["api"] for node in nodes or self.what.nodes}
        end = time.monotonic() + timeout
        while waiting:
            self.require_alive()
            for name in list(waiting):
                ready, missing = read_health(self.what.node(name).url)
                if ready:
                    del waiting[name]
                else:
                    waiting[name] = missing
            total = len(nodes or self.what.nodes)
            self._say("nodes", f"{total - len(waiting)} of {total} ready" + _explain(waiting))
            if waiting and time.monotonic() > end:
                name, missing = next(iter(waiting.items()))
                role = missing[0] if missing and f"{name}-{missing[0]}" in self.processes.running else "api"
                process = self.processes.running[f"{name}-{role}"]
                raise process.describe_failure(f"is not ready after {timeout:.0f} s; it waits for {missing}")
            if waiting:
                time.sleep(0.5)

    def require_alive(self) -> None:
        """Raises ProcessFailed, with the end of its log, if a process ended that nobody asked to end."""
        if (dead := self.processes.find_dead()) is not None:
            raise dead.describe_failure("ended unexpectedly")

    def _require_same_contracts(self) -> None:
        """Keys, databases and jobs of a network belong to its contracts; a changed contract is another network."""
        record, escrow = self.what.folder / "escrow", self.chain.deployment.escrow
        if record.exists() and record.read_text().strip() != escrow:
            raise ConfigInvalid(
                f"The contracts of this clone are not those with which the network in {self.what.folder} began.",
                "Begin anew: `malla testnet reset`, then `malla testnet up`.",
            )
        record.write_text(f"{escrow}\n")

    def _start_engines(self) -> None:
        self._say("engines", "starting Anvil, PostgreSQL and a Valkey for each node")
        folder = self.what.folder
        (folder / "anvil").mkdir(parents=True, exist_ok=True)
        self._stack.enter_context(
            engines.anvil(family=self.processes, folder=folder / "anvil", port=self.what.rpc_port,
                          block_time=self.what.pace.block_time, state=folder / "anvil" / "state.json")
        )  # fmt: skip
        cluster = self._stack.enter_context(engines.postgres(folder / "postgres", family=self.processes))
        for node in self.what.nodes:
            self._stack.enter_context(self._valkey(node))
        passwords = {node.database: self.what.secrets[node.name] for node in self.what.nodes}
        urls = cluster.create_databases(passwords)
        self.databases = {node.name: urls[node.database] for node in self.what.nodes}
        self._say("engines", f"Anvil on port {self.what.rpc_port}, PostgreSQL, {len(self.what.nodes)} Valkeys")

    def _valkey(self, node: Node) -> contextlib.AbstractContextManager[engines.Valkey]:
        return engines.valkey(
            self.what.folder / "valkey" / node.name, family=self.processes, port=node.broker_port,
            password=self.what.secrets[node.name], name=f"{node.name}-valkey",
        )  # fmt: skip

    def _start_workers(self) -> None:
        """First of all processes, because loading the model takes longest."""
        self._say("nodes", "loading the model in every worker")
        for node in self.what.nodes:
            self.start_process(node, "worker")

    def _set_up_parties(self) -> None:
        self._say("parties", "oracles take their seats, providers register and stake")
        parties.take_seats(self.what, self.chain)
        parties.register_providers(self.what, self.chain)
        if self._deposits:
            parties.deposit(self.what, self.chain)
        offers.sign_offers(self.what, self.chain)
        self._say("parties", f"{len(self.what.oracles)} oracles, {len(self.what.providers)} providers, "
                             f"{len(self.what.requesters)} requesters")  # fmt: skip

    def _wait_for_offers(self) -> None:
        """Until every oracle lists the offers and the address of every provider: only then can anybody ask for work."""
        end, wanted = time.monotonic() + OFFERS_TIMEOUT, sum(len(node.models) for node in self.what.providers)
        for node in self.what.oracles:
            while (listed := offers.count_offers(node.url)) < wanted:
                self.require_alive()
                if time.monotonic() > end:
                    raise ProcessFailed(
                        f"{node.name} lists {listed} and not {wanted} offers in {OFFERS_TIMEOUT:.0f} s.",
                        f"See the logs of the providers' nodes in {self.what.logs}.",
                    )
                self._say("nodes", f"all ready; {node.name} lists {listed} of {wanted} offers")
                time.sleep(0.5)
        self._say("nodes", f"{len(self.what.nodes)} ready, every oracle lists all {wanted} offers")

    def _took(self, step: str, began: float) -> None:
        self.durations[step] = round(time.monotonic() - began, 1)


def _explain(waiting: dict[str, list[str]]) -> str:
    if not waiting:
        return ""
    name, missing = next(iter(waiting.items()))
    return f"; {name} waits for {', '.join(missing) or 'itself'}"


def remove_network(folder: Path) -> None:
    """Deletes a stopped network's folder with keys, databases and chain."""
    postgres.discard(folder / "postgres")
    shutil.rmtree(folder, ignore_errors=True)


__all__ = ["Network", "ProcessFailed", "remove_network"]
