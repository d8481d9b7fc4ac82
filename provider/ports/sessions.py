"""What a provider's flows ask of the store of sessions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from protocol.calls import CallLine
from protocol.envelope import CallRequest, SignedTotals
from provider.records.claims import Claimable, OverSession, VoucherClaim
from provider.records.sessions import (
    CallRow,
    CallUnit,
    CallWork,
    EndedCall,
    SessionFacts,
    SessionTotals,
)
from provider.records.work import Lease, Left


class Sessions(Protocol):
    """Sessions and their calls. Each method is one transaction that holds the session's row; times are unix seconds."""

    def facts(self, session_id: bytes) -> SessionFacts | None:
        """None for a session that no final block has opened for us, or whose offer we do not know."""
        ...

    def admit(self, request: CallRequest, kind: str, input_tokens: int, now: float) -> CallRow:
        """Keep the voucher and the call, WAITING, or raise CallRefused. `input_tokens` is the node's own count. The
        voucher must be new (more calls or more wei) and cover one quantum of the call; its first tokens are granted."""
        ...

    def accept_voucher(self, voucher: SignedTotals, now: float) -> SessionTotals:
        """Keep a voucher that renews or closes. The same one again changes nothing. Raises CallRefused."""
        ...

    def calls_in_flight(self) -> int:
        """Waiting and running calls of all sessions: what decides about 429, before a voucher is taken."""
        ...

    def call(self, call_id: bytes) -> CallRow | None: ...

    def claim_call(self, call_id: bytes, lease: Lease, now: float) -> CallRow | None:
        """Take a waiting call for running; None if it is not waiting any more."""
        ...

    def allowed(self, call_id: bytes, holder: str, produced: int, now: float) -> int:
        """How many output tokens the call may have in all. Grants up to GRANT more than `produced` as far as the
        vouchers cover, and renews the lease; ask again before that many are made. When it is no more than `produced`,
        coverage is used up: wait for a voucher. -1: end now (cancelled, taken away, or the session is over)."""
        ...

    def finish_call(self, call_id: bytes, holder: str, work: CallWork, now: float) -> EndedCall | None:
        """Append the call to its session: it gets the next number and is owed. None if it is not ours any more."""
        ...

    def fail_call(self, call_id: bytes, reason: str) -> bool:
        """End a call without output: nothing is owed, and what was said in it is forgotten at once."""
        ...

    def cancel_call(self, call_id: bytes) -> bool:
        """Ask a call in flight to end; whether there was one."""
        ...

    def fail_lost(self, now: float, holders: Sequence[str] = ()) -> int:
        """Fail the calls in flight whose lease is over or whose holder is known to be gone. Returns how many."""
        ...

    def call_holders(self) -> list[str]: ...

    def session_totals(self, session_id: bytes) -> SessionTotals | None: ...

    def ended_call(self, session_id: bytes, number: int) -> EndedCall | None:
        """None also for one that is forgotten."""
        ...

    def call_speed(self) -> float | None:
        """Output tokens a second that one stream got, over the last sixteen ended calls; None before the first."""
        ...


class Claims(Protocol):
    """Vouchers on their way to the chain, and what is told of them afterwards. Their calls include linked ones."""

    def claimable(self) -> list[Claimable]:
        """The last voucher of every session of which more is owed than is committed, unless one of it is on its way or
        calls beyond a voucher were linked."""
        ...

    def committing_vouchers(self) -> dict[str, list[VoucherClaim]]:
        """By the key of their batch, in the order in which they were put into it."""
        ...

    def drop_claims(self, key: str, reason: str) -> None:
        """The chain did not take the batch of this key: its vouchers are claimable again, and go on."""
        ...

    def unreported(self, limit: int = 32) -> list[VoucherClaim]:
        """Committed for good, and no report of it queued yet."""
        ...

    def mark_reported(self, claim_id: int) -> None: ...

    def lines(self, session_id: bytes, first: int, last: int) -> list[CallLine]:
        """The ended calls of these numbers, both included."""
        ...

    def unit_of(self, batch_id: int, index: int, call: int) -> CallUnit | None:
        """The call, counted from 0 among those that the voucher at this entry added."""
        ...

    def call_counts(self, batch_id: int) -> dict[int, int]:
        """How many calls each voucher entry of a batch of ours added, by the entry's index."""
        ...

    def claims_of(self, batch_id: int) -> list[VoucherClaim]:
        """Those claims themselves."""
        ...

    def over_sessions(self, now: float) -> list[OverSession]:
        """Sessions whose time is over, or that links have ended, and of which nothing can be claimed any more; none
        that was asked to close."""
        ...

    def mark_close_sent(self, session_id: bytes) -> None: ...


class Leavers(Protocol):
    """Requesters whose calls were left before their first token (`provider.leaving`), by address in lower case."""

    def note_left(self, requester: str, now: float) -> None: ...
    def note_ended(self, requester: str, now: float) -> None: ...
    def left(self, more_than: int) -> dict[str, Left]:
        """Those with more of them than this; time is not taken off."""
        ...


class Said(Protocol):
    """Prompts, answers and keys of calls and jobs."""

    def forget(self, decided: int) -> int:
        """Delete, in one transaction, what was said in failed calls, in calls and jobs whose batch is over and was
        committed at `decided` (unix seconds) or before, in calls that no voucher can claim any more, and in jobs that
        were paid back or left. Lines, leaves and figures stay. Returns of how many calls and jobs; the next round goes
        on."""
        ...
