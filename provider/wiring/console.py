"""Builds what the command line needs. Each function imports the edges that it uses, so that `--help` stays quick."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protocol.errors import MallaError
from protocol.types import SignedOffer
from protocol.units import Address
from provider.config import DEFAULT_MODEL, TORCH_CLASS, models_of
from provider.flow.doctor import ChainFacts, Facts
from provider.flow.status import judge_readiness
from provider.records.figures import Earnings
from provider.shelf import Served, choose_name

if TYPE_CHECKING:
    from protocol.chain.chain import Chain
    from provider.edges.journal import PostgresJournal
    from provider.edges.keys import NodeKeys
    from provider.edges.offer_files import OfferFiles
    from provider.flow.why_not import WhyNot


def open_node_keys(keystore: Path, password: str) -> NodeKeys:
    """Errors: ConfigInvalid."""
    from provider.edges.keys import unlock_node_keys

    return unlock_node_keys(keystore, password)


def open_offer_files(home: Path) -> OfferFiles:
    from provider.edges.offer_files import OfferFiles

    return OfferFiles(home)


def choose_served(asked: str, listed: str, backend_class: str = TORCH_CLASS) -> Served:
    """What an offer is for: the model of this name, one of those `listed` with commas (empty: not known here).

    Errors: ConfigInvalid, Refused(UNKNOWN_MODEL | UNKNOWN_PROFILE).
    """
    from provider.edges.models import require_servable, served_model

    if not listed:
        return served_model(asked or DEFAULT_MODEL, backend_class)
    names = models_of(listed)
    require_servable(names)
    return served_model(choose_name(asked, names), backend_class)


def name_of_model(model: bytes) -> str:
    """Its digest, where this release knows no such model."""
    from provider.edges.models import model_name

    return model_name(model) or f"0x{model.hex()}"


def publish_offer(chain: Chain, offer: SignedOffer) -> dict[str, str | None]:
    """Send an offer to every oracle now; by URL, None where it was taken, else why not."""
    from provider.edges.chain import ChainView
    from provider.edges.oracle_client import HttpOracleClient

    client = HttpOracleClient()
    answers: dict[str, str | None] = {}
    for oracle in ChainView(chain).oracles():
        try:
            client.put_offer(oracle, offer)
            answers[oracle.url] = None
        except MallaError as error:
            answers[oracle.url] = error.message
    client.close()
    return answers


def read_visibility(chain: Chain, owner: str) -> dict[str, int | str]:
    """By oracle URL: how many offers of the owner it shows, or why it does not say."""
    from provider.edges.chain import ChainView
    from provider.edges.oracle_client import HttpOracleClient

    client = HttpOracleClient()
    seen: dict[str, int | str] = {}
    for oracle in ChainView(chain).oracles():
        try:
            seen[oracle.url] = client.count_offers(oracle, owner)
        except MallaError as error:
            seen[oracle.url] = error.code
    client.close()
    return seen


def read_node_status(database_url: str) -> dict[str, Any]:
    """What the node's processes say of themselves. Errors: Unavailable."""
    journal = open_journal(database_url)
    now = judge_readiness(journal.beats(), time.time())
    return {"ready": now.ready, "waiting_for": list(now.waiting_for), "why": list(now.why), **now.detail,
            "jobs": journal.stages()}


def read_jobs(database_url: str, limit: int, stage: str | None) -> list[dict[str, object]]:
    """Errors: Unavailable."""
    return open_journal(database_url).list_jobs(limit, stage)


def read_lost(chain: Chain, home: Path, owner: Address, models: str, limit: int) -> list[WhyNot]:
    """What others got for `models` (names between commas, or none) and for those that we have offers for, and why.

    Errors: Unavailable, ChainUnreachable, ConfigInvalid, Refused(UNKNOWN_MODEL).
    """
    from provider.edges.chain import ChainView
    from provider.edges.lost_work import PublicMarket
    from provider.edges.models import model_digest
    from provider.edges.offer_files import OfferFiles
    from provider.edges.oracle_client import HttpOracleClient
    from provider.flow.why_not import explain_lost

    served = {model_digest(name) for name in models_of(models)} if models else set()
    client = HttpOracleClient()
    try:
        market = PublicMarket(chain, ChainView(chain).oracles(), client, OfferFiles(home), owner)
        return explain_lost(market, owner, served, limit)
    finally:
        client.close()


def read_sessions(database_url: str, limit: int) -> list[dict[str, object]]:
    """Errors: Unavailable."""
    from provider.edges.session_figures import list_sessions

    return list_sessions(open_journal(database_url).engine, limit)


def read_earnings(database_url: str) -> Earnings:
    """Errors: Unavailable."""
    return open_journal(database_url).earnings()


def open_journal(database_url: str) -> PostgresJournal:
    """Errors: Unavailable."""
    from provider.edges.migrate import open_journal as open_

    return open_(database_url)


def require_database(database_url: str) -> None:
    """Errors: ConfigInvalid, Unavailable."""
    open_journal(database_url).engine.dispose()


def gather_facts(owner_keystore: Path, node_keystore: Path, home: Path, models: str, database_url: str, broker_url: str,
                 port: int, connect: Callable[[], Chain]) -> Facts:
    """Asks everything that `doctor` judges; a question that fails is a fact, not an error."""
    from provider.edges import facts
    from provider.edges.offer_files import OfferFiles

    owner, node_key, keystore_error = facts.ask_keystores(owner_keystore, node_keystore)
    gpu, memory, disk = facts.ask_machine(home)
    known, models_error = facts.ask_models(models_of(models))
    chain, chain_error = None, ""
    try:
        chain = _gather_chain(connect(), owner, node_key)
    except MallaError as error:
        chain_error = error.message
    try:
        offers = len(OfferFiles(home).standing())
    except MallaError:
        offers = 0
    return Facts(owner, node_key, keystore_error, gpu, memory, disk, known, models_error, chain, chain_error,
                 facts.ask_broker(broker_url), facts.ask_database(database_url), port,
                 *facts.ask_port(port, owner), offers)


def _gather_chain(chain: Chain, owner: str | None, node_key: str | None) -> ChainFacts:
    from provider.edges import facts

    stake = chain.provider(owner) if owner else None
    registered = stake.node_key if stake is not None and int(stake.node_key, 16) else None
    return ChainFacts(
        chain.deployment.chain_id, facts.block_age(chain), chain.gas_balance(owner) if owner else 0,
        chain.gas_balance(node_key) if node_key else 0, chain.token_balance(owner) if owner else 0,
        stake.active if stake is not None else 0, registered,
        chain.provider_record(owner).frozen_batch if owner else 0, facts.ask_oracles(chain),
    )
