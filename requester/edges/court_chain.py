"""`court_ports.Court` over `protocol.chain`."""

from __future__ import annotations

from protocol.chain.chain import Chain as ChainEdge
from protocol.chain.records import Call
from protocol.units import Address, Wei
from requester.ports.court import CaseView, DisputeTerms, LineView
from requester.records.jobs import JobFile


class CourtChainClient:
    """Safe to share between threads."""

    def __init__(self, chain: ChainEdge) -> None:
        self._chain = chain

    def terms(self) -> DisputeTerms:
        read = self._chain.court_terms()
        return DisputeTerms(read.dispute_bond, read.ruling_window, read.dispute_window, read.share_multiple)

    def now(self) -> int:
        return self._chain.head().timestamp

    def case_of(self, batch_id: int, index: int) -> CaseView | None:
        """The last case about the entry."""
        case_id = self._chain.dispute_of(batch_id, index)
        if not case_id:
            return None
        read = self._chain.court_case(case_id)
        return CaseView(case_id, read.ruling, read.deadline, read.bond, read.amount, read.is_compensated)

    def line(self, batch_id: int, index: int, provider: Address) -> LineView:
        batch = self._chain.batch(batch_id)
        stored = self._chain.stored_bitmap(batch_id) >> index & 1 == 1
        return LineView(batch.state, batch.outcome, stored, self._chain.provider_record(provider).frozen_batch != 0)

    def award_of(self, account: Address) -> Wei:
        return self._chain.award_of(account)

    def allowance(self, account: Address) -> Wei:
        return self._chain.allowance(account, self._chain.deployment.court)

    def approve_call(self, amount: Wei) -> Call:
        return self._chain.approve(self._chain.deployment.court, amount)

    def dispute_call(self, file: JobFile) -> Call:
        """Head and entries are the chain's own, from the event of the commitment; the court compares their digest."""
        return self._chain.dispute(file.batch_id, file.head(), file.entries, file.index)

    def close_call(self, case_id: int) -> Call:
        return self._chain.close_by_default(case_id)

    def compensate_call(self, case_id: int) -> Call:
        return self._chain.compensate(case_id)

    def claim_call(self) -> Call:
        return self._chain.claim_award()
