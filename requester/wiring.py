"""The one place where a requester's real chain, wallet, oracles, models and files are built."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from protocol.call_receipt import CallReceipt, verify_call_receipt
from protocol.chain.connect import connect
from protocol.chain.deployment import Deployment, load_deployment
from protocol.chain.keystore import open_keystore, read_password
from protocol.encoding import to_hex
from protocol.engine.weights import default_cache_folder
from protocol.receipt import Receipt
from protocol.settlement_proof import Check
from requester.config import TESTNET, Settings, find_deployment, local_testnet
from requester.edges.chain_client import ChainClient
from requester.edges.court_chain import CourtChainClient
from requester.edges.job_files import JobFolder
from requester.edges.key_file import KeyFile
from requester.edges.models import LocalModels
from requester.edges.oracle_client import TIMEOUT, OracleClient
from requester.edges.provider_client import ProviderClient
from requester.edges.public_network import PublicTransport
from requester.edges.session_chain import SessionChainClient
from requester.edges.session_store import SessionDatabase
from requester.edges.wallet import KeyWallet
from requester.flow.api_keys import KeyRing
from requester.flow.desk import Desk
from requester.flow.directory import LOCAL_CHAIN
from requester.flow.keeping import Keeper
from requester.flow.receipts import check_receipt
from requester.gateway.assembly import parts_of
from requester.gateway.parts import Options, Parts
from requester.ports.jobs import Market, Oracle
from requester.records.sessions import Limits, SessionFile

SEATS_FOR = 30.0
"""Seconds for which the committee's addresses are remembered."""
KEEP_ALIVE = 2.0
"""Seconds for which an idle connection to a provider is used again: servers drop theirs after five, and a call that
meets that moment would look like the provider's failure."""


@dataclass(frozen=True)
class Opened:
    """What is built once for a wallet in a deployment; `folder` is where it keeps its files."""

    market: Market
    wallet: KeyWallet
    sessions: SessionChainClient
    folder: Path


def build_market(settings: Settings, progress: Callable[[str, float], None] | None = None) -> Market:
    """Errors: ConfigInvalid (keystore, deployment, another chain), ChainUnreachable."""
    return open_wallet(settings, progress).market


def build_desk(settings: Settings, limits: Limits, progress: Callable[[str, float], None] | None = None) -> Desk:
    """The desk for calls of sessions. Run its `Keeper` beside it. Errors: as `build_market`."""
    return desk_of(open_wallet(settings, progress), limits)


def desk_of(found: Opened, limits: Limits) -> Desk:
    pool = httpx.Limits(max_connections=256, max_keepalive_connections=64, keepalive_expiry=KEEP_ALIVE)
    is_local = found.market.chain.domain.chain_id == LOCAL_CHAIN  # its providers live on this machine
    http = httpx.Client(limits=pool, trust_env=False, transport=None if is_local else PublicTransport(pool))
    return Desk(found.market, found.sessions, found.wallet, lambda url: ProviderClient(url, http),
                found.market.oracles, SessionDatabase(found.folder), limits, time.time, spawn)  # type: ignore[arg-type]


def read_sessions(settings: Settings) -> list[SessionFile]:
    """The sessions of a wallet in a deployment, without its key. Errors: ConfigInvalid."""
    return SessionDatabase(_folder(settings, load_deployment(settings.deployment))).sessions()


def build_gateway_parts(settings: Settings, limits: Limits, options: Options,
                        progress: Callable[[str, float], None] | None = None) -> Parts:
    """What `requester.gateway` serves, with its keeper started. Errors: as `build_market`."""
    found = open_wallet(settings, progress)
    desk = desk_of(found, limits)
    keeper = Keeper(desk)
    keeper.start()
    return parts_of(desk, keeper, build_models(settings.model_cache, progress), key_ring_of(found), options)


def build_key_ring(settings: Settings) -> KeyRing:
    """The API keys of a wallet in a deployment. Errors: as `build_market`."""
    return key_ring_of(open_wallet(settings))


def key_ring_of(found: Opened) -> KeyRing:
    return KeyRing(KeyFile(found.folder), found.sessions, found.wallet, found.wallet.signer_of,
                   lambda name: found.market.models.find(name).digest)


def spawn(work: Callable[[], None]) -> None:
    """In a daemon thread: a provider that never answers must not keep this process from ending."""
    threading.Thread(target=work, name="malla-beside", daemon=True).start()


def open_wallet(settings: Settings, progress: Callable[[str, float], None] | None = None) -> Opened:
    """Errors: ConfigInvalid (keystore, deployment, another chain), ChainUnreachable."""
    deployment = load_deployment(settings.deployment)
    chain = connect(settings.rpc_url, deployment)
    key = open_keystore(settings.keystore, read_password(settings.password_file))
    folder = _folder(settings, deployment)
    files = JobFolder(folder)
    wallet = KeyWallet(chain, key, folder / "sender.lock")
    client = ChainClient(chain, wallet.signer, settings.confirmations)
    market = Market(
        chain=client,
        wallet=wallet,
        oracles=OraclesOfChain(client),
        models=build_models(settings.model_cache, progress),
        files=files,
        pause=time.sleep,
        random=random.SystemRandom().random,
        court=CourtChainClient(chain),
    )
    return Opened(market, wallet, SessionChainClient(chain), folder)


def _folder(settings: Settings, deployment: Deployment) -> Path:
    """A chain that was reset has other contracts: what concerns its jobs and sessions lies in another folder."""
    return settings.home / f"{deployment.chain_id}-{deployment.escrow}"


def build_models(cache: Path | None, progress: Callable[[str, float], None] | None = None) -> LocalModels:
    return LocalModels(cache or default_cache_folder(os.environ), progress)


def check_offline(receipt: Receipt | CallReceipt, env: Mapping[str, str]) -> list[Check]:
    """Every check that needs the deployment file, and the model's tokenizer if it is installed; no network."""
    deployment = load_deployment(find_deployment({**local_testnet(TESTNET), **env}))
    if isinstance(receipt, CallReceipt):
        return verify_call_receipt(receipt, deployment.chain_id, deployment.escrow, frozenset(deployment.seats))
    models = build_models(Path(env["MALLA_MODEL_CACHE"]) if env.get("MALLA_MODEL_CACHE") else None)
    return check_receipt(receipt, deployment.chain_id, deployment.escrow, frozenset(deployment.seats), models)


def check_online(receipt: Receipt | CallReceipt, env: Mapping[str, str], rpc_url: str) -> list[Check]:
    """What only the chain can say: that the settlement is in it, and whose the node key was."""
    chain = connect(rpc_url, load_deployment(find_deployment({**local_testnet(TESTNET), **env})))
    client = ChainClient(chain, None, 0)
    if isinstance(receipt, CallReceipt):
        provider, opened_at = receipt.session.provider, receipt.session.opened_at
        settled = client.has_settled_vouchers(receipt.settlement_tx, receipt.batch_id)
    else:
        provider, opened_at = receipt.job.provider, client.view_job(receipt.answer.job_id).opened_at
        settled = client.has_settlement(receipt.settlement_tx, receipt.answer.job_id)
    what = "session" if isinstance(receipt, CallReceipt) else "job"
    return [
        Check("settlement", settled, f"{to_hex(receipt.settlement_tx)} settled the {what}"),
        Check("members", frozenset(client.members(receipt.set_version)) == frozenset(receipt.members),
              f"the committee of set version {receipt.set_version} in the chain"),
        Check("node key", client.speaks_for(receipt.node_key, provider, opened_at),
              f"{receipt.node_key} spoke for {provider} when the {what} was opened"),
    ]


class OraclesOfChain:
    """The oracles as the committee contract lists them; nobody else has to be asked who they are."""

    def __init__(self, chain: ChainClient) -> None:
        self._chain = chain
        self._http = httpx.Client(timeout=TIMEOUT, limits=httpx.Limits(max_connections=64), trust_env=False)
        self._known: tuple[float, Sequence[Oracle]] = (0.0, ())

    def __call__(self) -> Sequence[Oracle]:
        read_at, oracles = self._known
        if not oracles or time.monotonic() - read_at > SEATS_FOR:
            oracles = [OracleClient(seat.address, seat.url, self._http) for seat in self._chain.seats()]
            self._known = (time.monotonic(), oracles)
        return oracles
