"""`ports.Chain` over `protocol.chain`: typed reads, calls, and an index of the events that concern jobs."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.chain.chain import Chain as ChainEdge
from protocol.chain.events import JobSettled, VouchersSettled
from protocol.chain.records import Call
from protocol.messages import Domain
from protocol.signing import Signer
from protocol.types import BatchHead, Entry, Job
from protocol.units import Address, Digest, Wei
from requester.edges.event_index import EventIndex
from requester.ports.jobs import Balances, JobFacts, JobView, Seat, Standing, Terms
from requester.records.jobs import JobFile

PERMIT_LIFE = 3600
"""Seconds for which a deposit's permit is valid."""


class ChainClient:
    """Safe to share between threads."""

    def __init__(self, chain: ChainEdge, signer: Signer | None, confirmations: int) -> None:
        self._chain, self._signer = chain, signer
        self._index = EventIndex(chain, confirmations)

    @property
    def domain(self) -> Domain:
        return self._chain.domain

    def now(self) -> int:
        return self._chain.head().timestamp

    def terms(self, version: int | None = None) -> Terms:
        read = self._chain.parameters() if version is None else self._chain.parameters_at(version)
        return Terms(read.open_fee, read.slash_bps, read.challenger_bps, read.detection_bps, read.max_duration,
                     read.maturity_window, read.evidence_window)

    def seats(self) -> tuple[Seat, ...]:
        members = self._chain.members(self._chain.set_version())
        return tuple(Seat(member, self._chain.oracle(member).url) for member in members)

    def members(self, set_version: int) -> tuple[Address, ...]:
        return self._chain.members(set_version)

    def standing(self, provider: Address) -> Standing:
        stake, record = self._chain.provider(provider), self._chain.provider_record(provider)
        key = None if int(stake.node_key, 16) == 0 else stake.node_key
        return Standing(key, stake.encryption_key, stake.active, record.reserved, record.frozen_batch != 0)

    def is_offer_revoked(self, provider: Address, nonce: int) -> bool:
        return self._chain.is_offer_revoked(provider, nonce)

    def balances(self, account: Address) -> Balances:
        return Balances(self._chain.free_balance(account), self._chain.token_balance(account),
                        self._chain.gas_balance(account))

    def view_job(self, job_id: Digest) -> JobView:
        record = self._chain.job(job_id)
        return JobView(record.state, record.opened_at, record.deadline)

    def facts(self, job_id: Digest, provider: Address, opened_at: int, since_block: int) -> JobFacts:
        return self._index.facts(job_id, provider, opened_at, since_block)

    def has_settlement(self, tx_hash: Digest, job_id: Digest) -> bool:
        """Whether a transaction of the canonical chain settled the job."""
        receipt = self._chain.receipt(tx_hash)
        events = () if receipt is None else receipt.events
        return any(isinstance(e.event, JobSettled) and e.event.job_id == job_id for e in events)

    def has_settled_vouchers(self, tx_hash: Digest, batch_id: int) -> bool:
        """Whether a transaction of the canonical chain paid the vouchers of the batch."""
        receipt = self._chain.receipt(tx_hash)
        events = () if receipt is None else receipt.events
        return any(isinstance(e.event, VouchersSettled) and e.event.batch_id == batch_id for e in events)

    def speaks_for(self, node_key: Address, provider: Address, at: int) -> bool:
        """Whether the node key was the provider's at that second."""
        period = self._chain.key_period(node_key)
        return (period is not None and period.provider.lower() == provider.lower() and period.since <= at
                and (period.until == 0 or at < period.until))

    def open_call(self, file: JobFile) -> Call:
        return self._chain.open_job(file.offer, file.job.spec_digest, file.job.input_tokens, file.job.max_output_tokens,
                                    file.duration, file.job.nonce)

    def deposit_call(self, amount: Wei) -> Call:
        """One transaction: the permit goes with the deposit."""
        if self._signer is None:
            raise RuntimeError("A chain without a signer reads only.")
        until = self.now() + PERMIT_LIFE
        digest = self._chain.permit_digest(self._signer.address, self._chain.deployment.escrow, amount, until)
        return self._chain.deposit_with_permit(amount, until, self._signer.sign(digest))

    def withdraw_call(self, amount: Wei) -> Call:
        return self._chain.withdraw_balance(amount)

    def cancel_call(self, job: Job) -> Call:
        return self._chain.cancel_job(job)

    def refund_call(self, job: Job) -> Call:
        return self._chain.refund_job(job)

    def mature_call(self, batch_id: int, head: BatchHead, entries: Sequence[Entry]) -> Call:
        return self._chain.mature_by_default(batch_id, head, entries)

    def forfeit_call(self, batch_id: int, head: BatchHead, entries: Sequence[Entry]) -> Call:
        return self._chain.forfeit(batch_id, head, entries)
