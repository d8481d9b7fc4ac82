"""Vouchers on their way to the chain, in memory, for tests."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from protocol.calls import CallLine
from protocol.encoding import keccak
from protocol.types import SessionState
from protocol.units import Wei
from provider.edges.fake_sessions import FakeSession, FakeSessions
from provider.records.claims import Claimable, Claimed, ClaimStage, LinkedCall, OverSession, VoucherClaim
from provider.records.sessions import CallStage, CallUnit

ALIVE = (SessionState.OPEN, SessionState.CLOSING)


@dataclass
class FakeClaims:
    """`provider.ports.sessions.Claims` over sessions in memory."""

    sessions: FakeSessions = field(default_factory=FakeSessions)
    rows: list[VoucherClaim] = field(default_factory=list)
    committed: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    """Wei and calls of the last voucher on-chain, by session."""
    reported: set[int] = field(default_factory=set)
    close_sent: set[bytes] = field(default_factory=set)

    def claimable(self) -> list[Claimable]:
        found = []
        for identity, row in self.sessions.rows.items():
            amount, calls = self.committed.get(identity, (0, 0))
            mine = [claim for claim in self.rows if claim.voucher.session_id == identity]
            on_its_way = self._on_its_way(identity)
            at = row.standing
            if row.voucher is None or at.state not in ALIVE or at.owed.amount <= amount or on_its_way or at.is_linked:
                continue
            closing = at.ends_at if at.state is SessionState.CLOSING else None
            found.append(Claimable(row.voucher, at.session, calls + 1, at.ends_at, closing, Wei(amount),
                                   self._running(identity), row.touched_at, row.ends[row.voucher.calls].amount,
                                   at.owed.amount, self._beyond(identity, row, row.voucher.calls),
                                   sum(claim.stage is ClaimStage.DROPPED for claim in mine), at.key_ends_at))
        return found

    def begin(self, one: Claimable, key: str) -> bool:
        """What the journal does when it names a commitment."""
        claimed = one.claimed or Claimed(one.voucher.amount)
        offer = self.sessions.rows[one.voucher.session_id].facts.offer
        self.rows.append(VoucherClaim(len(self.rows) + 1, one.voucher, one.session, offer, one.first, claimed,
                                      ClaimStage.COMMITTING, key))
        self._link(one.voucher.session_id, bool(claimed.linked))
        return True

    def commit_on_chain(self, key: str, batch_id: int, first_index: int = 0) -> None:
        """What the follower writes when the batch of a key is final; its vouchers begin at an index."""
        place = first_index
        for at, claim in enumerate(self.rows):
            if claim.commit_key == key and claim.stage is ClaimStage.COMMITTING:
                self.rows[at] = replace(claim, stage=ClaimStage.COMMITTED, batch_id=batch_id, index=place)
                self.committed[claim.voucher.session_id] = claim.claimed.amount, claim.last
                place += 1

    def committing_vouchers(self) -> dict[str, list[VoucherClaim]]:
        by_key: dict[str, list[VoucherClaim]] = {}
        for claim in self.rows:
            if claim.stage is ClaimStage.COMMITTING:
                by_key.setdefault(claim.commit_key, []).append(claim)
        return by_key

    def drop_claims(self, key: str, reason: str) -> None:
        for claim in self.rows:
            if (claim.commit_key, claim.stage) == (key, ClaimStage.COMMITTING):
                self._link(claim.voucher.session_id, False)
        self.rows = [replace(claim, stage=ClaimStage.DROPPED)
                     if (claim.commit_key, claim.stage) == (key, ClaimStage.COMMITTING) else claim
                     for claim in self.rows]

    def unreported(self, limit: int = 32) -> list[VoucherClaim]:
        return [claim for claim in self.rows
                if claim.stage is ClaimStage.COMMITTED and claim.claim_id not in self.reported][:limit]

    def mark_reported(self, claim_id: int) -> None:
        self.reported.add(claim_id)

    def lines(self, session_id: bytes, first: int, last: int) -> list[CallLine]:
        return self.sessions.rows[session_id].lines[first - 1 : last]

    def unit_of(self, batch_id: int, index: int, call: int) -> CallUnit | None:
        claim = self._claim(batch_id, index)
        if claim is None or claim.first + call > claim.last:
            return None
        ended = self.sessions.ended.get((claim.voucher.session_id, claim.first + call))
        if ended is None:
            return None
        work = self.sessions.works[ended.call_id]
        return CallUnit(self.sessions.calls[ended.call_id].spec, work.transcript, work.fingerprints,
                        work.output_tokens)

    def call_counts(self, batch_id: int) -> dict[int, int]:
        return {claim.index: claim.last - claim.first + 1 for claim in self.rows
                if claim.batch_id == batch_id and claim.index is not None}

    def claims_of(self, batch_id: int) -> list[VoucherClaim]:
        return [claim for claim in self.rows if claim.batch_id == batch_id]

    def over_sessions(self, now: float) -> list[OverSession]:
        return [OverSession(row.facts.session_id, row.facts.session) for identity, row in self.sessions.rows.items()
                if row.standing.state is SessionState.OPEN and not self._running(identity)
                and identity not in self.close_sent and not self._on_its_way(identity)
                and (row.standing.is_linked or (row.standing.ends_at <= now and
                     row.standing.owed.amount <= self.committed.get(identity, (0, 0))[0]))]

    def mark_close_sent(self, session_id: bytes) -> None:
        self.close_sent.add(session_id)

    def _on_its_way(self, session_id: bytes) -> bool:
        return any((claim.voucher.session_id, claim.stage) == (session_id, ClaimStage.COMMITTING)
                   for claim in self.rows)

    def _link(self, session_id: bytes, is_linked: bool) -> None:
        row = self.sessions.rows[session_id]
        row.standing = replace(row.standing, is_linked=is_linked)

    def _beyond(self, session_id: bytes, row: FakeSession, calls: int) -> tuple[LinkedCall, ...]:
        ended = [self.sessions.ended[session_id, number] for number in range(calls + 1, len(row.ends))]
        return tuple(LinkedCall(keccak(self.sessions.calls[one.call_id].spec), one.line) for one in ended)

    def _running(self, session_id: bytes) -> int:
        return sum(call.session_id == session_id and call.stage in (CallStage.WAITING, CallStage.RUNNING)
                   for call in self.sessions.calls.values())

    def _claim(self, batch_id: int, index: int) -> VoucherClaim | None:
        return next((claim for claim in self.rows if (claim.batch_id, claim.index) == (batch_id, index)), None)
