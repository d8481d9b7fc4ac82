"""Builds the real clients of a provider's processes from their settings. Nothing is connected before it is asked.

Edges are imported where they are built: the worker needs no web3, and nothing but the worker's child needs torch.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from protocol.errors import ConfigInvalid
from provider.config import Settings
from provider.flow.challenges import Challenging
from provider.flow.chores import Chores
from provider.flow.delivery import Delivering
from provider.flow.drawing import Opening
from provider.flow.forgetting import Forgetting
from provider.flow.inference import Inference
from provider.flow.listings import Listings
from provider.flow.offers import Publishing
from provider.flow.posting import Posting
from provider.flow.serving import Serving
from provider.flow.session_ends import Ending
from provider.flow.session_reports import Reporting
from provider.flow.work import Committing
from provider.ports.work import Backends, Journal, Log

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from protocol.chain.chain import Chain
    from protocol.chain.follower import Follower
    from provider.edges.broker import CeleryBroker
    from provider.edges.chain import ChainView, NodeSender
    from provider.edges.journal import PostgresJournal
    from provider.edges.keys import NodeKeys
    from provider.edges.offer_files import OfferFiles
    from provider.edges.oracle_client import HttpOracleClient
    from provider.edges.projection import Projection


@dataclass(frozen=True)
class Node:
    """Everything that the loop turns."""

    settings: Settings
    engine: Engine
    journal: PostgresJournal
    chain: Chain
    view: ChainView
    follower: Follower
    projection: Projection
    sender: NodeSender
    files: OfferFiles
    keys: NodeKeys
    client: HttpOracleClient
    broker: CeleryBroker
    serving: Serving
    committing: Committing
    delivering: Delivering
    opening: Opening
    posting: Posting
    publishing: Publishing
    chores: Chores
    challenging: Challenging
    reporting: Reporting
    ending: Ending
    forgetting: Forgetting
    listings: Listings
    log: Log

    def close(self) -> None:
        self.client.close()
        self.broker.close()
        self.engine.dispose()


def build_log(process: str, settings: Settings) -> Log:
    from provider.edges.logs import open_log

    return open_log(process, settings.log_level)


def build_journal(settings: Settings) -> PostgresJournal:
    """The journal, its tables brought to this version. Errors: Unavailable."""
    from provider.edges.migrate import open_journal

    return open_journal(settings.database_url)


def require_models(settings: Settings) -> None:
    """Whether this release can serve what the settings name, together. Errors: ConfigInvalid, Refused(UNKNOWN_PROFILE).
    """
    from provider.edges.models import find_shelf

    find_shelf(settings)


def build_backends(settings: Settings) -> Backends:
    """What runs the models: the server that MALLA_BACKEND_URL names, else torch. For the worker's child only.

    Errors: ConfigInvalid, Unavailable, Malformed, Refused(UNKNOWN_PROFILE).
    """
    from provider.edges.models import find_shelf

    shelf = find_shelf(settings)
    if not settings.backend_url:
        from provider.edges.backends import load_torch_backends  # imports torch

        return load_torch_backends(settings)
    from provider.edges.openai_server import load_server_backend

    return {served.model: load_server_backend(served.name, settings) for served in shelf.models}


def build_inference(settings: Settings, journal: Journal, backends: Backends, log: Log) -> Inference:
    """What one process of the worker runs jobs with."""
    from provider.edges.gpu import NvmlGpu

    return Inference(journal, backends, NvmlGpu(), time.time, log, f"{socket.gethostname()}:{os.getpid()}")


def take_challenge_step(settings: Settings, log: Log, window: int) -> None:
    """The worker's next step in a window's challenge. Imports torch. Errors: ConfigInvalid, Unavailable."""
    from provider.edges.challenge_rows import SqlChallenges
    from provider.edges.challenger import TorchChallenger
    from provider.flow.computing import compute_challenge

    journal = build_journal(settings)
    try:
        compute_challenge(SqlChallenges(journal.engine), TorchChallenger(), settings.challenges, log, window)
    finally:
        journal.engine.dispose()


def build_node(settings: Settings) -> Node:
    """The node's parts. Errors: ConfigInvalid, ChainUnreachable, Unavailable."""
    from protocol.chain.connect import connect
    from protocol.chain.deployment import load_deployment
    from protocol.chain.follower import Follower
    from protocol.chain.sender import Sender
    from provider.edges.broker import CeleryBroker
    from provider.edges.chain import ChainView, NodeSender
    from provider.edges.challenge_rows import SqlChallenges
    from provider.edges.claim_rows import SqlClaims
    from provider.edges.device import ask_device
    from provider.edges.keys import open_node_keys
    from provider.edges.models import find_shelf
    from provider.edges.offer_files import OfferFiles
    from provider.edges.oracle_client import HttpOracleClient
    from provider.edges.projection import Projection
    from provider.edges.said_rows import SqlSaid
    from provider.edges.session_rows import SqlSessions
    from provider.edges.tokenizer import load_counters

    log = build_log("provider-node", settings)
    keys = open_node_keys(settings.keystore, settings.password_file)
    shelf, counters = find_shelf(settings), load_counters(settings)
    journal = build_journal(settings)
    engine = journal.engine
    chain = connect(settings.rpc_url, load_deployment(settings.deployment))
    _require_node_key(chain, settings, keys, log)
    view = ChainView(chain)
    sender = NodeSender(chain, Sender(engine, chain, keys.signer, settings.confirmations), keys.address,
                        settings.owner)
    client, broker = HttpOracleClient(), CeleryBroker(settings.broker_url)
    sessions, claims = SqlSessions(engine, view.domain), SqlClaims(engine)
    opening = Opening(settings.owner, journal, view, client, keys, time.time, log, settings.reveal_wait, claims)
    return Node(
        settings, engine, journal, chain, view, Follower(engine, chain, settings.confirmations),
        Projection(settings.owner, log), sender, OfferFiles(settings.home), keys, client, broker,
        Serving(settings.owner, shelf, journal, view, client, counters, keys, broker, time.time, log),
        Committing(journal, view, sender, time.time, log, settings.max_batch, settings.batch_wait, claims=claims,
                   voucher_wait=settings.voucher_wait),
        Delivering(journal, view, client, keys, time.time, log),
        opening,
        Posting(opening, sender),
        Publishing(settings.owner, journal, keys, time.time, log, view.domain),
        Chores(journal, view, sender, log),
        Challenging(settings.owner, SqlChallenges(engine), view, client, keys, broker, time.time, log,
                    settings.challenges, settings.confirmations),
        Reporting(journal, claims, keys, view.domain, log),
        Ending(sessions, claims, view, sender, time.time, log),
        Forgetting(SqlSaid(engine), view, log),
        Listings(settings.owner, settings.public_url, settings.region, ask_device(), settings.streams, view.domain,
                 client, keys, time.time, log, sessions.call_speed),
        log,
    )


def _require_node_key(chain: Chain, settings: Settings, keys: NodeKeys, log: Log) -> None:
    """Another owner's key is a mistake; a key that nobody has registered yet may come to be registered."""
    owner = chain.provider_of(keys.address)
    if owner is None:
        log("node_key_not_registered", node_key=keys.address, owner=settings.owner)
    elif owner.lower() != settings.owner.lower():
        raise ConfigInvalid(f"The node key {keys.address} speaks for {owner}, MALLA_OWNER is {settings.owner}.",
                            "Set MALLA_OWNER to its owner, or MALLA_KEYSTORE to this owner's node key.")
