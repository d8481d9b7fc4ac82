"""The store of sessions in memory, for tests: the same rules as PostgreSQL's, one process only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from protocol.calls import CallLine, Totals, add_call, begin
from protocol.encoding import keccak
from protocol.envelope import CallRequest, SignedTotals
from protocol.messages import Domain
from protocol.transcript import spec_bytes, spec_digest
from protocol.types import Offer, Session, SessionState
from protocol.units import Digest, Wei
from protocol.vouchers import (
    GRANT,
    STALE,
    STATUS,
    Standing,
    VoucherRefused,
    adds_nothing,
    grant,
    held_for,
    is_claimable,
    is_known,
    open_call,
    take_voucher,
)
from provider.edges.fakes import DOMAIN
from provider.records.sessions import (
    LEASE_SECONDS,
    CallRefused,
    CallRow,
    CallStage,
    CallWork,
    EndedCall,
    OpenCall,
    SessionFacts,
    SessionTotals,
    call_id,
    unknown_session,
)
from provider.records.work import Lease

IN_FLIGHT = (CallStage.WAITING, CallStage.RUNNING)


@dataclass
class FakeSession:
    """One session: `ends` has the totals after each call, `voucher` the last one taken."""

    facts: SessionFacts
    standing: Standing
    ends: list[Totals] = field(default_factory=list)
    lines: list[CallLine] = field(default_factory=list)
    voucher: SignedTotals | None = None
    touched_at: float = 0.0


@dataclass
class FakeSessions:
    """`provider.ports.sessions.Sessions`."""

    domain: Domain = DOMAIN
    rows: dict[bytes, FakeSession] = field(default_factory=dict)
    calls: dict[bytes, CallRow] = field(default_factory=dict)
    leases: dict[bytes, Lease] = field(default_factory=dict)
    ended: dict[tuple[bytes, int], EndedCall] = field(default_factory=dict)
    works: dict[bytes, CallWork] = field(default_factory=dict)

    def open(self, session_id: Digest, session: Session, offer: Offer, cap: int, ends_at: int,
             key_ends_at: int = 0) -> None:
        """What the follower writes when an opening is final."""
        standing = Standing(session, SessionState.OPEN, Wei(cap), ends_at, key_ends_at, begin(session_id),
                            begin(session_id), Wei(0))
        self.rows[session_id] = FakeSession(SessionFacts(session_id, session, offer), standing, [begin(session_id)])

    def facts(self, session_id: bytes) -> SessionFacts | None:
        return self.rows[session_id].facts if session_id in self.rows else None

    def admit(self, request: CallRequest, kind: str, input_tokens: int, now: float) -> CallRow:
        spec, voucher = request.spec, request.voucher
        row = self._row(voucher.session_id)
        identity = call_id(voucher.session_id, spec.nonce)
        try:
            if adds_nothing(voucher, row.standing):
                raise VoucherRefused(STALE, "This voucher was taken before: a call needs one that goes on from it.")
            taken = self._take(row, voucher, now, spec_digest(spec))
            standing = open_call(taken, input_tokens, spec.max_output_tokens, row.facts.offer)
        except VoucherRefused as error:
            raise self._refused(row, error) from error
        if identity in self.calls:
            raise CallRefused(409, "replay", f"The nonce {spec.nonce} was used for a call of this session.")
        row.standing, row.voucher, row.touched_at = standing, voucher, now
        self.calls[identity] = CallRow(
            identity, voucher.session_id, spec.nonce, kind, CallStage.WAITING, spec_bytes(spec), request.prompt,
            request.key, input_tokens, spec.max_output_tokens, min(GRANT, spec.max_output_tokens), 0, False, now)
        self.leases[identity] = Lease("", now + LEASE_SECONDS)
        return self.calls[identity]

    def accept_voucher(self, voucher: SignedTotals, now: float) -> SessionTotals:
        row = self._row(voucher.session_id)
        if not is_known(voucher, row.standing):
            try:
                row.standing = self._take(row, voucher, now)
            except VoucherRefused as error:
                raise self._refused(row, error) from error
            row.voucher, row.touched_at = voucher, now
        return self._shown(row)

    def calls_in_flight(self) -> int:
        return sum(call.stage in IN_FLIGHT for call in self.calls.values())

    def call(self, call_id: bytes) -> CallRow | None:
        return self.calls.get(call_id)

    def claim_call(self, call_id: bytes, lease: Lease, now: float) -> CallRow | None:
        call = self.calls.get(call_id)
        if call is None or call.stage is not CallStage.WAITING:
            return None
        self.calls[call_id] = replace(call, stage=CallStage.RUNNING)
        self.leases[call_id] = lease
        return self.calls[call_id]

    def allowed(self, call_id: bytes, holder: str, produced: int, now: float) -> int:
        call = self._running(call_id, holder)
        if call is None or call.cancel_asked:
            return -1
        row = self.rows[call.session_id]
        if not is_claimable(row.standing, now):
            return -1
        offer = row.facts.offer
        granted = grant(row.standing, call.granted, produced, call.max_output_tokens, offer)
        more = held_for(call.input_tokens, granted, offer) - held_for(call.input_tokens, call.granted, offer)
        row.standing = replace(row.standing, held=Wei(row.standing.held + more))
        self.calls[call_id] = replace(call, granted=granted, produced=produced)
        self.leases[call_id] = Lease(holder, now + LEASE_SECONDS)
        return granted

    def finish_call(self, call_id: bytes, holder: str, work: CallWork, now: float) -> EndedCall | None:
        call = self._running(call_id, holder)
        if call is None:
            return None
        if work.output_tokens > call.granted or work.input_tokens > call.input_tokens:
            raise ValueError(f"{work.output_tokens} tokens are more than the {call.granted} that were granted.")
        row = self.rows[call.session_id]
        line = CallLine(work.leaf, work.input_tokens, work.output_tokens)
        totals = add_call(row.standing.owed, line, row.facts.offer)
        self._release(row, call)
        row.standing, row.touched_at = replace(row.standing, owed=totals), now
        row.ends.append(totals)
        row.lines.append(line)
        self.calls[call_id] = replace(call, stage=CallStage.ENDED, number=totals.calls)
        self.works[call_id] = work
        ended = EndedCall(Digest(call_id), call.session_id, totals.calls, call.key, call.kind, line, work.salt,
                          work.fingerprint_root, work.finish, work.duration, work.time_to_first_token, totals,
                          work.vector, work.transcript)
        return self.ended.setdefault((call.session_id, totals.calls), ended)

    def fail_call(self, call_id: bytes, reason: str) -> bool:
        call = self.calls.get(call_id)
        if call is None or call.stage not in IN_FLIGHT:
            return False
        self._release(self.rows[call.session_id], call)
        self.calls[call_id] = replace(call, stage=CallStage.FAILED, reason=reason, prompt=b"", key=b"")
        return True

    def cancel_call(self, call_id: bytes) -> bool:
        call = self.calls.get(call_id)
        if call is not None and call.stage in IN_FLIGHT:
            self.calls[call_id] = replace(call, cancel_asked=True)
        return call is not None and call.stage in IN_FLIGHT

    def fail_lost(self, now: float, holders: Sequence[str] = ()) -> int:
        lost = [at for at, call in self.calls.items() if call.stage in IN_FLIGHT
                and (self.leases[at].until < now or self.leases[at].holder in holders)]
        return sum(self.fail_call(at, "lost: its process ended or left it alone") for at in lost)

    def call_holders(self) -> list[str]:
        return sorted({self.leases[at].holder for at, call in self.calls.items() if call.stage is CallStage.RUNNING})

    def session_totals(self, session_id: bytes) -> SessionTotals | None:
        return self._shown(self.rows[session_id]) if session_id in self.rows else None

    def ended_call(self, session_id: bytes, number: int) -> EndedCall | None:
        return self.ended.get((session_id, number))

    def call_speed(self) -> float | None:
        works = list(self.works.values())[-16:]
        seconds = sum(work.duration for work in works)
        return sum(work.output_tokens for work in works) / seconds if seconds else None

    def _row(self, session_id: bytes) -> FakeSession:
        if (row := self.rows.get(session_id)) is None:
            raise unknown_session(session_id)
        return row

    def _take(self, row: FakeSession, voucher: SignedTotals, now: float, *new: Digest) -> Standing:
        reached = row.ends[voucher.calls] if 0 <= voucher.calls < len(row.ends) else None
        mine = (call for call in self.calls.values() if call.session_id == voucher.session_id)
        beyond = [keccak(call.spec) for call in mine if call.stage in IN_FLIGHT or (call.number or 0) > voucher.calls]
        return take_voucher(row.standing, voucher, reached, [*new, *beyond], self.domain, now)

    def _running(self, call_id: bytes, holder: str) -> CallRow | None:
        call = self.calls.get(call_id)
        return call if call and (call.stage, self.leases[call_id].holder) == (CallStage.RUNNING, holder) else None

    def _release(self, row: FakeSession, call: CallRow) -> None:
        held = held_for(call.input_tokens, call.granted, row.facts.offer)
        row.standing = replace(row.standing, held=Wei(row.standing.held - held))

    def _shown(self, row: FakeSession) -> SessionTotals:
        at, open_calls = row.standing, tuple(
            OpenCall(call.nonce, call.produced, call.granted) for call in self.calls.values()
            if call.session_id == row.facts.session_id and call.stage in IN_FLIGHT)
        return SessionTotals(row.facts.session_id, at.state, at.cap, at.ends_at, at.owed, at.accepted, at.held,
                             open_calls)

    def _refused(self, row: FakeSession, error: VoucherRefused) -> CallRefused:
        return CallRefused(STATUS[error.word], error.word, error.message, error.fix, self._shown(row))
