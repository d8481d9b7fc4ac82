"""The store of sessions in PostgreSQL."""

from __future__ import annotations

from protocol.envelope import CallRequest, SignedTotals
from protocol.transcript import spec_bytes, spec_digest
from protocol.units import Digest
from protocol.vouchers import (
    GRANT,
    STALE,
    Standing,
    VoucherRefused,
    adds_nothing,
    is_known,
    open_call,
    take_voucher,
)
from provider.edges.call_rows import CallRows
from provider.edges.session_lock import WRITE_AND_ADMIT, Held
from provider.edges.session_reads import (
    SELECT_STANDING,
    read_open_calls,
    read_standing,
    specs_beyond,
    totals_after,
    totals_shown,
)
from provider.records.sessions import (
    LEASE_SECONDS,
    MAX_UNCLAIMED,
    CallRefused,
    CallRow,
    CallStage,
    SessionTotals,
    call_id,
)


class SqlSessions(CallRows):
    """`provider.ports.sessions.Sessions`. Safe to share between threads and processes."""

    def admit(self, request: CallRequest, kind: str, input_tokens: int, now: float) -> CallRow:
        spec, voucher = request.spec, request.voucher
        identity, digest = call_id(voucher.session_id, spec.nonce), spec_digest(spec)
        with self._session(voucher.session_id) as held:
            if adds_nothing(voucher, held.standing):
                raise VoucherRefused(STALE, "This voucher was taken before: a call needs one that goes on from it.",
                                     "Sign totals that cover this call, too.")
            taken = self._take(held, voucher, now, digest)
            standing = open_call(taken, input_tokens, spec.max_output_tokens, held.offer)
            if held.row.owed_calls - held.row.committed_calls >= MAX_UNCLAIMED:
                raise CallRefused(429, "busy", "Too many calls of this session wait for their commitment.",
                                  "Try again in a few seconds.", retry_after=5)
            call = CallRow(identity, voucher.session_id, spec.nonce, kind, CallStage.WAITING, spec_bytes(spec),
                           request.prompt, request.key, input_tokens, spec.max_output_tokens,
                           min(GRANT, spec.max_output_tokens), 0, False, now)
            # The session's row and the call's in one statement: somebody waits for it.
            row = {**vars(call), "spec_digest": digest, "lease_until": now + LEASE_SECONDS}
            kept = held.connection.scalar(WRITE_AND_ADMIT, row | held.values(standing, 1, now, voucher.signature))
            if kept is None:
                raise CallRefused(409, "replay", f"The nonce {spec.nonce} was used for a call of this session.",
                                  "Use a fresh random nonce for each call.")
        return call

    def accept_voucher(self, voucher: SignedTotals, now: float) -> SessionTotals:
        with self._session(voucher.session_id) as held:
            if is_known(voucher, held.standing):
                return totals_shown(held.session_id, held.standing)
            standing = self._take(held, voucher, now)
            held.write(standing, now=now, voucher=voucher.signature)
            return totals_shown(held.session_id, standing)

    def session_totals(self, session_id: bytes) -> SessionTotals | None:
        facts = self.facts(session_id)
        if facts is None:
            return None
        with self._engine.connect() as connection:
            row = connection.execute(SELECT_STANDING, {"wanted": session_id}).one()
            standing = read_standing(row, facts.session)
            return totals_shown(session_id, standing, read_open_calls(connection, session_id))

    def _take(self, held: Held, voucher: SignedTotals, now: float, *new: Digest) -> Standing:
        """`new` is the spec of the call that comes with the voucher."""
        reached = totals_after(held.standing, held.session_id, held.connection, voucher.calls)
        beyond = list(new)
        if held.row.running or voucher.calls < held.row.owed_calls:
            beyond += specs_beyond(held.connection, held.session_id, voucher.calls)
        return take_voucher(held.standing, voucher, reached, beyond, self._domain, now)
