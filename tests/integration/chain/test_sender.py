"""The sender on a real database and a real node that mines only when it is told to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, create_engine, event, select
from sqlalchemy.pool import NullPool

from protocol.chain.chain import Chain
from protocol.chain.rpc import Rpc
from protocol.chain.sender import Sender
from protocol.chain.tables import ATTEMPTS, TRANSACTIONS
from protocol.errors import ChainRefused, ChainUnreachable
from protocol.units import TOKEN
from tests.integration.chain.market import DEPOSIT, Market
from tests.integration.chain.sending import deposits, mine, rows, sender, settle_down

AWAY = "http://127.0.0.1:1"
GAS = 200_000


def test_submit__would_revert__refused_and_nothing_persisted(paused: Market, engine: Engine) -> None:
    with pytest.raises(ChainRefused) as refused:
        sender(paused, engine).submit("a", paused.chain.withdraw_balance(DEPOSIT + 1))
    assert refused.value.error == "BalanceTooLow" and rows(engine) == 0


def test_submit__node_away__nothing_persisted(paused: Market, engine: Engine) -> None:
    chain = Chain(Rpc(AWAY, 1), paused.chain.deployment)
    with pytest.raises(ChainUnreachable):
        Sender(engine, chain, paused.requester).submit("a", paused.chain.withdraw_balance(1), gas=GAS)
    assert rows(engine) == 0


def test_outcome__unknown_key__none(paused: Market, engine: Engine) -> None:
    assert sender(paused, engine).outcome("never") is None


def test_submit__mined_and_confirmed__goes_from_pending_to_final(paused: Market, engine: Engine) -> None:
    one = sender(paused, engine, confirmations=2)
    one.submit("a", paused.chain.withdraw_balance(TOKEN))
    assert one.pump() == 1 and one.outcome("a").status == "PENDING"
    mine(paused)
    assert one.pump() == 1
    outcome = one.outcome("a")
    assert (outcome.status, outcome.block, outcome.error) == ("MINED", paused.chain.head().number, None)
    mine(paused, 2)
    assert one.pump() == 0
    assert one.outcome("a").status == "FINAL" and one.outcome("a").gas_used > 21_000
    assert deposits(paused) == -TOKEN


def test_submit__twice_under_one_key__sent_once(paused: Market, engine: Engine) -> None:
    one = sender(paused, engine)
    for _ in range(2):
        one.submit("a", paused.chain.withdraw_balance(TOKEN))
    sender(paused, engine).submit("a", paused.chain.withdraw_balance(TOKEN))
    settle_down(paused, one)
    one.submit("a", paused.chain.withdraw_balance(TOKEN))
    settle_down(paused, one)
    assert (rows(engine), deposits(paused)) == (1, -TOKEN)


def test_submit__from_many_threads__no_nonce_twice(paused: Market, engine: Engine) -> None:
    def submit(number: int) -> None:
        sender(paused, engine).submit(f"key {number % 8}", paused.chain.withdraw_balance(TOKEN), gas=GAS)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(submit, range(16)))
    settle_down(paused, sender(paused, engine))
    assert (rows(engine), deposits(paused)) == (8, -8 * TOKEN)


def test_submit__crash_after_persisting__resent_at_the_next_start(paused: Market, engine: Engine) -> None:
    """The process dies when the row is there and nothing was sent: everything after the commit is cut off."""
    one = sender(paused, engine)

    class Crash(BaseException):
        pass

    def die(*_: object) -> None:
        raise Crash

    one._send_latest = die  # type: ignore[method-assign]
    with pytest.raises(Crash):
        one.submit("a", paused.chain.withdraw_balance(TOKEN))
    mine(paused)
    assert (rows(engine), deposits(paused)) == (1, 0)

    again = sender(paused, engine)
    again.submit("a", paused.chain.withdraw_balance(TOKEN))
    settle_down(paused, again)
    assert (again.outcome("a").status, rows(engine), deposits(paused)) == ("FINAL", 1, -TOKEN)


def test_submit__crash_before_the_commit__nonce_is_not_lost(paused: Market, engine: Engine) -> None:
    broken = create_engine(engine.url, poolclass=NullPool)

    @event.listens_for(broken, "before_cursor_execute")
    def refuse(connection, cursor, statement, *rest):  # type: ignore[no-untyped-def]
        if "INSERT INTO chain_attempts" in statement:
            raise ConnectionError("the database went away")

    with pytest.raises(ConnectionError):
        sender(paused, broken).submit("a", paused.chain.withdraw_balance(TOKEN))
    broken.dispose()
    assert rows(engine) == 0
    one = sender(paused, engine)
    one.submit("a", paused.chain.withdraw_balance(TOKEN))
    settle_down(paused, one)
    assert deposits(paused) == -TOKEN


def test_pump__mempool_lost__resent(paused: Market, engine: Engine) -> None:
    one = sender(paused, engine)
    one.submit("a", paused.chain.withdraw_balance(TOKEN))
    paused.rpc.request("anvil_dropAllTransactions", [])
    mine(paused)
    assert deposits(paused) == 0
    settle_down(paused, one)
    assert (one.outcome("a").status, rows(engine, ATTEMPTS)) == ("FINAL", 1)


def test_pump__not_mined_for_blocks__bumped_by_an_eighth_and_still_once(paused: Market, engine: Engine) -> None:
    one = sender(paused, engine, bump_after=2)
    one.submit("a", paused.chain.withdraw_balance(TOKEN))
    with engine.connect() as db:
        paid = db.scalar(select(ATTEMPTS.c.max_fee)) or 0
    paused.rpc.request("anvil_setNextBlockBaseFeePerGas", [hex(paid + 1)])
    for _ in range(2):  # the base fee is above what we offered: blocks pass without us
        paused.rpc.request("anvil_setNextBlockBaseFeePerGas", [hex(paid + 1)])
        mine(paused)
    one.pump()
    with engine.connect() as db:
        fees = list(db.execute(select(ATTEMPTS.c.max_fee, ATTEMPTS.c.tip).order_by(ATTEMPTS.c.number)))
        nonces = list(db.scalars(select(TRANSACTIONS.c.nonce)))
    assert len(fees) == 2 and len(nonces) == 1
    assert fees[1].max_fee * 8 >= fees[0].max_fee * 9 and fees[1].tip * 8 >= fees[0].tip * 9
    settle_down(paused, one)
    assert (one.outcome("a").status, deposits(paused)) == ("FINAL", -TOKEN)


def test_pump__price_over_the_cap__waits_and_never_pays_more(paused: Market, engine: Engine) -> None:
    paused.rpc.request("anvil_setNextBlockBaseFeePerGas", [hex(10**9)])
    mine(paused)
    one = sender(paused, engine, bump_after=1, max_fee_cap=10**8)
    one.submit("a", paused.chain.withdraw_balance(TOKEN), gas=GAS)
    for _ in range(3):
        paused.rpc.request("anvil_setNextBlockBaseFeePerGas", [hex(10**9)])
        mine(paused)
        one.pump()
    with engine.connect() as db:
        assert max(db.scalars(select(ATTEMPTS.c.max_fee))) <= 10**8
    assert one.outcome("a").status == "PENDING"
    paused.rpc.request("anvil_setNextBlockBaseFeePerGas", [hex(10**6)])
    settle_down(paused, one)
    assert one.outcome("a").status == "FINAL"


def test_pump__reverted_in_its_block__reverted_with_the_decoded_error(paused: Market, engine: Engine) -> None:
    """Two withdrawals of everything: each would work alone."""
    one = sender(paused, engine)
    one.submit("a", paused.chain.withdraw_balance(DEPOSIT))
    one.submit("b", paused.chain.withdraw_balance(DEPOSIT))
    mine(paused)
    one.pump()
    assert one.outcome("b").status == "MINED"
    settle_down(paused, one)
    assert one.outcome("a").status == "FINAL"
    failed = one.outcome("b")
    assert failed.status == "REVERTED" and failed.error.startswith("BalanceTooLow: The escrow holds 0 free tokens")
    assert deposits(paused) == -DEPOSIT


def test_pump__reorg_drops_the_block__pending_again_then_final(paused: Market, engine: Engine) -> None:
    one = sender(paused, engine, confirmations=3)
    one.submit("a", paused.chain.withdraw_balance(TOKEN))
    mine(paused)
    one.pump()
    assert one.outcome("a").status == "MINED"
    paused.rpc.request("anvil_rollback", [1])
    paused.rpc.request("anvil_dropAllTransactions", [])
    mine(paused)
    one.pump()
    assert (one.outcome("a").status, one.outcome("a").block) == ("PENDING", None)
    settle_down(paused, one)
    assert (one.outcome("a").status, deposits(paused)) == ("FINAL", -TOKEN)
