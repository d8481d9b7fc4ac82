"""From final blocks to the journal, in the transaction that moves the follower's cursor: never twice, never half."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert

from protocol.chain.events import (
    BatchCommitted,
    BatchForfeited,
    BatchFrozen,
    BatchMatured,
    BurnAccrued,
    ChainEvent,
    FinalBlock,
    JobCancelAsked,
    JobOpened,
    JobRefunded,
    JobSettled,
    OpeningsPosted,
    ProviderConvicted,
)
from protocol.types import BatchState, Outcome
from protocol.wire import to_json
from provider.edges.court_rows import apply_court_event
from provider.edges.session_projection import apply_session_event
from provider.edges.tables import BATCHES, BURNS, CONVICTIONS, JOBS
from provider.ports.work import Log
from provider.records.work import Stage


class Projection:
    """Applies what concerns one owner."""

    def __init__(self, owner: str, log: Log) -> None:
        self._owner = owner.lower()
        self._log = log

    def apply(self, connection: Connection, block: FinalBlock) -> None:
        """What `Follower.follow` calls for each final block, in order."""
        for event in block.events:
            self._apply(connection, event)

    def _apply(self, connection: Connection, placed: ChainEvent) -> None:
        event = placed.event
        apply_session_event(connection, self._owner, placed, self._log)
        apply_court_event(connection, self._owner, event)
        if isinstance(event, JobOpened):
            if event.job.provider.lower() == self._owner:
                self._opened(connection, event)
        elif isinstance(event, JobCancelAsked):
            _set(connection, event.job_id, deadline=event.deadline)
        elif isinstance(event, JobRefunded):
            _refunded(connection, event)
        elif isinstance(event, JobSettled):
            _set(connection, event.job_id, stage=Stage.SETTLED, paid=int(event.paid), refunded=int(event.refunded))
        elif isinstance(event, BatchCommitted):
            if event.provider.lower() == self._owner:
                self._committed(connection, event, placed)
        elif isinstance(event, BatchMatured):
            _end(connection, event.batch_id, placed, state=BatchState.MATURED.name, outcome=event.outcome.name,
                 payout=int(event.payout), fee=int(event.fee))
        elif isinstance(event, BatchFrozen):
            _end(connection, event.batch_id, placed, state=BatchState.FROZEN.name, outcome=event.outcome.name)
        elif isinstance(event, OpeningsPosted):
            _reopen(connection, event.batch_id, placed.timestamp)
        elif isinstance(event, BatchForfeited):
            _end(connection, event.batch_id, placed, state=BatchState.FORFEITED.name)
        elif isinstance(event, BurnAccrued) and event.provider.lower() == self._owner:
            row = {"block": placed.block, "log_index": placed.log_index, "burned": int(event.burned)}
            connection.execute(insert(BURNS).values(row).on_conflict_do_nothing())
        elif isinstance(event, ProviderConvicted) and event.provider.lower() == self._owner:
            self._convicted(connection, event, placed)

    def _opened(self, connection: Connection, event: JobOpened) -> None:
        row = {"job_id": event.job_id, "job": to_json(event.job), "opened_at": event.opened_at,
               "deadline": event.deadline, "stage": Stage.SEEN}
        connection.execute(insert(JOBS).values(row).on_conflict_do_nothing())
        self._log("job_seen", job_id=event.job_id.hex(), price=str(event.job.price), deadline=event.deadline)

    def _committed(self, connection: Connection, event: BatchCommitted, placed: ChainEvent) -> None:
        row = {
            "batch_id": event.batch_id, "entries": [to_json(entry) for entry in event.entries],
            "set_version": event.set_version, "terms_version": event.terms_version,
            "committed_block": placed.block, "committed_at": placed.timestamp,
            "state": BatchState.PENDING.name, "tx_hash": placed.tx_hash,
        }
        connection.execute(insert(BATCHES).values(row).on_conflict_do_nothing())
        for index, entry in enumerate(event.entries):  # the id of a voucher is no job's
            _set(connection, entry.job_id, stage=Stage.COMMITTED, batch_id=event.batch_id, batch_index=index)
        self._log("batch_committed", batch_id=event.batch_id, jobs=len(event.entries))

    def _convicted(self, connection: Connection, event: ProviderConvicted, placed: ChainEvent) -> None:
        row = {"batch_id": event.batch_id, "slashed": int(event.slashed), "at": placed.timestamp}
        connection.execute(insert(CONVICTIONS).values(row).on_conflict_do_nothing())
        self._log("convicted", batch_id=event.batch_id, slashed=str(event.slashed))


def _refunded(connection: Connection, event: JobRefunded) -> None:
    """The chain's reason, and behind it our own for declining, if there is one."""
    row = connection.execute(select(JOBS.c.reason).where(JOBS.c.job_id == event.job_id)).first()
    if row is None:
        return
    reason = event.reason.name + (f" ({row.reason})" if row.reason else "")
    _set(connection, event.job_id, stage=Stage.REFUNDED, reason=reason, refunded=int(event.amount))


def _set(connection: Connection, job_id: bytes, **values: Any) -> None:
    connection.execute(update(JOBS).where(JOBS.c.job_id == job_id).values(**values))


def _end(connection: Connection, batch_id: int, placed: ChainEvent, **values: Any) -> None:
    connection.execute(update(BATCHES).where(BATCHES.c.batch_id == batch_id)
                       .values(ended_tx=placed.tx_hash, ended_at=placed.timestamp, **values))


def _reopen(connection: Connection, batch_id: int, at: int) -> None:
    """Openings were posted on-chain: the batch is pending again."""
    connection.execute(update(BATCHES).where(BATCHES.c.batch_id == batch_id).values(
        state=BatchState.PENDING.name, outcome=Outcome.NONE.name, ended_tx=None, ended_at=None, opened_at=at))
