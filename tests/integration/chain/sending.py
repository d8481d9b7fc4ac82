"""What the sender's tests share: a node that mines only when it is told to, and what came of it."""

from __future__ import annotations

from sqlalchemy import Engine, func, select

from protocol.chain.sender import Sender
from protocol.chain.tables import TRANSACTIONS
from tests.integration.chain.market import DEPOSIT, Market


def sender(market: Market, engine: Engine, **settings: int) -> Sender:
    return Sender(engine, market.chain, market.requester, **settings)


def mine(market: Market, blocks: int = 1) -> None:
    for _ in range(blocks):
        market.rpc.request("evm_mine", [])


def settle_down(market: Market, one: Sender) -> None:
    for _ in range(8):
        one.pump()
        mine(market)
    assert one.pump() == 0


def deposits(market: Market) -> int:
    return market.chain.free_balance(market.requester.address) - DEPOSIT


def rows(engine: Engine, table: object = TRANSACTIONS) -> int:
    with engine.connect() as db:
        return db.scalar(select(func.count()).select_from(table)) or 0  # type: ignore[arg-type]
