"""Offers, and the jobs and batches that the chain has."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import and_, delete, exists, func, select, update

from oracle.edges.store.audit_tables import (
    REPORTS,
)
from oracle.edges.store.call_tables import SESSIONS, VOUCHERS
from oracle.edges.store.calls import voucher_note
from oracle.edges.store.session import Session
from oracle.edges.store.tables import (
    BATCHES,
    BLOBS,
    BURNS,
    CONVICTIONS,
    ENTRIES,
    JOBS,
    OFFERS,
)
from oracle.records.work import BatchRow, Conviction, EntryRow, JobRow
from protocol.limits import MAX_OFFERS_PER_PROVIDER
from protocol.types import BatchState, Entry, Job, JobState, Outcome, RefundReason, SessionState, SignedOffer
from protocol.units import Address, Digest, Wei
from protocol.wire import from_json, to_json


def _bytes(value: Any) -> Any:
    return None if value is None else bytes(value)


def job_row(r: Any) -> JobRow:
    job = Job(Address(r.requester), Address(r.provider), Digest(bytes(r.offer_digest)), Digest(bytes(r.spec_digest)),
              r.input_tokens, r.max_output_tokens, Wei(r.price), r.nonce)
    return JobRow(
        Digest(bytes(r.job_id)), job, r.opened_at, r.deadline, bytes(r.opened_tx), JobState(r.state),
        RefundReason(r.reason), r.batch_id, r._mapping["index"], Wei(r.paid), Wei(r.refunded), r.closed_at,
        _bytes(r.closed_tx), _bytes(r.model), _bytes(r.profile), r.audit,
    )


def batch_row(r: Any) -> BatchRow:
    return BatchRow(
        r.batch_id, Address(r.provider), r.set_version, Digest(bytes(r.entries_hash)), r.committed_at,
        r.committed_block, bytes(r.committed_tx), BatchState(r.state), Outcome(r.outcome), r.frozen_until,
        _bytes(r.decided_tx), _bytes(r.closed_tx), r.drawn_at, _bytes(r.seed), r.terms_version, r.opened_at,
        r.skipped_at, _bytes(r.group_seed), r.audit_bps,
    )


def entry_row(r: Any) -> EntryRow:
    entry = Entry(Digest(bytes(r.job_id)), Address(r.requester), Wei(r.price), Wei(r.amount), Digest(bytes(r.leaf)),
                  Digest(bytes(r.answer_digest)))
    return EntryRow(r.batch_id, r._mapping["index"], entry, r.drawn, r.auditor, r.escalated_at, bool(r.has_report),
                    bool(r.has_answer), r.audit, voucher_note(r))


class MarketStore(Session):
    def put_offer(self, digest: bytes, offer: SignedOffer, now: float, stake: int = 0) -> None:
        """Keep an offer, and of its provider's only so many: the standing and newest ones."""
        terms = offer.offer
        with self._begin() as c:
            # The same offer sent again becomes the newest.
            c.execute(
                self._insert(OFFERS)
                .values(digest=digest, provider=terms.provider, model=terms.model, nonce=terms.nonce,
                        expiry=terms.expiry, body=to_json(offer), received_at=now, revoked=False, stake=stake)
                .on_conflict_do_update(index_elements=["digest"], set_={"received_at": now, "stake": stake})
            )
            # A job may still carry one that goes: its opening transaction has it too.
            standing = (OFFERS.c.expiry > now) & OFFERS.c.revoked.is_(False)
            ranked = (select(OFFERS.c.digest).where(OFFERS.c.provider == terms.provider)
                      .order_by(standing.desc(), OFFERS.c.received_at.desc()).limit(MAX_OFFERS_PER_PROVIDER))
            c.execute(delete(OFFERS).where(OFFERS.c.provider == terms.provider, OFFERS.c.digest.not_in(ranked)))

    def note_stake(self, provider: str, stake: int) -> None:
        """The stake by which a provider's offers are listed, as the chain has it now."""
        with self._begin() as c:
            c.execute(update(OFFERS).where(OFFERS.c.provider == provider).values(stake=stake))

    def offer(self, digest: bytes) -> SignedOffer | None:
        with self._begin() as c:
            body = c.execute(select(OFFERS.c.body).where(OFFERS.c.digest == digest)).scalar()
            return None if body is None else from_json(SignedOffer, body)

    def offers(self, now: float, model: bytes | None = None,
               provider: str | None = None) -> list[tuple[Digest, SignedOffer, float]]:
        """Standing offers: those with the most stake behind them first, then the newest; 256 at
        most, each with the stake that was noted."""
        wanted = select(OFFERS).where(OFFERS.c.expiry > now, OFFERS.c.revoked.is_(False))
        if model is not None:
            wanted = wanted.where(OFFERS.c.model == model)
        if provider is not None:
            wanted = wanted.where(OFFERS.c.provider == provider)
        with self._begin() as c:
            rows = c.execute(wanted.order_by(OFFERS.c.stake.desc(), OFFERS.c.received_at.desc()).limit(256))
            return [(Digest(bytes(r.digest)), from_json(SignedOffer, r.body), r.stake) for r in rows]

    def job(self, job_id: bytes) -> JobRow | None:
        with self._begin() as c:
            row = c.execute(select(JOBS).where(JOBS.c.job_id == job_id)).first()
            return None if row is None else job_row(row)

    def jobs(self, *, requester: str | None = None, provider: str | None = None, state: int | None = None,
             limit: int = 100) -> list[JobRow]:
        """Newest first."""
        wanted = select(JOBS)
        for column, value in ((JOBS.c.requester, requester), (JOBS.c.provider, provider), (JOBS.c.state, state)):
            if value is not None:
                wanted = wanted.where(column == value)
        with self._begin() as c:
            rows = c.execute(wanted.order_by(JOBS.c.opened_at.desc(), JOBS.c.job_id).limit(limit))
            return [job_row(r) for r in rows]

    def open_jobs(self) -> list[JobRow]:
        with self._begin() as c:
            return [job_row(r) for r in c.execute(select(JOBS).where(JOBS.c.state == int(JobState.OPEN)))]

    def batch(self, batch_id: int) -> BatchRow | None:
        with self._begin() as c:
            row = c.execute(select(BATCHES).where(BATCHES.c.batch_id == batch_id)).first()
            return None if row is None else batch_row(row)

    def find_batches(self, batch_ids: Collection[int]) -> list[BatchRow]:
        with self._begin() as c:
            return [batch_row(r) for r in c.execute(select(BATCHES).where(BATCHES.c.batch_id.in_(batch_ids)))]

    def batches(self, *states: int, provider: str | None = None) -> list[BatchRow]:
        wanted = select(BATCHES).where(BATCHES.c.state.in_([int(state) for state in states]))
        if provider is not None:
            wanted = wanted.where(BATCHES.c.provider == provider)
        with self._begin() as c:
            return [batch_row(r) for r in c.execute(wanted.order_by(BATCHES.c.batch_id))]

    def entries(self, batch_id: int) -> list[EntryRow]:
        reported = exists().where(REPORTS.c.job_id == ENTRIES.c.job_id).label("has_report")
        delivered = exists().where(BLOBS.c.digest == ENTRIES.c.answer_digest).label("has_answer")
        audit = select(JOBS.c.audit).where(JOBS.c.job_id == ENTRIES.c.job_id).scalar_subquery().label("audit")
        with self._begin() as c:
            at = VOUCHERS.c
            voucher = (at.calls, at.before_calls, at.drawn_calls, at.named, at.reported_at, at.units_at)
            its = and_(at.batch_id == ENTRIES.c.batch_id, at["index"] == ENTRIES.c["index"])
            wanted = select(ENTRIES, reported, delivered, audit, *voucher).outerjoin(VOUCHERS, its).where(
                ENTRIES.c.batch_id == batch_id)
            rows = c.execute(wanted.order_by(ENTRIES.c.index))
            return [entry_row(r) for r in rows]

    def burned(self, provider: str, last: int) -> int:
        """Wei of a provider's matured fees that were burned up to and including block `last`."""
        with self._begin() as c:
            rows = c.execute(select(BURNS.c.burned).where(BURNS.c.provider == provider, BURNS.c.block <= last))
            return sum(rows.scalars())

    def convictions(self, providers: Collection[str] | None = None) -> list[Conviction]:
        wanted = select(CONVICTIONS)
        if providers is not None:
            wanted = wanted.where(CONVICTIONS.c.provider.in_(providers))
        with self._begin() as c:
            rows = c.execute(wanted.order_by(CONVICTIONS.c.at, CONVICTIONS.c.batch_id))
            return [Conviction(Address(r.provider), r.batch_id, Wei(r.slashed), r.through, r.at, bytes(r.tx_hash))
                    for r in rows]

    def figures(self) -> dict[str, int]:
        """How many jobs, sessions and batches there are in each state, and the calls of committed vouchers."""
        found: dict[str, int] = {}
        with self._begin() as c:
            for state, count in c.execute(select(JOBS.c.state, func.count()).group_by(JOBS.c.state)):
                found[f"jobs_{JobState(state).name.lower()}"] = count
            for state, count in c.execute(select(BATCHES.c.state, func.count()).group_by(BATCHES.c.state)):
                found[f"batches_{BatchState(state).name.lower()}"] = count
            for state, count in c.execute(select(SESSIONS.c.state, func.count()).group_by(SESSIONS.c.state)):
                found[f"sessions_{SessionState(state).name.lower()}"] = count
            added = func.coalesce(func.sum(VOUCHERS.c.calls - VOUCHERS.c.before_calls), 0)
            found["calls_committed"] = int(c.execute(select(added)).scalar_one())
        return found

    def revoke_offers(self, provider: str, below: int) -> None:
        """Of one provider there are few; the nonces are compared here, because not every database orders them."""
        with self._begin() as c:
            rows = c.execute(select(OFFERS.c.digest, OFFERS.c.nonce).where(OFFERS.c.provider == provider))
            gone = [r.digest for r in rows if r.nonce < below]
            c.execute(update(OFFERS).where(OFFERS.c.digest.in_(gone)).values(revoked=True))
