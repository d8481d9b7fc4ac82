"""What final blocks say of jobs, read once for all jobs that wait in this process."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace

from protocol.chain.chain import Chain
from protocol.chain.events import (
    BatchCommitted,
    BatchFrozen,
    BatchHeld,
    BatchMatured,
    ChainEvent,
    JobCancelAsked,
    JobOpened,
    JobRefunded,
    JobSettled,
    OpeningsPosted,
    ProviderConvicted,
)
from protocol.types import Outcome, RefundReason
from protocol.units import Address, Digest, Wei
from requester.ports.jobs import Committed, Ended, JobFacts

PACE = 0.4
"""Seconds between two looks at the chain, however many threads ask."""
SPAN = 2000
"""Blocks asked for at once."""


@dataclass
class _Found:
    opened: set[Digest] = field(default_factory=set)
    deadlines: dict[Digest, int] = field(default_factory=dict)
    committed: dict[Digest, Committed] = field(default_factory=dict)
    ended: dict[Digest, Ended] = field(default_factory=dict)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    frozen: dict[int, int] = field(default_factory=dict)
    reopened: dict[int, int] = field(default_factory=dict)
    convicted: dict[str, tuple[int, int]] = field(default_factory=dict)


class EventIndex:
    """Follows final blocks only, so nothing in it is ever taken back. Safe to share between threads."""

    def __init__(self, chain: Chain, confirmations: int) -> None:
        self._chain, self._confirmations = chain, confirmations
        self._lock = threading.Lock()
        self._found = _Found()
        self._first: int | None = None
        self._last = 0
        self._head_time = 0
        self._looked_at = 0.0

    def facts(self, job_id: Digest, provider: Address, opened_at: int, since_block: int) -> JobFacts:
        """`since_block` is the block of the opening, 0 when unknown: the index then begins with the deployment."""
        with self._lock:
            self._read(max(since_block, self._chain.deployment.block + 1))
            found = self._found
            committed, ended = found.committed.get(job_id), found.ended.get(job_id)
            if ended is not None and committed is not None:
                outcome = found.outcomes.get(committed.batch_id, ended.outcome)
                ended = replace(ended, outcome=outcome)
            at, through = found.convicted.get(provider.lower(), (-1, -1))
            reached = opened_at <= at if committed is None else committed.batch_id <= through
            batch_id = committed.batch_id if committed is not None else 0
            return JobFacts(self._head_time, job_id in found.opened, committed, ended, reached,
                            found.frozen.get(batch_id, 0), found.deadlines.get(job_id, 0),
                            found.reopened.get(batch_id, 0))

    def _read(self, since: int) -> None:
        if self._first is None:
            self._first, self._last = since, since - 1
        if since < self._first:
            self._take(since, self._first - 1)
            self._first = since
        if time.monotonic() - self._looked_at < PACE:
            return
        head = self._chain.head()
        final = head.number - self._confirmations
        if final > self._last:
            self._take(self._last + 1, final)
            self._last = final
        self._head_time, self._looked_at = head.timestamp, time.monotonic()

    def _take(self, first: int, last: int) -> None:
        for start in range(first, last + 1, SPAN):
            for event in self._chain.events(start, min(start + SPAN - 1, last)):
                self._note(event)

    def _note(self, at: ChainEvent) -> None:
        found, event = self._found, at.event
        if isinstance(event, JobOpened):
            found.opened.add(event.job_id)
        elif isinstance(event, JobCancelAsked):
            found.deadlines[event.job_id] = event.deadline
        elif isinstance(event, BatchCommitted):
            for index, entry in enumerate(event.entries):
                found.committed[entry.job_id] = Committed(
                    at.timestamp, event.batch_id, index, event.set_version, event.entries, at.block,
                    event.terms_version)
        elif isinstance(event, JobSettled):
            found.ended[event.job_id] = self._ended(at, RefundReason.NONE, event.paid, event.refunded)
        elif isinstance(event, JobRefunded):
            found.ended[event.job_id] = self._ended(at, event.reason, Wei(0), event.amount)
        elif isinstance(event, BatchMatured):
            found.outcomes[event.batch_id] = event.outcome
        elif isinstance(event, BatchFrozen):
            found.frozen[event.batch_id] = event.until
            found.outcomes[event.batch_id] = event.outcome
        elif isinstance(event, BatchHeld):
            found.frozen[event.batch_id] = event.until
        elif isinstance(event, OpeningsPosted):
            found.reopened[event.batch_id] = at.timestamp
            found.frozen.pop(event.batch_id, None)
            found.outcomes.pop(event.batch_id, None)
        elif isinstance(event, ProviderConvicted):
            found.convicted[event.provider.lower()] = (at.timestamp, event.through)

    def _ended(self, at: ChainEvent, reason: RefundReason, paid: Wei, refunded: Wei) -> Ended:
        receipt = self._chain.receipt(at.tx_hash)
        gas = 0 if receipt is None else receipt.gas_used
        return Ended(at.timestamp, Digest(at.tx_hash), gas, Outcome.NONE, reason, paid, refunded)
