"""The one place where a requester's real chain, wallet, oracles, models and files are built."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx

from protocol.chain.connect import connect
from protocol.chain.deployment import load_deployment
from protocol.chain.keystore import open_keystore, read_password
from protocol.engine.weights import default_cache_folder
from requester.config import Settings
from requester.edges.chain_client import ChainClient
from requester.edges.job_files import JobFolder
from requester.edges.models import LocalModels
from requester.edges.oracle_client import TIMEOUT, OracleClient
from requester.edges.wallet import KeyWallet
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
