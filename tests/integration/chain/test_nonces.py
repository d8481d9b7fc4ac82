"""Nonces: whatever happens to node, database or key, each call is sent once and none waits for ever."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Engine, select, update

from protocol.chain.calls import send_coin
from protocol.chain.tables import ATTEMPTS, SENDERS, TRANSACTIONS
from protocol.units import TOKEN
from tests.integration.chain.market import Market, address_of
from tests.integration.chain.sending import deposits, mine, rows, sender, settle_down


def test_pump__by_two_processes_at_once__bumped_once_and_sent_once(paused: Market, engine: Engine) -> None:
    sender(paused, engine).submit("a", paused.chain.withdraw_balance(TOKEN))
    paused.rpc.request("anvil_dropAllTransactions", [])
    mine(paused, 3)
    both = [sender(paused, engine, bump_after=3) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda one: one.pump(), both))
    assert rows(engine, ATTEMPTS) == 2
    settle_down(paused, both[0])
    assert (both[1].outcome("a").status, deposits(paused)) == ("FINAL", -TOKEN)


def test_pump__node_lost_final_blocks__gap_is_filled_by_what_was_there(paused: Market, engine: Engine) -> None:
    """A node that was killed comes back without its newest blocks; our next nonce stays where it was."""
    one = sender(paused, engine, confirmations=0)
    snapshot = paused.rpc.request("evm_snapshot", [])
    one.submit("a", paused.chain.withdraw_balance(TOKEN))
    mine(paused)
    assert one.pump() == 0
    paused.rpc.request("evm_revert", [snapshot])
    one.submit("b", paused.chain.withdraw_balance(2 * TOKEN))
    settle_down(paused, one)
    assert deposits(paused) == -3 * TOKEN
    assert one.outcome("a").status == one.outcome("b").status == "FINAL"


def test_pump__nonce_that_nobody_has__filled_by_a_transfer_of_nothing(paused: Market, engine: Engine) -> None:
    one = sender(paused, engine)
    one.submit("a", paused.chain.withdraw_balance(TOKEN))
    settle_down(paused, one)
    with engine.begin() as db:
        db.execute(update(SENDERS).values(next_nonce=SENDERS.c.next_nonce + 1))
    one.submit("b", paused.chain.withdraw_balance(TOKEN))
    settle_down(paused, one)
    assert (one.outcome("b").status, rows(engine), deposits(paused)) == ("FINAL", 3, -2 * TOKEN)


def test_pump__another_program_took_the_nonce__sent_once_under_a_new_one(paused: Market, engine: Engine) -> None:
    one = sender(paused, engine, confirmations=2)
    one.submit("a", paused.chain.withdraw_balance(TOKEN))
    paused.rpc.request("anvil_dropAllTransactions", [])
    nonce = paused.rpc.nonce(paused.requester.address)
    foreign = one._sign(nonce, 21_000, one._outbox.find("a").price, send_coin(address_of("elsewhere"), 1))
    paused.rpc.send_raw(foreign.raw)
    mine(paused)
    settle_down(paused, one)
    assert (one.outcome("a").status, deposits(paused)) == ("FINAL", -TOKEN)
    with engine.connect() as db:
        assert db.scalar(select(TRANSACTIONS.c.nonce)) == nonce + 1
