"""What was said, deleted from PostgreSQL: prompts, transcripts, keys, salts and fingerprints; the rows stay."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Engine, Select, and_, exists, or_, select, update

from protocol.types import BatchState, SessionState
from provider.edges.session_tables import CALLS, CLAIMS, SESSIONS
from provider.edges.tables import BATCHES, DELIVERIES, JOBS
from provider.records.claims import ClaimStage
from provider.records.sessions import CallStage
from provider.records.work import DeliveryKind, Stage

AT_ONCE = 512
"""Rows of each table in one round."""
SILENT: dict[str, Any] = {"prompt": b"", "key": b"", "transcript": None, "fingerprints": None, "vector": None,
                          "salt": None, "forgotten": True}
"""What a call keeps of what was said: nothing. Leaf and totals are digests with the salt that goes."""
REFUNDED, DROPPED = Stage.REFUNDED, Stage.DROPPED


class SqlSaid:
    """`provider.ports.sessions.Said`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def forget(self, decided: int) -> int:
        over = select(BATCHES.c.batch_id).where(
            BATCHES.c.state.in_((BatchState.MATURED.name, BatchState.FORFEITED.name)),
            BATCHES.c.committed_at <= decided)
        calls = select(CALLS.c.call_id).where(CALLS.c.forgotten.is_(False), or_(
            CALLS.c.stage == CallStage.FAILED,
            and_(CALLS.c.stage == CallStage.ENDED, ~_undecided(over),
                 or_(_claimed(CLAIMS.c.batch_id.in_(over)), _unclaimable(decided))))).limit(AT_ONCE)
        jobs = select(JOBS.c.job_id).where(JOBS.c.prompt.is_not(None), or_(
            JOBS.c.batch_id.in_(over),
            and_(JOBS.c.batch_id.is_(None), JOBS.c.stage == REFUNDED),
            and_(JOBS.c.batch_id.is_(None), JOBS.c.stage == DROPPED, JOBS.c.deadline <= decided))).limit(AT_ONCE)
        with self._engine.begin() as connection:
            gone = connection.execute(update(CALLS).where(CALLS.c.call_id.in_(calls)).values(SILENT)).rowcount
            gone += connection.execute(update(JOBS).where(JOBS.c.job_id.in_(jobs)).values(
                prompt=None, transcript=None, answer=None, fingerprints=b"")).rowcount
            # Sealed answers that their oracle took, and sealed openings, which nobody asks for after the batch.
            connection.execute(update(DELIVERIES).where(
                DELIVERIES.c.body != b"", DELIVERIES.c.batch_id.in_(over),
                or_(DELIVERIES.c.kind == DeliveryKind.OPENING,
                    and_(DELIVERIES.c.kind == DeliveryKind.BLOB, DELIVERIES.c.done_at.is_not(None)))).values(body=b""))
        return gone


def _claimed(which: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a claim of this kind covers the call."""
    return exists().where(CLAIMS.c.session_id == CALLS.c.session_id,
                          CALLS.c.number.between(CLAIMS.c.first, CLAIMS.c.calls + CLAIMS.c.linked), which)


def _undecided(over: Select[tuple[int]]) -> ColumnElement[bool]:
    return _claimed(or_(CLAIMS.c.stage == ClaimStage.COMMITTING,
                        and_(CLAIMS.c.batch_id.is_not(None), CLAIMS.c.batch_id.not_in(over))))


def _unclaimable(decided: int) -> ColumnElement[bool]:
    """Its session is finished, or the chain takes its vouchers no more since so long that a claim would be known."""
    finished = or_(SESSIONS.c.state == SessionState.CLOSED.name,
                   and_(SESSIONS.c.state == SessionState.CLOSING.name, SESSIONS.c.ends_at <= decided))
    return exists().where(SESSIONS.c.session_id == CALLS.c.session_id, finished)
