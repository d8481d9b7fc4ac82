"""The one place where a requester's real chain, wallet, oracles, models and files are built."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import httpx

from protocol.chain.connect import connect
from protocol.chain.deployment import load_deployment
from protocol.chain.keystore import open_keystore, read_password
from protocol.encoding import to_hex
from protocol.engine.weights import default_cache_folder
from protocol.receipt import Check, Receipt
from requester.config import TESTNET, Settings, find_deployment, local_testnet
from requester.edges.chain_client import ChainClient
from requester.edges.job_files import JobFolder
from requester.edges.models import LocalModels
from requester.edges.oracle_client import TIMEOUT, OracleClient
from requester.edges.wallet import KeyWallet
from requester.flow.receipts import check_receipt
from requester.ports import Market, Oracle

SEATS_FOR = 30.0
"""Seconds for which the committee's addresses are remembered."""


def build_market(settings: Settings, progress: Callable[[str, float], None] | None = None) -> Market:
    """Errors: ConfigInvalid (keystore, deployment, another chain), ChainUnreachable."""
    deployment = load_deployment(settings.deployment)
    chain = connect(settings.rpc_url, deployment)
    key = open_keystore(settings.keystore, read_password(settings.password_file))
    # A chain that was reset has other contracts: its jobs lie in another folder.
    folder = settings.home / f"{deployment.chain_id}-{deployment.escrow}"
    files = JobFolder(folder)
    wallet = KeyWallet(chain, key, folder / "sender.lock")
    client = ChainClient(chain, wallet.signer, settings.confirmations)
    return Market(
        chain=client,
        wallet=wallet,
        oracles=OraclesOfChain(client),
        models=build_models(settings.model_cache, progress),
        files=files,
        pause=time.sleep,
        random=random.SystemRandom().random,
    )


def build_models(cache: Path | None, progress: Callable[[str, float], None] | None = None) -> LocalModels:
    return LocalModels(cache or default_cache_folder(os.environ), progress)


def check_offline(receipt: Receipt, env: Mapping[str, str]) -> list[Check]:
    """Every check that needs the deployment file, and the model's tokenizer if it is installed; no network."""
    deployment = load_deployment(find_deployment({**local_testnet(TESTNET), **env}))
    models = build_models(Path(env["MALLA_MODEL_CACHE"]) if env.get("MALLA_MODEL_CACHE") else None)
    return check_receipt(receipt, deployment.chain_id, deployment.escrow, frozenset(deployment.seats), models)


def check_online(receipt: Receipt, env: Mapping[str, str], rpc_url: str) -> list[Check]:
    """What only the chain can say: that the settlement is in it, and whose the node key was."""
    chain = connect(rpc_url, load_deployment(find_deployment({**local_testnet(TESTNET), **env})))
    client = ChainClient(chain, None, 0)
    job_id = receipt.answer.job_id
    opened_at = client.view_job(job_id).opened_at
    return [
        Check("settlement", client.has_settlement(receipt.settlement_tx, job_id),
              f"{to_hex(receipt.settlement_tx)} settled the job"),
        Check("members", frozenset(client.members(receipt.set_version)) == frozenset(receipt.members),
              f"the committee of set version {receipt.set_version} in the chain"),
        Check("node key", client.speaks_for(receipt.node_key, receipt.job.provider, opened_at),
              f"{receipt.node_key} spoke for {receipt.job.provider} when the job was opened"),
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
