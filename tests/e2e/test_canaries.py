"""A canary on the real network: an ordinary job of a fresh wallet, audited token by token by its own oracle."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from web3 import Web3
from web3.types import RPCEndpoint

from protocol.chain.sender import send_and_wait
from protocol.types import JobState
from protocol.units import TOKEN
from scripts.testnet.parties import open_signer
from tests.e2e.market import Market

MALLA = Path(sys.executable).with_name("malla")
OWNER = "oracle-2"


class Operator:
    """Who runs an oracle, at its command line."""

    def __init__(self, market: Market) -> None:
        node = market.node(OWNER)
        self._environment = market.what.environment(node, market.network.databases[node.name])

    def canary(self, *words: str) -> dict[str, Any]:
        """What a command of `malla oracle canary` says as JSON. Raises CalledProcessError."""
        command = [str(MALLA), "oracle", "canary", *words, "--json"]
        done = subprocess.run(command, env=self._environment, text=True, capture_output=True, timeout=300)
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, words, done.stdout, done.stderr)
        return dict(json.loads(done.stdout.strip().splitlines()[-1]))

    def last(self) -> dict[str, Any]:
        rows = self.canary("list")["canaries"]
        return dict(rows[-1]) if rows else {}


@pytest.fixture(scope="module")
def operator(market: Market) -> Iterator[Operator]:
    yield Operator(market)


def test_place__wallet_that_does_not_exist__is_refused(operator: Operator) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        operator.canary("place", "nobody")
    assert "canary wallet nobody" in refused.value.stdout + refused.value.stderr


def test_canary__of_an_ordinary_wallet__is_audited_in_full_and_paid(market: Market, operator: Operator) -> None:
    address = operator.canary("wallet", "w1")["address"]
    _grant(market, address)
    operator.canary("fund", "w1", "20")
    operator.canary("place", "w1", "--provider", market.owner("provider-1"), "--input-tokens", "48",
                    "--max-tokens", "24")
    market.wait_until(lambda: operator.last().get("state") == "AUDITED", "the canary is audited")
    row = operator.last()
    assert (row["verdict"], row["wallet"]) == ("PASS", "w1"), row
    assert float(row["statistics"]["max_margin"]) < 0.01 and int(row["statistics"]["tokens"]) > 0
    assert operator.canary("plan")["canaries"] == []
    job_id = bytes.fromhex(row["job_id"][2:])
    market.wait_until(lambda: market.chain.job(job_id).state == JobState.SETTLED, "the provider is paid")
    market.require_exact_ledgers()


def _grant(market: Market, address: str) -> None:
    """Tokens from another requester, gas from the local chain: as requesters of a testnet get theirs."""
    rich = market.what.requesters[2]
    signer, _ = open_signer(rich.keystore, rich.password_file)
    send_and_wait(market.chain, signer, market.chain.transfer(address, 100 * TOKEN))
    node = Web3(Web3.HTTPProvider(market.what.rpc_url)).provider
    made = node.make_request(RPCEndpoint("anvil_setBalance"), [address, hex(10**19)])
    assert "error" not in made, made
