"""The follower on a real chain that is reorganised under it."""

from __future__ import annotations

import dataclasses

import pytest
from sqlalchemy import Connection, Engine, text

from protocol.chain.chain import Chain
from protocol.chain.events import Deposited, FinalBlock, JobOpened, OracleJoined, TermsChanged, Withdrawn
from protocol.chain.follower import DeepReorg, Follower
from protocol.chain.rpc import Rpc
from protocol.errors import ChainUnreachable, ConfigInvalid
from protocol.units import TOKEN
from tests.integration.chain.market import DEPOSIT, Market

K = 2


class Applied:
    """What was applied, in order."""

    def __init__(self) -> None:
        self.blocks: list[FinalBlock] = []

    def __call__(self, db: Connection, block: FinalBlock) -> None:
        self.blocks.append(block)

    @property
    def events(self) -> list[object]:
        return [found.event for block in self.blocks for found in block.events]


def mine(market: Market, blocks: int = 1) -> None:
    for _ in range(blocks):
        market.rpc.request("evm_mine", [])


def withdraw(market: Market, amount: int) -> Withdrawn:
    market.send(market.requester, market.chain.withdraw_balance(amount))
    return Withdrawn(market.requester.address, amount)  # type: ignore[arg-type]


def test_follow__node_away__chain_unreachable_and_nothing_moves(market: Market, engine: Engine) -> None:
    away = Follower(engine, Chain(Rpc("http://127.0.0.1:1", 1), market.chain.deployment), K)
    with pytest.raises(ChainUnreachable):
        away.follow(Applied())
    assert away.position() is None


def test_follow__database_of_another_deployment__config_invalid(market: Market, engine: Engine) -> None:
    Follower(engine, market.chain, K).follow(Applied())
    other = dataclasses.replace(market.chain.deployment, escrow=market.owner.address)
    with pytest.raises(ConfigInvalid, match="database followed the escrow"):
        Follower(engine, Chain(market.rpc, other), K).follow(Applied())


def test_follow__node_of_another_chain__config_invalid(market: Market, engine: Engine) -> None:
    other = dataclasses.replace(market.chain.deployment, chain_id=1)
    with pytest.raises(ConfigInvalid, match="serves chain 31337"):
        Follower(engine, Chain(market.rpc, other), K).follow(Applied())


def test_follow__from_the_deployment_on__each_event_once_and_in_order(market: Market, engine: Engine) -> None:
    applied, follower = Applied(), Follower(engine, market.chain, K, chunk=7)
    head = market.chain.head().number
    assert follower.follow(applied) == head - K == follower.position()
    opened = market.open()
    mine(market, K)
    follower.follow(applied)
    follower.follow(applied)
    assert applied.events.count(opened) == 1 and isinstance(applied.events[-1], JobOpened)
    assert Deposited(market.requester.address, DEPOSIT) in applied.events  # type: ignore[arg-type]
    numbers = [block.number for block in applied.blocks]
    assert numbers == sorted(set(numbers)) and numbers[-1] == market.chain.head().number - K
    places = [(found.block, found.log_index) for block in applied.blocks for found in block.events]
    assert places == sorted(places)


def test_follow__not_final_yet__waits(market: Market, engine: Engine) -> None:
    applied, follower = Applied(), Follower(engine, market.chain, K)
    follower.follow(applied)
    event = withdraw(market, TOKEN)
    mine(market, K - 1)
    follower.follow(applied)
    assert event not in applied.events
    mine(market)
    follower.follow(applied)
    assert event in applied.events


def test_follow__apply_fails__cursor_and_its_writes_stay_together(market: Market, engine: Engine) -> None:
    class Broken(Exception):
        pass

    def fail(db: Connection, block: FinalBlock) -> None:
        db.execute(text("CREATE TABLE half_done (x int)"))
        raise Broken

    follower = Follower(engine, market.chain, K)
    with pytest.raises(Broken):
        follower.follow(fail)
    applied = Applied()
    Follower(engine, market.chain, K).follow(applied)
    assert [type(event) for event in applied.events[:2]] == [TermsChanged, OracleJoined]
    with engine.connect() as db:
        assert db.scalar(text("SELECT to_regclass('half_done')")) is None


def test_follow__reorg_within_the_confirmations__only_the_new_chain_is_applied(market: Market, engine: Engine) -> None:
    applied, follower = Applied(), Follower(engine, market.chain, K)
    follower.follow(applied)
    dropped = withdraw(market, TOKEN)
    mine(market)
    follower.follow(applied)
    market.rpc.request("anvil_reorg", [2, []])
    kept = withdraw(market, 2 * TOKEN)
    mine(market, K)
    follower.follow(applied)
    assert dropped not in applied.events and applied.events.count(kept) == 1


def test_follow__reorg_deeper__deep_reorg_and_nothing_moves(market: Market, engine: Engine) -> None:
    applied, follower = Applied(), Follower(engine, market.chain, K)
    withdraw(market, TOKEN)
    mine(market, K)
    position = follower.follow(applied)
    market.rpc.request("anvil_reorg", [K + 1, []])
    mine(market, 3)
    count = len(applied.blocks)
    for _ in range(2):
        with pytest.raises(DeepReorg, match=f"Block {position}"):
            follower.follow(applied)
    assert (follower.position(), len(applied.blocks)) == (position, count)


def test_follow__node_lost_its_newest_blocks__waits_until_it_is_back(market: Market, engine: Engine) -> None:
    applied, follower = Applied(), Follower(engine, market.chain, 0)
    mine(market, 3)
    position = follower.follow(applied)
    market.rpc.request("anvil_rollback", [2])
    with pytest.raises(ChainUnreachable, match=f"block {position}"):
        follower.follow(applied)
    assert follower.position() == position
