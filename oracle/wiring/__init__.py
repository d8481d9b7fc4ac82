"""Builds the real clients of an oracle's processes from their settings: the only file that does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Engine

from oracle.config import Settings
from oracle.edges.broker import (
    CANARY_TASK,
    CHALLENGE_TASK,
    QUEUE,
    REVIEW_TASK,
    TASK,
    TRANSPORT_OPTIONS,
    CeleryQueue,
)
from oracle.edges.canary_requests import RequesterProgram
from oracle.edges.catalogue import ReleaseCatalogue
from oracle.edges.chain import OracleChain
from oracle.edges.log import open_log
from oracle.edges.metrics import Figures
from oracle.edges.migrate import migrate
from oracle.edges.peers import HttpPeers
from oracle.edges.store import SqlStore, open_engine, projection_on
from oracle.flow.node import Node
from oracle.flow.projection import apply_block
from oracle.ports import Replayer, Sender
from protocol.chain.connect import connect
from protocol.chain.deployment import load_deployment
from protocol.chain.keystore import open_keystore, read_password
from protocol.errors import ConfigInvalid
from protocol.proofs.freivalds import Multiply
from protocol.sealing import derive_secret
from protocol.signing import Signer

SEAL_PURPOSE = "malla/oracle/x25519/v1"
REVEAL_PURPOSE = "malla/oracle/reveals/v1"

__all__ = [
    "CANARY_TASK",
    "CHALLENGE_TASK",
    "QUEUE",
    "REVIEW_TASK",
    "TASK",
    "TRANSPORT_OPTIONS",
    "Parts",
    "build",
    "build_follow",
    "check_model_files",
    "load_multiply",
    "load_replayer",
    "load_requesting",
    "migrate_database",
    "open_log",
]


class NoSender:
    """For processes that send no transactions."""

    def submit(self, key: str, call: Any) -> None:
        raise ConfigInvalid(f"This process sends no transactions ({key}).", "Run: python -m oracle watch")

    def pump(self) -> int:
        return 0

    def outcome(self, key: str) -> Any | None:
        return None


@dataclass(frozen=True)
class Parts:
    """One process's clients. `contracts` are the deployment's addresses by name."""

    settings: Settings
    node: Node
    engine: Engine
    figures: Figures
    contracts: dict[str, str]
    chain: OracleChain

    def close(self) -> None:
        self.node.peers.close()  # type: ignore[attr-defined]
        self.node.queue.close()  # type: ignore[attr-defined]
        self.engine.dispose()


def build(settings: Settings, process: str, sends: bool = False) -> Parts:
    """Errors: ConfigInvalid, ChainUnreachable, Unavailable. Migrates the database first."""
    log = open_log(f"oracle-{process}", settings.log_level)
    key = open_keystore(settings.keystore, read_password(settings.password_file))
    engine = open_engine(settings.database_url)
    migrate(engine)
    deployment = load_deployment(settings.deployment)
    chain = OracleChain(connect(settings.rpc_url, deployment))
    signer = Signer(key)
    node = Node(
        signer=signer,
        seal_secret=derive_secret(key, SEAL_PURPOSE),
        reveal_secret=derive_secret(key, REVEAL_PURPOSE),
        domain=chain.domain,
        chain=chain,
        store=SqlStore(engine),
        clock=time.time,
        rules=settings.rules,
        catalogue=ReleaseCatalogue(),
        peers=HttpPeers(),
        queue=CeleryQueue(settings.broker_url),
        sender=NoSender(),
        log=log,
    )
    if sends:
        node = replace(node, sender=_sender(settings, engine, chain, signer))
    return Parts(settings, node, engine, Figures(engine), dict(deployment.addresses), chain)


def build_follow(parts: Parts) -> Callable[[], int]:
    """What applies newly final blocks to the rows, each block with its rows in one transaction."""
    from protocol.chain.follower import Follower

    follower = Follower(parts.engine, parts.chain.plain, parts.settings.confirmations)
    return lambda: follower.follow(lambda c, block: apply_block(projection_on(parts.engine, c), block))


def load_replayer(settings: Settings) -> tuple[Replayer, list[bytes]]:
    """The reference model in memory, and the digests of what was loaded. Imports torch."""
    from oracle.edges.replay import TorchReplayer

    replayer = TorchReplayer(settings.model_cache)
    return replayer, list(replayer.load_all())


def load_requesting(settings: Settings, store: SqlStore) -> RequesterProgram:
    """The requester's program with the wallets of the canaries, which the database knows from then on. Errors:
    ConfigInvalid when there is no folder of them."""
    if settings.canary_wallets is None:
        raise ConfigInvalid("No folder of canary wallets is named.", "Set MALLA_CANARY_WALLETS.")
    network = {"MALLA_RPC_URL": settings.rpc_url, "MALLA_DEPLOYMENT": str(settings.deployment),
               "MALLA_CONFIRMATIONS": str(settings.confirmations)}
    program = RequesterProgram(settings.canary_wallets, network, os.environ)
    store.keep_wallets(program.wallets())
    return program


def load_multiply() -> Multiply:
    """The fast exact product of int8 matrices, for checking challenges. Imports torch."""
    from protocol.engine.challenge import exact_multiply

    return exact_multiply()


def check_model_files() -> None:
    """The model files of this release are installed and have the digests of their manifests. Errors: ConfigInvalid."""
    from protocol.engine.vector_catalogue import locate_vector_weights
    from protocol.engine.weights import check_weights_file, locate_weights_file

    catalogue = ReleaseCatalogue()
    for manifest in catalogue.models.values():
        check_weights_file(manifest, locate_weights_file(manifest))
    for vector in catalogue.vector_models.values():
        locate_vector_weights(vector)  # its digest is checked when it is loaded, for its first audit


def migrate_database(settings: Settings) -> None:
    """Bring the database to this version's tables."""
    engine = open_engine(settings.database_url)
    migrate(engine)
    engine.dispose()


def _sender(settings: Settings, engine: Engine, chain: OracleChain, signer: Signer) -> Sender:
    from protocol.chain.sender import Sender as ChainSender

    return ChainSender(engine, chain.plain, signer, settings.confirmations)
