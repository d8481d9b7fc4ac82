"""The chain and the node key's transactions as the flows' ports, over `protocol.chain`."""

from __future__ import annotations

import time
from collections.abc import Sequence

from protocol.chain.chain import Chain
from protocol.chain.records import Call, Parameters
from protocol.chain.sender import Sender
from protocol.errors import ChainRefused
from protocol.messages import Domain
from protocol.types import BatchState, Commitment, InFlightClaim, Job, JobState, Session, Voucher
from protocol.units import Address
from provider.records.work import Head, JournalBatch, Oracle, Terms, Tx

SEATS_SECONDS = 5.0
"""How old an oracle's URL may be."""
MOST_JOBS = 4096


class ChainView:
    """`provider.ports.work.Chain`. A head is kept for the length of one round, see `forget`."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self.domain: Domain = chain.domain
        self._head: Head | None = None
        self._sets: dict[int, tuple[Oracle, ...]] = {}
        self._version: int | None = None
        self._sets_until = 0.0
        self._job_terms: dict[bytes, int] = {}
        self._terms: Terms | None = None

    def forget(self) -> None:
        """Begin a new round: the next reads ask the node again. What oracles publish of themselves is kept longer."""
        self._head, self._version, self._terms = None, None, None
        if len(self._job_terms) > MOST_JOBS:
            self._job_terms.clear()
        if time.monotonic() >= self._sets_until:
            self._sets.clear()
            self._sets_until = time.monotonic() + SEATS_SECONDS

    def head(self) -> Head:
        if self._head is None:
            block = self._chain.head()
            self._head = Head(block.number, block.timestamp, block.hash)
        return self._head

    def terms(self, version: int | None = None) -> Terms:
        if version is not None:
            return _terms(self._chain.parameters_at(version))
        if self._terms is None:
            self._terms = _terms(self._chain.parameters())
        return self._terms

    def job_state(self, job_id: bytes) -> JobState:
        return self._chain.job(job_id).state

    def job_terms(self, job_id: bytes) -> int:
        """The terms version under which the job began; it never changes."""
        if job_id not in self._job_terms:
            self._job_terms[job_id] = self._chain.job(job_id).terms_version
        return self._job_terms[job_id]

    def session_terms(self, session_id: bytes) -> int:
        """Likewise of a session."""
        if session_id not in self._job_terms:
            self._job_terms[session_id] = self._chain.session(session_id).terms_version
        return self._job_terms[session_id]

    def batch_state(self, batch_id: int) -> BatchState:
        return self._chain.batch(batch_id).state

    def unstake_delay(self) -> int:
        return self._chain.unstake_delay()

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
    """`provider.ports.work.Sender`: what the node key sends."""

    def __init__(self, chain: Chain, sender: Sender, address: str, owner: Address) -> None:
        self._chain, self._sender, self._address, self._owner = chain, sender, address, owner

    def decline(self, key: str, job: Job) -> None:
        self._sender.submit(key, self._chain.decline_job(job))

    def commit(self, key: str, commitments: Sequence[Commitment], vouchers: Sequence[Voucher] = (),
               claims: Sequence[InFlightClaim] = ()) -> None:
        self._sender.submit(key, self._chain.commit_batch(list(commitments), list(vouchers), list(claims)))

    def close_session(self, key: str, session: Session) -> None:
        self._submit_late(key, self._chain.close_session(session))

    def record_stored(self, key: str, batch: JournalBatch, indexes: Sequence[int],
                      signatures: Sequence[Sequence[bytes]]) -> None:
        head = batch.head(self._owner)
        self._submit_late(key, self._chain.record_stored(batch.batch_id, head, batch.entries, indexes, signatures))

    def mature_by_default(self, key: str, batch: JournalBatch) -> None:
        call = self._chain.mature_by_default(batch.batch_id, batch.head(self._owner), batch.entries)
        self._submit_late(key, call)

    def post_openings(self, key: str, batch: JournalBatch, openings: Sequence[bytes]) -> None:
        """Raises ChainRefused when it is too late, or done already."""
        self._sender.submit(key, self._chain.post_openings(batch.batch_id, batch.head(self._owner), openings))

    def refuse_commit(self, commitments: Sequence[Commitment], vouchers: Sequence[Voucher] = (),
                      claims: Sequence[InFlightClaim] = ()) -> str | None:
        """Why the chain would refuse this batch now, or None."""
        try:
            call = self._chain.commit_batch(list(commitments), list(vouchers), list(claims))
            self._chain.simulate(call, self._address)
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


def _terms(p: Parameters) -> Terms:
    return Terms(p.start_window, p.open_window, p.maturity_window, p.evidence_window, p.audit_bps, p.draw_delay,
                 p.fee_bps)
