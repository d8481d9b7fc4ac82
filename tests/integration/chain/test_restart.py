"""The node itself goes away and comes back, with its state or with an older one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from protocol.chain.connect import connect
from protocol.chain.events import FinalBlock, Withdrawn
from protocol.chain.follower import Follower
from protocol.chain.sender import Sender
from protocol.errors import ChainUnreachable
from protocol.units import TOKEN
from scripts.testnet.engines import Anvil, anvil
from tests.integration.chain.market import DEPOSIT, Market

K = 2


@pytest.fixture
def state(tmp_path: Path) -> Iterator[tuple[Market, Anvil, Path]]:
    """A market whose node wrote its state down and is back."""
    path = tmp_path / "state.json"
    with anvil(tmp_path / "first", block_time=None, state=path) as node:
        market = Market(node.url)
        for _ in range(K):
            market.rpc.request("evm_mine", [])
    yield market, node, path


def test_follow_and_pump__node_restarted_from_its_state__go_on(
    state: tuple[Market, Anvil, Path], engine: Engine, tmp_path: Path
) -> None:
    """Between the two lives of the node a transaction waits in its memory, which is lost."""
    market, node, path = state
    applied: list[FinalBlock] = []

    def apply(db: Connection, block: FinalBlock) -> None:
        applied.append(block)

    follower = Follower(engine, market.chain, K)
    one = Sender(engine, market.chain, market.requester, confirmations=K)
    with anvil(tmp_path / "second", port=node.port, block_time=None, state=path):
        connect(node.url, market.chain.deployment)
        position = follower.follow(apply)
        market.rpc.request("evm_setAutomine", [False])
        one.submit("a", market.chain.withdraw_balance(TOKEN))
        one.pump()
    with pytest.raises(ChainUnreachable):
        follower.follow(apply)
    with pytest.raises(ChainUnreachable):
        one.pump()

    with anvil(tmp_path / "third", port=node.port, block_time=None, state=path):
        one = Sender(engine, market.chain, market.requester, confirmations=K)
        one.pump()
        for _ in range(K + 1):
            market.rpc.request("evm_mine", [])
            one.pump()
        assert one.outcome("a").status == "FINAL"
        assert follower.follow(apply) > position
        events = [found.event for block in applied for found in block.events]
        assert events.count(Withdrawn(market.requester.address, TOKEN)) == 1  # type: ignore[arg-type]
        assert market.chain.free_balance(market.requester.address) == DEPOSIT - TOKEN
