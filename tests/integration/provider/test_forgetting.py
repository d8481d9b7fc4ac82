"""What was said goes from PostgreSQL once nobody can ask for it, and nothing goes before."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, update

from protocol.types import SessionState
from provider.edges.claim_rows import SqlClaims
from provider.edges.said_rows import SqlSaid
from provider.edges.session_rows import SqlSessions
from provider.edges.session_tables import CALLS, CLAIMS, SESSIONS
from provider.edges.tables import BATCHES, DELIVERIES, JOBS
from provider.records.sessions import CallRefused, CallRow
from tests.provider.session_world import INPUT, NOW, Payer, run

COMMITTED = 1_000
SAID = (CALLS.c.prompt, CALLS.c.key, CALLS.c.transcript, CALLS.c.fingerprints, CALLS.c.salt)


def end_call(sessions: SqlSessions, payer: Payer) -> CallRow:
    call = sessions.admit(payer.ask(), "chat", INPUT, NOW)
    payer.see(run(sessions, call))
    return call


def claim(engine: Engine, payer: Payer, calls: int, stage: str = "COMMITTED", batch_id: int | None = 1) -> None:
    with engine.begin() as connection:
        connection.execute(insert(CLAIMS).values(
            session_id=payer.id, amount=calls, units=0, calls=calls, head=b"", signature=b"", claimed=calls,
            entry_head=b"", first=1, stage=stage, batch_id=batch_id, batch_index=0 if batch_id else None))


def commit(engine: Engine, state: str = "PENDING") -> None:
    with engine.begin() as connection:
        connection.execute(insert(BATCHES).values(batch_id=1, entries=[], set_version=1, committed_block=1,
                                                  committed_at=COMMITTED, state=state))


def set_row(engine: Engine, table: Any, **values: Any) -> None:
    with engine.begin() as connection:
        connection.execute(update(table).values(**values))


def said(engine: Engine, call: CallRow) -> bool:
    """Whether anything of what was said is still there."""
    with engine.connect() as connection:
        return any(connection.execute(select(*SAID).where(CALLS.c.call_id == call.call_id)).one())


def test_forget__call_may_be_asked_for__everything_stays(engine: Engine, sessions: SqlSessions, payer: Payer) -> None:
    """Nothing goes while its batch is undecided, a voucher on its way, or the session open."""
    call, memory = end_call(sessions, payer), SqlSaid(engine)
    assert memory.forget(2 * COMMITTED) == 0  # no voucher was committed, the session is open
    claim(engine, payer, 1, "COMMITTING", None)
    set_row(engine, SESSIONS, state=SessionState.CLOSED.name)
    assert memory.forget(2 * COMMITTED) == 0
    set_row(engine, CLAIMS, stage="COMMITTED", batch_id=1, batch_index=0)
    commit(engine)
    for state in ("PENDING", "FROZEN"):
        set_row(engine, BATCHES, state=state)
        assert memory.forget(2 * COMMITTED) == 0
    set_row(engine, BATCHES, state="MATURED")
    assert memory.forget(COMMITTED - 1) == 0  # it can still be disputed
    unit = SqlClaims(engine).unit_of(1, 0, 0)
    assert unit is not None and unit.transcript and said(engine, call)
    assert sessions.ended_call(payer.id, 1) is not None


@pytest.mark.parametrize("state", ["MATURED", "FORFEITED"])
def test_forget__batch_over_and_past_dispute__only_lines_and_figures_stay(
        engine: Engine, sessions: SqlSessions, payer: Payer, state: str) -> None:
    """R127: what was said goes when nothing can be asked of it any more."""
    call, later = end_call(sessions, payer), end_call(sessions, payer)
    commit(engine, state)
    claim(engine, payer, 1, "SETTLED")
    lines = SqlClaims(engine).lines(payer.id, 1, 2)
    assert SqlSaid(engine).forget(COMMITTED) == 1
    assert not said(engine, call) and said(engine, later)
    assert sessions.ended_call(payer.id, 1) is None and SqlClaims(engine).unit_of(1, 0, 0) is None
    assert SqlClaims(engine).lines(payer.id, 1, 2) == lines
    totals = sessions.session_totals(payer.id)
    assert totals is not None and totals.owed == payer.known
    assert sessions.accept_voucher(payer.sign(payer.known.amount), NOW).accepted == payer.known
    with pytest.raises(CallRefused) as caught:  # the nonce stays used
        sessions.admit(payer.request(payer.sign(payer.known.amount + payer.needs()), nonce=1), "chat", INPUT, NOW)
    assert caught.value.code == "replay"
    assert SqlSaid(engine).forget(COMMITTED) == 0


def test_forget__linked_call__stays_and_goes_with_its_batch(
        engine: Engine, sessions: SqlSessions, payer: Payer) -> None:
    """R123: a call beyond the voucher's head is opened as all others, so that it is kept as long."""
    end_call(sessions, payer)
    linked = end_call(sessions, payer)
    commit(engine)
    claim(engine, payer, 1)
    set_row(engine, CLAIMS, linked=1)
    set_row(engine, SESSIONS, state=SessionState.CLOSED.name)
    assert SqlSaid(engine).forget(2 * COMMITTED) == 0 and said(engine, linked)
    set_row(engine, BATCHES, state="MATURED")
    assert SqlSaid(engine).forget(COMMITTED) == 2 and not said(engine, linked)


@pytest.mark.parametrize(("state", "ends_at", "gone"), [
    ("OPEN", COMMITTED, 0), ("CLOSING", COMMITTED + 1, 0), ("CLOSING", COMMITTED, 1), ("CLOSED", COMMITTED + 1, 1)])
def test_forget__never_claimed__goes_once_no_voucher_can_claim_it(
        engine: Engine, sessions: SqlSessions, payer: Payer, state: str, ends_at: int, gone: int) -> None:
    call = end_call(sessions, payer)
    claim(engine, payer, 1, "DROPPED", None)
    set_row(engine, SESSIONS, state=state, ends_at=ends_at)
    assert SqlSaid(engine).forget(COMMITTED) == gone
    assert said(engine, call) is not bool(gone)


def test_fail_call__at_once__nothing_that_was_said_is_left(engine: Engine, sessions: SqlSessions, payer: Payer) -> None:
    call = sessions.admit(payer.ask(), "chat", INPUT, NOW)
    assert SqlSaid(engine).forget(COMMITTED) == 0 and said(engine, call)
    assert sessions.fail_call(call.call_id, "no output")
    assert not said(engine, call)
    row = sessions.call(call.call_id)
    assert row is not None and (row.nonce, row.input_tokens, row.reason) == (call.nonce, INPUT, "no output")


@pytest.mark.parametrize(("stage", "batch", "deadline", "gone"), [
    ("SETTLED", "MATURED", 0, True), ("REFUNDED", "FORFEITED", 0, True), ("REFUNDED", None, 0, True),
    ("DROPPED", None, COMMITTED, True), ("DROPPED", None, COMMITTED + 1, False), ("COMMITTED", "PENDING", 0, False),
    ("COMMITTED", "FROZEN", 0, False), ("DONE", None, 0, False), ("RUNNING", None, 0, False)])
def test_forget__jobs__as_calls(engine: Engine, stage: str, batch: str | None, deadline: int, gone: bool) -> None:
    if batch:
        commit(engine, batch)
    with engine.begin() as connection:
        connection.execute(insert(JOBS).values(
            job_id=b"1", job={}, opened_at=0, deadline=deadline, stage=stage, spec=b"spec", prompt=b"said",
            transcript=b"said", answer=b"sealed", fingerprints=b"rows", leaf=b"leaf", output_tokens=5,
            batch_id=1 if batch else None))
        connection.execute(insert(DELIVERIES).values([
            {"kind": kind, "subject": kind, "oracle": "0x", "body": b"body", "batch_id": 1 if batch else None,
             "done_at": done_at} for kind, done_at in
            (("blob", 1.0), ("opening", None), ("report", 1.0))] + [
            {"kind": "blob", "subject": "waits", "oracle": "0x", "body": b"body", "batch_id": 1, "done_at": None}]))
    assert SqlSaid(engine).forget(COMMITTED) == gone
    with engine.connect() as connection:
        row = connection.execute(select(JOBS)).one()
        bodies = {one.subject: one.body for one in connection.execute(select(DELIVERIES))}
    assert (row.prompt, row.transcript, row.answer) == ((None,) * 3 if gone else (b"said", b"said", b"sealed"))
    assert (row.fingerprints, row.leaf, row.output_tokens) == (b"" if gone else b"rows", b"leaf", 5)
    forgotten = b"" if gone and batch else b"body"
    assert bodies == {"blob": forgotten, "opening": forgotten, "report": b"body", "waits": b"body"}
