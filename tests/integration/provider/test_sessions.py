"""PostgreSQL's store of sessions keeps the rule of vouchers, also between threads and after a restart."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine

from protocol.calls import QUANTUM
from protocol.chain.events import (
    ChainEvent,
    FinalBlock,
    KeyAuthorised,
    KeyRevoked,
    ProviderConvicted,
    SessionClosing,
    SessionToppedUp,
)
from protocol.chain.records import BlockRef
from protocol.economics import payment
from protocol.encoding import keccak
from protocol.signing import Signer
from protocol.types import SessionState
from protocol.units import Wei
from provider.edges.fakes import DOMAIN
from provider.edges.projection import Projection
from provider.edges.session_rows import SqlSessions
from provider.ports.work import Log
from provider.records.sessions import CallRefused, CallStage
from provider.records.work import Lease
from tests.integration.provider.final_blocks import follow, opening
from tests.provider.session_world import CAP, HOLDER, INPUT, NOW, OWNER, Payer, run, work

SUB_KEY = Signer(keccak(b"sub-key"))


def test_admit__session_of_another_provider__is_unknown(engine: Engine, sessions: SqlSessions) -> None:
    other = Payer(nonce=2)
    follow(engine, replace(opening(other), provider=other.signer.address))
    with pytest.raises(CallRefused) as caught:
        sessions.admit(other.ask(), "chat", INPUT, NOW)
    assert caught.value.code == "session_unknown"


def test_admit__refused__leaves_no_row(sessions: SqlSessions, payer: Payer) -> None:
    before = sessions.session_totals(payer.id)
    for request in (payer.request(payer.sign(payer.needs() - 1)), payer.request(payer.sign(CAP + 1)),
                    payer.request(payer.sign(CAP, by=SUB_KEY)),
                    payer.request(payer.sign(CAP, replace(payer.known, head=keccak(b"?"))))):
        with pytest.raises(CallRefused) as caught:
            sessions.admit(request, "chat", INPUT, NOW)
        assert caught.value.totals == before
    assert sessions.calls_in_flight() == 0 and sessions.session_totals(payer.id) == before


def test_call__from_voucher_to_end__totals_and_row(sessions: SqlSessions, payer: Payer) -> None:
    call = sessions.admit(payer.ask(2000), "chat", INPUT, NOW)
    assert call.stage is CallStage.WAITING and sessions.call(call.call_id) == call
    assert sessions.claim_call(call.call_id, Lease(HOLDER, NOW + 30), NOW) is not None
    assert sessions.claim_call(call.call_id, Lease("other", NOW + 30), NOW) is None
    assert sessions.allowed(call.call_id, "other", 1, NOW) == -1
    made = 0
    while (allowed := sessions.allowed(call.call_id, HOLDER, made, NOW)) > made:
        made = allowed
    assert made == QUANTUM
    totals = sessions.session_totals(payer.id)
    assert totals is not None and [one.granted for one in totals.open_calls] == [QUANTUM]
    ended = sessions.finish_call(call.call_id, HOLDER, work(made), NOW)
    assert ended is not None and sessions.finish_call(call.call_id, HOLDER, work(made), NOW) is None
    payer.see(ended)
    assert sessions.ended_call(payer.id, 1) == ended
    closed = sessions.accept_voucher(payer.sign(payer.known.amount), NOW)
    assert (closed.owed, closed.accepted, closed.held) == (payer.known, payer.known, 0)


def test_restart__running_call__fails_and_costs_nothing(engine: Engine, sessions: SqlSessions, payer: Payer) -> None:
    """R110: a call that ran when its process died is failed and charged nothing; what ended before is kept."""
    payer.see(run(sessions, sessions.admit(payer.ask(), "chat", INPUT, NOW)))
    lost = sessions.admit(payer.ask(), "chat", INPUT, NOW)
    sessions.claim_call(lost.call_id, Lease(HOLDER, NOW + 30), NOW)
    again = SqlSessions(engine, DOMAIN)
    assert again.call_holders() == [HOLDER]
    assert again.fail_lost(NOW, ["host:2"]) == 0
    assert again.fail_lost(NOW, [HOLDER]) == 1
    row = again.call(lost.call_id)
    assert row is not None and row.stage is CallStage.FAILED
    totals = again.session_totals(payer.id)
    assert totals is not None and (totals.owed, totals.held, totals.open_calls) == (payer.known, 0, ())


def test_fail_lost__nobody_takes_it__after_the_lease(sessions: SqlSessions, payer: Payer) -> None:
    sessions.admit(payer.ask(), "chat", INPUT, NOW)
    assert sessions.fail_lost(NOW + 29) == 0
    assert sessions.fail_lost(NOW + 31) == 1
    assert sessions.calls_in_flight() == 0


def test_fail_lost__taken_or_renewed_since_it_was_picked__goes_on(engine: Engine, payer: Payer,
                                                                 sessions: SqlSessions) -> None:
    waiting, running = (sessions.admit(payer.ask(beside=beside), "chat", INPUT, NOW) for beside in (0, payer.needs()))
    sessions.claim_call(running.call_id, Lease(HOLDER, NOW + 30), NOW)

    class Slow(SqlSessions):
        """Between the look at the leases and the row's lock the workers go on."""

        def _fail(self, *asked: Any) -> bool:
            sessions.claim_call(waiting.call_id, Lease(HOLDER, NOW + 60), NOW + 31)
            sessions.allowed(running.call_id, HOLDER, 1, NOW + 31)
            return super()._fail(*asked)

    assert Slow(engine, DOMAIN).fail_lost(NOW + 31) == 0
    assert sessions.calls_in_flight() == 2
    totals = sessions.session_totals(payer.id)
    assert totals is not None and totals.held == 2 * payment(INPUT, 20, 10, 100)


def test_race__eight_clients_on_one_session__one_call_an_advance(sessions: SqlSessions, payer: Payer) -> None:
    """R109: of clients that sign from the same totals at once, one gets its call."""
    requests = [payer.ask() for _ in range(8)]

    def admit(request: object) -> str:
        try:
            return sessions.admit(request, "chat", INPUT, NOW).stage.value  # type: ignore[arg-type]
        except CallRefused as error:
            return error.code

    with ThreadPoolExecutor(4) as pool:
        found = sorted(pool.map(admit, requests))
    assert found == ["WAITING", *["voucher_stale"] * 7]
    totals = sessions.session_totals(payer.id)
    assert totals is not None and totals.held == payment(INPUT, 20, 10, 100)


def test_race__ends_of_many_calls__numbers_without_a_gap(sessions: SqlSessions, payer: Payer) -> None:
    calls = []
    for count in range(8):
        calls.append(sessions.admit(payer.ask(beside=count * payer.needs()), "chat", INPUT, NOW))
    with ThreadPoolExecutor(4) as pool:
        ended = sorted(pool.map(lambda call: run(sessions, call, 3), calls), key=lambda one: one.number)
    assert [one.number for one in ended] == list(range(1, 9))
    for one in ended:
        payer.see(one)
    assert sessions.accept_voucher(payer.sign(payer.known.amount), NOW).accepted == payer.known


def test_cancel__running__told_at_the_next_question(sessions: SqlSessions, payer: Payer) -> None:
    call = sessions.admit(payer.ask(), "chat", INPUT, NOW)
    sessions.claim_call(call.call_id, Lease(HOLDER, NOW + 30), NOW)
    assert sessions.cancel_call(call.call_id)
    assert sessions.allowed(call.call_id, HOLDER, 3, NOW) == -1
    ended = sessions.finish_call(call.call_id, HOLDER, replace(work(3), finish="cancelled"), NOW)
    assert ended is not None and ended.finish == "cancelled"
    assert not sessions.cancel_call(call.call_id)


def test_follow__key_top_up_and_closing__decide_what_is_taken(engine: Engine, sessions: SqlSessions) -> None:
    payer = Payer(sub_key=SUB_KEY, nonce=3)
    authorised = KeyAuthorised(payer.signer.address, SUB_KEY.address, Wei(CAP), int(NOW) + 60, ())
    follow(engine, authorised, opening(payer, 10))
    follow(engine, SessionToppedUp(payer.id, Wei(CAP), Wei(CAP)))
    assert sessions.accept_voucher(payer.sign(CAP - 1), NOW).cap == CAP
    follow(engine, KeyRevoked(payer.signer.address, SUB_KEY.address, int(NOW) + 3000))
    with pytest.raises(CallRefused, match="revoked"):
        sessions.accept_voucher(payer.sign(CAP), NOW)
    follow(engine, SessionClosing(payer.id, int(NOW) + 5))
    totals = sessions.session_totals(payer.id)
    assert totals is not None and (totals.state, totals.ends_at) == (SessionState.CLOSING, int(NOW) + 5)


def test_follow__convicted__serves_nothing_more_of_what_was_opened_before(engine: Engine, sessions: SqlSessions,
                                                                         payer: Payer) -> None:
    """R109: what the chain would not take is not worked for."""
    with engine.begin() as connection:
        block = FinalBlock(BlockRef(10, keccak(b"10"), int(NOW)), (ChainEvent(
            10, keccak(b"10"), int(NOW), keccak(b"tx"), 0, ProviderConvicted(OWNER, 1, Wei(5), 0)),))
        Projection(OWNER, Log()).apply(connection, block)
    with pytest.raises(CallRefused) as caught:
        sessions.admit(payer.ask(), "chat", INPUT, NOW)
    assert caught.value.code == "session_over"
