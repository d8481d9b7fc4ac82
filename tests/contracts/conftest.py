from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from brownie import accounts, chain, project, web3
from brownie.network.account import Account, LocalAccount
from web3.exceptions import TransactionNotFound

from tests.contracts.market import Market

MINED_WITHIN_S = 20.0


@pytest.fixture(scope="session", autouse=True)
def sent_means_mined() -> Iterator[None]:
    """Lets no sending return before the node has its receipt.

    Anvil counts the sender's nonce up before the receipt is there, and Brownie, which looks in between, takes the
    transaction for dropped: it happens on a busy machine.
    """
    with pytest.MonkeyPatch.context() as patch:
        for kind in (Account, LocalAccount):
            patch.setattr(kind, "_transact", _waiting(kind._transact))
        yield


def _waiting(transact: Any) -> Any:
    def send(self: Any, *arguments: Any) -> Any:
        sent = transact(self, *arguments)
        deadline = time.monotonic() + MINED_WITHIN_S
        while time.monotonic() < deadline:
            try:
                web3.eth.get_transaction_receipt(sent)
                break
            except TransactionNotFound:
                time.sleep(0.01)
        return sent

    return send


@pytest.fixture(scope="session")
def containers() -> Any:
    """The compiled contracts by name."""
    return project.get_loaded_projects()[0]


@pytest.fixture(scope="session")
def deployed(containers: Any) -> Market:
    return Market(containers)


@pytest.fixture
def market(deployed: Market) -> Iterator[Market]:
    """The deployed market; whatever a test does to it is undone."""
    chain.snapshot()
    yield deployed
    chain.revert()


@pytest.fixture
def escrow_account(market: Market) -> Any:
    """The escrow as a sender: what only it may do can then be tried directly."""
    return accounts.at(market.escrow.address, force=True)
