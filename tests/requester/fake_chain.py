"""A chain with one escrow in memory, and the wallet that sends to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from protocol import sealing
from protocol.encoding import keccak
from protocol.errors import ChainRefused
from protocol.messages import (
    Domain,
)
from protocol.types import (
    BatchHead,
    Entry,
    JobState,
    Outcome,
    RefundReason,
)
from protocol.units import TOKEN, Address, Digest, Wei
from requester.ports.jobs import (
    Balances,
    Committed,
    Ended,
    JobFacts,
    JobView,
    Mined,
    Seat,
    Standing,
    Terms,
)
from requester.records.jobs import JobFile
from tests.requester.fakes import START, FakeOracle, signer

TERMS = Terms(Wei(TOKEN // 1000), 5_000, 1_000, 500, 900, 600, 60)


@dataclass
class FakeChain:
    domain: Domain
    time: int = START
    escrow: int = 0
    tokens: int = 100 * TOKEN
    gas: int = 10**18
    oracles: tuple[FakeOracle, ...] = ()
    standings: dict[Address, Standing] = field(default_factory=dict)
    revoked: set[int] = field(default_factory=set)
    views: dict[Digest, JobView] = field(default_factory=dict)
    committed: dict[Digest, Committed] = field(default_factory=dict)
    ended: dict[Digest, Ended] = field(default_factory=dict)
    convicted: set[Address] = field(default_factory=set)
    frozen: dict[Digest, int] = field(default_factory=dict)
    reopened: dict[Digest, int] = field(default_factory=dict)
    older_terms: dict[int, Terms] = field(default_factory=dict)
    heads: list[BatchHead] = field(default_factory=list)
    """With which exits were called."""
    refuse: ChainRefused | None = None
    calls: list[str] = field(default_factory=list)

    def now(self) -> int:
        return self.time

    def terms(self, version: int | None = None) -> Terms:
        return self.older_terms.get(version or 0, TERMS)

    def seats(self) -> tuple[Seat, ...]:
        return tuple(Seat(o.address, o.url) for o in self.oracles)

    def members(self, set_version: int) -> tuple[Address, ...]:
        return tuple(o.address for o in self.oracles)

    def standing(self, provider: Address) -> Standing:
        return self.standings.get(provider, Standing(None, b"", Wei(0), Wei(0), False))

    def is_offer_revoked(self, provider: Address, nonce: int) -> bool:
        return nonce in self.revoked

    def balances(self, account: Address) -> Balances:
        return Balances(Wei(self.escrow), Wei(self.tokens), self.gas)

    def view_job(self, job_id: Digest) -> JobView:
        return self.views.get(job_id, JobView(JobState.NONE, 0, 0))

    def facts(self, job_id: Digest, provider: Address, opened_at: int, since_block: int) -> JobFacts:
        return JobFacts(self.time, False, self.committed.get(job_id), self.ended.get(job_id),
                        provider in self.convicted, self.frozen.get(job_id, 0), 0, self.reopened.get(job_id, 0))

    def has_settlement(self, tx_hash: Digest, job_id: Digest) -> bool:
        return job_id in self.ended and self.ended[job_id].tx_hash == tx_hash

    def open_call(self, file: JobFile) -> Any:
        return ("open", file)

    def deposit_call(self, amount: Wei) -> Any:
        return ("deposit", amount)

    def withdraw_call(self, amount: Wei) -> Any:
        return ("withdraw", amount)

    def cancel_call(self, job: Any) -> Any:
        return ("cancel", job)

    def refund_call(self, job: Any) -> Any:
        return ("refund", job)

    def mature_call(self, batch_id: int, head: BatchHead, entries: Sequence[Entry]) -> Any:
        self.heads.append(head)
        return ("mature", entries)

    def forfeit_call(self, batch_id: int, head: BatchHead, entries: Sequence[Entry]) -> Any:
        self.heads.append(head)
        return ("forfeit", entries)

    def carry_out(self, call: Any) -> None:
        kind, value = call
        self.calls.append(kind)
        if kind == "open":
            if self.refuse is not None:
                raise self.refuse
            if value.job_id in self.views:
                raise ChainRefused("JobExists", {}, "The job exists.")
            self.escrow -= value.job.price + value.open_fee
            assert self.escrow >= 0
            self.views[value.job_id] = JobView(JobState.OPEN, self.time, self.time + value.duration)
        elif kind == "deposit":
            self.escrow, self.tokens = self.escrow + value, self.tokens - value
        elif kind in ("forfeit", "mature"):
            reason = RefundReason.FRAUD if kind == "forfeit" else RefundReason.NOT_DELIVERED
            outcome = Outcome.FRAUD if kind == "forfeit" else Outcome.DEFAULT
            for entry in value:
                self.end(entry.job_id, reason, 0, entry.price, outcome)
        elif kind == "refund":
            found = next(i for i, c in self.views.items() if c.state is JobState.OPEN and i not in self.ended)
            self.end(found, RefundReason.EXPIRED, 0, value.price)

    def end(self, job_id: Digest, reason: RefundReason, paid: int, refunded: int,
            outcome: Outcome = Outcome.NONE) -> None:
        tx_hash = keccak(b"settlement")
        self.ended[job_id] = Ended(self.time, tx_hash, 77_000, outcome, reason, Wei(paid), Wei(refunded))


class FakeWallet:
    """`crash_before` / `crash_after` stop at an opening like a killed process; `loses` swallows it without a trace."""

    def __init__(self, chain: FakeChain, key: int = 7) -> None:
        self.chain, self.signer, self._key = chain, signer(key), key.to_bytes(32, "big")
        self.address = self.signer.address
        self.crash_before = self.crash_after = False
        self.pool: dict[bytes, Any] = {}

    def reply_secret(self, nonce: int) -> bytes:
        return sealing.derive_secret(self._key, f"malla/reply/v1/{nonce}")

    def send(self, call: Any, before_send: Callable[[Digest, bytes], None] | None = None) -> Digest:
        raw = f"{call[0]}-{len(self.pool)}".encode()
        self.pool[raw] = call
        if before_send is not None:
            before_send(keccak(raw), raw)
        if self.crash_before and call[0] == "open":
            raise Killed
        self.chain.carry_out(call)
        if self.crash_after and call[0] == "open":
            raise Killed
        return keccak(raw)

    def resend(self, raw: bytes) -> bool:
        call = self.pool[raw]
        if self.chain.view_job(call[1].job_id).state is JobState.NONE:
            self.chain.carry_out(call)
        return True

    def wait(self, tx_hash: Digest) -> Mined:
        return Mined(tx_hash, 10, 100_000)


class Killed(BaseException):
    """The process ends here."""
