"""A local network as data: its parties, processes, ports, folders, and the environment of each process.

Nothing runs here. Everything of one network lies in one folder; what must stay the same when it is started again
(ports, passwords) lies in its `network.json`, which only its owner can read.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from protocol.errors import ConfigInvalid
from provider.config import DEFAULT_MODEL
from scripts.testnet.engines import CHAIN_ID, ROOT, choose_ports
from scripts.testnet.environment import plain_environment
from scripts.testnet.pace import TESTNET, Pace
from scripts.testnet.private import write_private

ROLES: Mapping[str, tuple[str, ...]] = {"oracle": ("api", "worker", "watch"), "provider": ("api", "worker", "node")}
CHEATING_WORKER = "scripts.cheating_worker"
EMBEDDER, EMBEDDING_MODEL = "provider-4", "all-MiniLM-L6-v2"
"""The provider of a network that serves vectors beside the others' texts, and its model for embeddings."""
VECTOR_MODELS = (EMBEDDING_MODEL, "Demand-M3-Monthly", "Churn-Telco")
"""What it serves on the testnet, so that every recipe of scripts/recipes has a seller there."""

@dataclass(frozen=True)
class Node:
    """One oracle or provider: three processes with keys, a database and a queue of their own."""

    name: str
    side: str
    folder: Path
    port: int
    broker_port: int
    cheats: bool = False
    models: tuple[str, ...] = (DEFAULT_MODEL,)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def keystore(self) -> Path:
        """The key that the node signs with: an oracle's only one, a provider's node key."""
        return self.folder / ("key.json" if self.side == "oracle" else "node.json")

    @property
    def owner_keystore(self) -> Path:
        """A provider's cold key, which no process of the node sees."""
        return self.folder / "owner.json"

    @property
    def password_file(self) -> Path:
        return self.folder / "password"

    @property
    def database(self) -> str:
        return self.name.replace("-", "_")

    @property
    def processes(self) -> tuple[str, ...]:
        return tuple(f"{self.name}-{role}" for role in ROLES[self.side])

    def command(self, role: str) -> list[str]:
        if self.cheats and role == "worker":
            return [sys.executable, "-m", CHEATING_WORKER]
        return [sys.executable, "-m", self.side, role]


@dataclass(frozen=True)
class Requester:
    name: str
    folder: Path

    @property
    def keystore(self) -> Path:
        return self.folder / "key.json"

    @property
    def password_file(self) -> Path:
        return self.folder / "password"


@dataclass(frozen=True)
class Arrangement:
    """The parties of a network and where everything lies. Made by `arrange`."""

    folder: Path
    nodes: tuple[Node, ...]
    requesters: tuple[Requester, ...]
    rpc_port: int
    secrets: Mapping[str, str]
    model_cache: Path
    pace: Pace

    @property
    def oracles(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.side == "oracle")

    @property
    def providers(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.side == "provider")

    @property
    def rpc_url(self) -> str:
        return f"http://127.0.0.1:{self.rpc_port}"

    @property
    def deployments(self) -> Path:
        """A folder of its own, so that networks (all of one chain id) do not overwrite each other's addresses."""
        return self.folder / "deployments"

    @property
    def deployment(self) -> Path:
        return self.deployments / f"{CHAIN_ID}.json"

    @property
    def parties_file(self) -> Path:
        return self.folder / "parties.json"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    def node(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    def environment(self, node: Node, database_url: str, owner: str | None = None) -> dict[str, str]:
        """The whole environment of a node's processes; secrets travel here, never in the words of a command."""
        its = {
            **self.client_environment(node.keystore, node.password_file),
            "MALLA_DATABASE_URL": database_url,
            "MALLA_BROKER_URL": f"redis://:{self.secrets[node.name]}@127.0.0.1:{node.broker_port}/0",
            "MALLA_HTTP_HOST": "127.0.0.1",
            "MALLA_HTTP_PORT": str(node.port),
            "MALLA_CONFIRMATIONS": "2",
            "MALLA_MODEL_CACHE": str(self.model_cache),
            "MALLA_LOG_LEVEL": os.environ.get("MALLA_LOG_LEVEL", "INFO"),
            "MALLA_PUBLIC_URL": node.url,
            **self.pace.environment(),
        }
        if node.side == "oracle":
            its["MALLA_CANARY_WALLETS"] = str(node.folder / "canaries")
        if owner is not None:
            its |= {"MALLA_OWNER": owner, "MALLA_HOME": str(node.folder), "MALLA_MODEL": ",".join(node.models)}
        return plain_environment() | its

    def client_environment(self, keystore: Path, password_file: Path) -> dict[str, str]:
        """What a command of a requester or a provider needs to talk to this network."""
        return {
            "MALLA_RPC_URL": self.rpc_url,
            "MALLA_DEPLOYMENT": str(self.deployment),
            "MALLA_KEYSTORE": str(keystore),
            "MALLA_PASSWORD_FILE": str(password_file),
        }


def arrange(
    folder: Path,
    *,
    oracles: int = 4,
    providers: int = 3,
    requesters: int = 3,
    cheats: tuple[str, ...] = (),
    models: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    model_cache: Path | None = None,
    pace: Pace = TESTNET,
) -> Arrangement:
    """The network of `folder`: as it was written there, with the ports that are taken by now replaced; else a new one.

    `models` are what providers serve that do not serve the default, by their names.
    Raises ConfigInvalid when the folder holds a network of other parties.
    """
    names = [f"oracle-{i + 1}" for i in range(oracles)] + [f"provider-{i + 1}" for i in range(providers)]
    asked = {"oracles": oracles, "providers": providers, "requesters": requesters, "cheats": list(cheats),
             "models": {name: list(names) for name, names in models.items()}}
    record = folder / "network.json"
    kept = _read_record(record)
    if kept and kept["parties"] != asked:
        raise ConfigInvalid(
            f"{folder} holds a network of {kept['parties']}, not of {asked}.", "Remove it first: `malla testnet reset`."
        )
    ports = choose_ports(["anvil", *names, *(f"{name}-valkey" for name in names)], kept.get("ports", {}))
    words = {name: secrets.token_hex(16) for name in names} | kept.get("secrets", {})
    write_private(record, json.dumps({"parties": asked, "ports": ports, "secrets": words}, indent=2) + "\n")
    return Arrangement(
        folder=folder,
        nodes=tuple(
            Node(
                name, name.rpartition("-")[0], folder / "nodes" / name, ports[name], ports[f"{name}-valkey"],
                name in cheats, models.get(name, (DEFAULT_MODEL,)),
            )
            for name in names
        ),
        requesters=tuple(
            Requester(f"requester-{i + 1}", folder / "requesters" / f"requester-{i + 1}") for i in range(requesters)
        ),
        rpc_port=ports["anvil"],
        secrets=words,
        model_cache=model_cache or ROOT / "var" / "models",
        pace=pace,
    )  # fmt: skip


def _read_record(record: Path) -> dict[str, Any]:
    """What `arrange` wrote earlier, or nothing. A file that is no record is left as it is: it may hold the secrets."""
    try:
        kept = json.loads(record.read_text()) if record.exists() else {}
    except ValueError:
        kept = None
    if not isinstance(kept, dict) or (kept and not isinstance(kept.get("parties"), dict)):
        raise ConfigInvalid(f"{record} is damaged.", "Restore it, or remove the network: `malla testnet reset`.")
    return kept
