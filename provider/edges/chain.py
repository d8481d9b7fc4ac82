"""The chain and the node key's transactions as the flows' ports, over `protocol.chain`."""

from __future__ import annotations

import time
from collections.abc import Sequence

from protocol.chain.chain import Chain
from protocol.chain.records import Call
from protocol.chain.sender import Sender
from protocol.errors import ChainRefused
from protocol.messages import Domain
from protocol.types import BatchState, Commitment, Job, JobState
from provider.records import Head, JournalBatch, Oracle, Terms, Tx

SEATS_SECONDS = 5.0
"""How old an oracle's URL may be."""


class ChainView:
    """`provider.ports.Chain`. A head is kept for the length of one round, see `forget`."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self.domain: Domain = chain.domain
        self._head: Head | None = None
        self._sets: dict[int, tuple[Oracle, ...]] = {}
        self._version: int | None = None
        self._sets_until = 0.0

    def forget(self) -> None:
        """Begin a new round: the next reads ask the node again. What oracles publish of themselves is kept longer."""
        self._head, self._version = None, None
        if time.monotonic() >= self._sets_until:
            self._sets.clear()
            self._sets_until = time.monotonic() + SEATS_SECONDS

    def head(self) -> Head:
        if self._head is None:
            block = self._chain.head()
            self._head = Head(block.number, block.timestamp, block.hash)
        return self._head

    def terms(self) -> Terms:
        p = self._chain.parameters()
        return Terms(p.start_window, p.open_window, p.maturity_window, p.evidence_window, p.audit_bps, p.draw_delay,
                     p.fee_bps)

    def job_state(self, job_id: bytes) -> JobState:
        return self._chain.job(job_id).state

    def batch_state(self, batch_id: int) -> BatchState:
        return self._chain.batch(batch_id).state

    def stored_bitmap(self, batch_id: int) -> int:
        return self._chain.stored_bitmap(batch_id)

    def epoch_blocks(self) -> int:
        return self._chain.epoch_blocks()

    def block(self, number: int) -> Head | None:
        block = self._chain.block(number)
        return None if block is None else Head(block.number, block.timestamp, block.hash)

    def oracles(self, set_version: int | None = None) -> tuple[Oracle, ...]:
        """Members in seat order with their URLs and keys of today; of the present set by default."""
        if set_version is None:
            if self._version is None:
                self._version = self._chain.set_version()
            set_version = self._version
        if set_version not in self._sets:
            seats = []
            for address in self._chain.members(set_version) if set_version else ():
                seat = self._chain.oracle(address)
                seats.append(Oracle(address, seat.url, seat.encryption_key, seat.anchor, seat.anchor_epoch))
            self._sets[set_version] = tuple(seats)
        return self._sets[set_version]


class NodeSender:
    """`provider.ports.Sender`: what the node key sends."""

    def __init__(self, chain: Chain, sender: Sender, address: str) -> None:
        self._chain, self._sender, self._address = chain, sender, address

    def decline(self, key: str, job: Job) -> None:
        self._sender.submit(key, self._chain.decline_job(job))

    def commit(self, key: str, commitments: Sequence[Commitment]) -> None:
        self._sender.submit(key, self._chain.commit_batch(list(commitments)))

    def record_stored(self, key: str, batch: JournalBatch, indexes: Sequence[int],
                      signatures: Sequence[Sequence[bytes]]) -> None:
        self._submit_late(key, self._chain.record_stored(batch.batch_id, batch.entries, indexes, signatures))

    def mature_by_default(self, key: str, batch: JournalBatch) -> None:
        self._submit_late(key, self._chain.mature_by_default(batch.batch_id, batch.entries))

    def refuse_commit(self, commitments: Sequence[Commitment]) -> str | None:
        """Why the chain would refuse this batch now, or None."""
        try:
            self._chain.simulate(self._chain.commit_batch(list(commitments)), self._address)
        except ChainRefused as error:
            return error.message
        return None

    def outcome(self, key: str) -> Tx | None:
        found = self._sender.outcome(key)
        return None if found is None else Tx(found.status, found.tx_hash.hex(), found.error or "")

    def pump(self) -> None:
        self._sender.pump()

    def _submit_late(self, key: str, call: Call) -> None:
        # Anyone may do these, so somebody else may just have done it: being refused is an answer, not an error.
        try:
            self._sender.submit(key, call)
        except ChainRefused:
            return
