"""Stand-ins behind the ports for tests: a chain of dictionaries, a sender that only notes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from oracle.edges.fake_court import FakeCall, FakeCourt
from oracle.edges.fake_peers import FakePeers as FakePeers
from oracle.edges.fake_queue import FakeQueue as FakeQueue
from oracle.edges.store import METADATA, SqlProjection, SqlStore
from oracle.records.work import Member, SettlementRow
from protocol.chain.records import (
    BatchRecord,
    BlockRef,
    CourtCase,
    JobRecord,
    KeyPeriod,
    Parameters,
    ProviderRecord,
    ProviderStake,
)
from protocol.encoding import ZERO, keccak
from protocol.errors import ChainRefused
from protocol.types import BatchState, JobState, Outcome, RefundReason, SignedOffer
from protocol.units import Address, Bps, Seconds, Wei

NOBODY = Address("0x" + "00" * 20)
TERMS = Parameters(
    open_fee=Wei(1000), fee_bps=Bps(500), slash_bps=Bps(5000), challenger_bps=Bps(1000), detection_bps=Bps(500),
    audit_bps=Bps(10_000), draw_delay=2, start_window=Seconds(30), cancel_delay=Seconds(60), max_duration=Seconds(900),
    open_window=Seconds(180), last_chance=Seconds(60), maturity_window=Seconds(600), evidence_window=Seconds(60),
    appeal_window=Seconds(15), claim_delay=Seconds(700), max_session=Seconds(3600), slash_epoch=Seconds(300),
    audit_fee=Wei(2), submit_fee=Wei(3), slash_ceiling=Wei(10**26),
)


class FakeClock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def fake_store() -> tuple[SqlStore, SqlProjection]:
    """The real store over SQLite in memory: nothing is left of it, and no socket is opened."""
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    METADATA.create_all(engine)
    return SqlStore(engine), SqlProjection(engine)


@dataclass
class FakeChain(FakeCourt):
    """Block n is mined at second `start` + n."""

    seat_order: tuple[Address, ...]
    seat_members: dict[str, Member]
    start: int
    number: int = 100
    terms: Parameters = TERMS
    older_terms: dict[int, Parameters] = field(default_factory=dict)
    jobs: dict[bytes, JobRecord] = field(default_factory=dict)
    batches: dict[int, BatchRecord] = field(default_factory=dict)
    stakes: dict[str, ProviderStake] = field(default_factory=dict)
    records: dict[str, ProviderRecord] = field(default_factory=dict)
    keys: dict[str, KeyPeriod] = field(default_factory=dict)
    empty_seats: int = 0
    """Seats before those of the members that nobody has taken."""
    carried_offers: dict[bytes, SignedOffer] = field(default_factory=dict)
    settled: dict[bytes, SettlementRow] = field(default_factory=dict)
    fees: int = 0
    court_cases: dict[int, CourtCase] = field(default_factory=dict)
    stored: dict[int, int] = field(default_factory=dict)
    condemned_stake: int = 0

    def head(self) -> BlockRef:
        return self._ref(self.number)

    def block(self, number: int) -> BlockRef | None:
        return self._ref(number) if number <= self.number else None

    def parameters(self) -> Parameters:
        return self.terms

    def parameters_at(self, terms_version: int) -> Parameters:
        return self.older_terms.get(terms_version, self.terms)

    def epoch_blocks(self) -> int:
        return 10

    def unstake_delay(self) -> int:
        return 7 * 86_400

    def set_version(self) -> int:
        return 1

    def members(self, set_version: int) -> tuple[Address, ...]:
        return self.seat_order

    def seats(self, set_version: int) -> tuple[Address, ...]:
        return (NOBODY,) * self.empty_seats + self.seat_order

    def member(self, address: str) -> Member:
        return self.seat_members[address]

    def job(self, job_id: bytes) -> JobRecord:
        return self.jobs.get(job_id, JobRecord(JobState.NONE, RefundReason.NONE, 0, 0, 0, 0, 0))

    def batch(self, batch_id: int) -> BatchRecord:
        return self.batches.get(batch_id, BatchRecord(ZERO, BatchState.NONE, Outcome.NONE))

    def provider(self, address: str) -> ProviderStake:
        return self.stakes.get(address, ProviderStake(Wei(0), Wei(0), NOBODY, bytes(32), ZERO))

    def provider_record(self, address: str) -> ProviderRecord:
        return self.records.get(address, ProviderRecord(Wei(0), 0, 0, 0, 0))

    def key_period(self, node_key: str) -> KeyPeriod | None:
        return self.keys.get(node_key)

    def is_offer_revoked(self, provider: str, nonce: int) -> bool:
        return nonce < self.provider_record(provider).offers_from

    def fees_to_burn(self) -> int:
        return self.fees

    def condemned(self) -> int:
        return self.condemned_stake

    def settlement_in(self, tx_hash: bytes) -> SettlementRow:
        return self.settled.get(tx_hash, SettlementRow(tx_hash, 21_000))

    def offer_in(self, tx_hash: bytes) -> SignedOffer | None:
        return self.carried_offers.get(tx_hash)

    def settle(self, *arguments: Any) -> FakeCall:
        return FakeCall("settle", arguments)

    def refund_job(self, *arguments: Any) -> FakeCall:
        return FakeCall("refund_job", arguments)

    def forfeit(self, *arguments: Any) -> FakeCall:
        return FakeCall("forfeit", arguments)

    def mature_by_default(self, *arguments: Any) -> FakeCall:
        return FakeCall("mature_by_default", arguments)

    def burn_fees(self) -> FakeCall:
        return FakeCall("burn_fees")

    def burn_condemned(self) -> FakeCall:
        return FakeCall("burn_condemned")

    def simulate(self, call: FakeCall, sender: str) -> None:
        return None

    def _ref(self, number: int) -> BlockRef:
        return BlockRef(number, keccak(number.to_bytes(8, "big")), self.start + number, b"")


@dataclass(frozen=True)
class FakeOutcome:
    status: str


@dataclass
class FakeSender:
    """Notes what was submitted, once a key; calls named in `refuses` are refused."""

    calls: dict[str, FakeCall] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)
    refuses: set[str] = field(default_factory=set)

    def submit(self, key: str, call: FakeCall) -> None:
        if call.what in self.refuses:
            raise ChainRefused("TooEarly", {}, "The contract says no.")
        self.calls.setdefault(key, call)

    def pump(self) -> int:
        return 0

    def outcome(self, key: str) -> FakeOutcome | None:
        return FakeOutcome(self.outcomes.get(key, "PENDING")) if key in self.calls else None
