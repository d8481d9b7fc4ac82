"""What one work batch carries: finished jobs, and the vouchers of sessions; of a session one voucher a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.calls import line_digest, link
from protocol.encoding import keccak
from protocol.limits import MAX_POSTED_OPENINGS
from protocol.openings import CALL_BYTES
from protocol.session_reports import reportable
from protocol.types import Commitment, InFlightClaim, Voucher
from protocol.units import Digest
from protocol.vouchers import on_chain
from provider.ports.work import Chain
from provider.records.claims import Claimable, VoucherClaim
from provider.records.work import JournalJob

Claiming = Claimable | VoucherClaim

MOST_CALLS = MAX_POSTED_OPENINGS // 2 // CALL_BYTES
"""Calls of a batch's vouchers, unless the first one has more: in a last chance their reports leave half of what can be
posted on-chain to the openings."""


@dataclass(frozen=True)
class Lines:
    """The lines of a batch in the order of its entries: jobs first."""

    jobs: tuple[JournalJob, ...] = ()
    vouchers: tuple[Claiming, ...] = ()

    def __len__(self) -> int:
        return len(self.jobs) + len(self.vouchers)

    @property
    def commitments(self) -> list[Commitment]:
        return [commitment_of(job) for job in self.jobs]

    @property
    def signed(self) -> list[Voucher]:
        return [voucher_of(one) for one in self.vouchers]

    @property
    def claims(self) -> list[InFlightClaim]:
        """Of the vouchers of which less than all is claimed, or calls that they only name."""
        found = [claim_of(one, place) for place, one in enumerate(self.vouchers)]
        return [claim for claim in found if claim is not None]


def commitment_of(job: JournalJob) -> Commitment:
    """The line of a work batch for a finished job."""
    if job.work is None:
        raise ValueError(f"The job 0x{job.job_id.hex()} has no transcript yet.")
    return Commitment(job.job, job.work.amount, job.work.leaf, keccak(job.work.answer))


def voucher_of(one: Claiming) -> Voucher:
    return on_chain(one.session, one.voucher)


def claim_of(one: Claiming, place: int = 0) -> InFlightClaim | None:
    """What stands beside a voucher at a place of the batch; None for one that is exact and names no call."""
    if one.claimed is None or (one.claimed.amount == one.voucher.amount and not one.voucher.in_flight):
        return None
    linked = one.claimed.linked
    units = sum(call.line.input_tokens + call.line.output_tokens for call in linked)
    links = tuple(link(call.spec, line_digest(call.line)) for call in linked)
    return InFlightClaim(place, one.claimed.amount, units, links)


def commit_key(jobs: Sequence[JournalJob], vouchers: Sequence[Claimable], alone: bool) -> str:
    """The same jobs and vouchers, tried for the same time, have the same key, so nothing is sent twice."""
    parts = b"".join(job.job_id + (job.work.leaf if job.work else b"") for job in jobs)
    parts += b"".join(one.voucher.session_id + one.voucher.amount.to_bytes(12, "big") + one.voucher.head
                      + one.attempts.to_bytes(4, "big") + _claimed_bytes(one) for one in vouchers)
    return ("commit-alone/" if alone else "commit/") + keccak(parts).hex()


def _claimed_bytes(one: Claimable) -> bytes:
    claim = claim_of(one)
    return b"" if claim is None else claim.amount.to_bytes(12, "big") + b"".join(claim.links)


def alike(chain: Chain, jobs: Sequence[JournalJob], vouchers: Sequence[Claimable], most: int) -> Lines:
    """As many lines as a batch takes of those that began under the terms of the first; `most` is at least 1."""
    def of_job(job: JournalJob) -> int:
        return chain.job_terms(job.job_id)

    def of_voucher(one: Claimable) -> int:
        return chain.session_terms(Digest(one.voucher.session_id))

    version = of_job(jobs[0]) if jobs else of_voucher(vouchers[0])
    taken = tuple(job for job in jobs if of_job(job) == version)[:most]
    beside = [one for one in vouchers if of_voucher(one) == version][: most - len(taken)]
    added = {place: one.last - one.first + 1 for place, one in enumerate(beside)}
    fitting, calls = reportable(added), 0
    chosen: list[Claimable] = []
    for place, one in enumerate(beside):
        if place in fitting and (not chosen or calls + added[place] <= MOST_CALLS):
            chosen.append(one)
            calls += added[place]
    return Lines(taken, tuple(chosen))
