"""The rest of the market in memory, for tests: chain, transactions, oracles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from protocol.encoding import keccak
from protocol.errors import ChainRefused, MallaError
from protocol.listing import SignedListing
from protocol.messages import Domain, storage_receipt_digest
from protocol.sealing import derive_secret, public_key
from protocol.signing import Signer
from protocol.types import (
    BatchState,
    Commitment,
    InFlightClaim,
    Job,
    JobState,
    Session,
    SignedOffer,
    SignedReport,
    Voucher,
)
from protocol.units import Address
from provider.edges.fakes import DOMAIN, FakeClock
from provider.records.work import Head, JournalBatch, Oracle, Terms, Tx, Wanted


@dataclass
class FakeChain:
    """`provider.ports.work.Chain`; a test sets what it answers. Jobs are OPEN unless it says otherwise."""

    clock: FakeClock
    members: tuple[Oracle, ...] = ()
    number: int = 1_000
    the_terms: Terms = Terms(30, 180, 600, 60, 10_000, 2, 500)
    older_terms: dict[int, Terms] = field(default_factory=dict)
    states: dict[bytes, JobState] = field(default_factory=dict)
    job_versions: dict[bytes, int] = field(default_factory=dict)
    batch_states: dict[int, BatchState] = field(default_factory=dict)
    bitmaps: dict[int, int] = field(default_factory=dict)
    domain: Domain = DOMAIN

    def head(self) -> Head:
        return Head(self.number, int(self.clock()), keccak(b"head"))

    def terms(self, version: int | None = None) -> Terms:
        return self.older_terms.get(version or 0, self.the_terms)

    def job_terms(self, job_id: bytes) -> int:
        return self.job_versions.get(job_id, 1)

    def session_terms(self, session_id: bytes) -> int:
        return self.job_versions.get(session_id, 1)

    def job_state(self, job_id: bytes) -> JobState:
        return self.states.get(job_id, JobState.OPEN)

    def oracles(self, set_version: int | None = None) -> tuple[Oracle, ...]:
        return self.members

    def block(self, number: int) -> Head | None:
        if number > self.number:
            return None
        return Head(number, int(self.clock()) - (self.number - number), keccak(number.to_bytes(8, "big")))

    def epoch_blocks(self) -> int:
        return 10

    def unstake_delay(self) -> int:
        return 3_000

    def stored_bitmap(self, batch_id: int) -> int:
        return self.bitmaps.get(batch_id, 0)

    def batch_state(self, batch_id: int) -> BatchState:
        return self.batch_states.get(batch_id, BatchState.PENDING)


@dataclass
class FakeSender:
    """`provider.ports.work.Sender`: remembers what was sent under which key; `bad` jobs make their batch be refused."""

    sent: dict[str, tuple[str, object]] = field(default_factory=dict)
    outcomes: dict[str, Tx] = field(default_factory=dict)
    bad: set[bytes] = field(default_factory=set)
    """Spec digests of jobs, and heads of vouchers, that the chain refuses."""
    vouchers: dict[str, tuple[Voucher, ...]] = field(default_factory=dict)
    claims: dict[str, tuple[InFlightClaim, ...]] = field(default_factory=dict)
    refuses: bool = False
    """Everything is refused at the moment of sending."""
    pumped: int = 0

    def decline(self, key: str, job: Job) -> None:
        self._send(key, "decline", job)

    def commit(self, key: str, commitments: Sequence[Commitment], vouchers: Sequence[Voucher] = (),
               claims: Sequence[InFlightClaim] = ()) -> None:
        self._send(key, "commit", tuple(commitments))
        self.vouchers[key], self.claims[key] = tuple(vouchers), tuple(claims)

    def close_session(self, key: str, session: Session) -> None:
        self._send(key, "close_session", session)

    def record_stored(self, key: str, batch: JournalBatch, indexes: Sequence[int],
                      signatures: Sequence[Sequence[bytes]]) -> None:
        self._send(key, "record_stored", (batch.batch_id, tuple(indexes), tuple(map(tuple, signatures))))

    def mature_by_default(self, key: str, batch: JournalBatch) -> None:
        self._send(key, "mature_by_default", batch.batch_id)

    def post_openings(self, key: str, batch: JournalBatch, openings: Sequence[bytes]) -> None:
        self._send(key, "post_openings", (batch.batch_id, tuple(openings)))

    def refuse_commit(self, commitments: Sequence[Commitment], vouchers: Sequence[Voucher] = (),
                      claims: Sequence[InFlightClaim] = ()) -> str | None:
        if any(one.job.spec_digest in self.bad for one in commitments):
            return "The chain refuses this job."
        if any(one.head in self.bad for one in vouchers):
            return "The chain refuses this voucher."
        return None

    def outcome(self, key: str) -> Tx | None:
        return self.outcomes.get(key)

    def pump(self) -> None:
        self.pumped += 1

    def of(self, kind: str) -> list[object]:
        """Everything of one kind that was sent, in order."""
        return [what for found, what in self.sent.values() if found == kind]

    def _send(self, key: str, kind: str, what: object) -> None:
        if self.refuses:
            raise ChainRefused("Refused", {}, "The chain refuses it now.")
        if key not in self.sent:
            self.sent[key] = (kind, what)
            self.outcomes[key] = Tx("PENDING")


@dataclass
class FakeOracles:
    """`ports.work.OracleClient` for four oracles in memory. `fail` maps an address to the error that it raises."""

    signers: list[Signer] = field(default_factory=lambda: [Signer(keccak(f"oracle {i}".encode())) for i in range(4)])
    blobs: dict[bytes, bytes] = field(default_factory=dict)
    """What every oracle holds for the provider to fetch."""
    put: list[tuple[Address, bytes]] = field(default_factory=list)
    reports: list[tuple[Address, SignedReport]] = field(default_factory=list)
    offers: list[tuple[Address, SignedOffer]] = field(default_factory=list)
    listings: list[tuple[Address, SignedListing]] = field(default_factory=list)
    session_reports: list[tuple[Address, bytes]] = field(default_factory=list)
    openings: list[tuple[Address, bytes]] = field(default_factory=list)
    wants: dict[Address, list[Wanted]] = field(default_factory=dict)
    reveals: dict[Address, bytes] = field(default_factory=dict)
    fail: dict[Address, MallaError] = field(default_factory=dict)
    forge: bool = False
    """Storage receipts are signed by somebody else."""

    @property
    def members(self) -> tuple[Oracle, ...]:
        return tuple(Oracle(signer.address, f"http://{place}", self.key_of(place), keccak(b""), 0)
                     for place, signer in enumerate(self.signers))

    def secret_of(self, place: int) -> bytes:
        return derive_secret(bytes([place]) * 32, "test")

    def key_of(self, place: int) -> bytes:
        return public_key(self.secret_of(place))

    def put_blob(self, oracle: Oracle, body: bytes) -> bytes:
        self._answer(oracle)
        self.put.append((oracle.address, body))
        signer = next(s for s in self.signers if (s.address == oracle.address) is not self.forge)
        return signer.sign(storage_receipt_digest(DOMAIN, keccak(body)))

    def get_blob(self, oracle: Oracle, digest: bytes) -> bytes | None:
        self._answer(oracle)
        return self.blobs.get(digest)

    def put_offer(self, oracle: Oracle, offer: SignedOffer) -> None:
        self._answer(oracle)
        self.offers.append((oracle.address, offer))

    def post_report(self, oracle: Oracle, report: SignedReport) -> None:
        self._answer(oracle)
        self.reports.append((oracle.address, report))

    def put_listing(self, oracle: Oracle, listing: SignedListing) -> None:
        self._answer(oracle)
        self.listings.append((oracle.address, listing))

    def post_session_report(self, oracle: Oracle, body: bytes) -> None:
        self._answer(oracle)
        self.session_reports.append((oracle.address, body))

    def post_opening(self, oracle: Oracle, body: bytes) -> None:
        self._answer(oracle)
        self.openings.append((oracle.address, body))

    def wanted(self, oracle: Oracle, provider: str) -> list[Wanted]:
        self._answer(oracle)
        return self.wants.get(oracle.address, [])

    def reveal(self, oracle: Oracle, epoch: int) -> bytes | None:
        self._answer(oracle)
        return self.reveals.get(oracle.address)

    def _answer(self, oracle: Oracle) -> None:
        if oracle.address in self.fail:
            raise self.fail[oracle.address]
