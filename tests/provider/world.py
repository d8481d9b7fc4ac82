"""A provider's flows over fakes: one owner, one offer, four oracles."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from protocol.challenge import ChallengeTerms
from protocol.encoding import keccak
from protocol.messages import entries_hash, job_id, offer_digest
from protocol.sealing import new_secret, public_key, seal
from protocol.transcript import prompt_bytes, spec_bytes
from protocol.types import BatchState, Entry, Job, JobSpec, Offer, Outcome, Prompt, Sampler
from protocol.units import Address, Digest, Seconds, Wei
from provider.edges.fake_challenges import FakeChallengeBroker, FakeChallengeClient, FakeChallenges
from provider.edges.fake_claims import FakeClaims
from provider.edges.fake_journal import FakeJournal
from provider.edges.fake_market import FakeChain, FakeOracles, FakeSender
from provider.edges.fake_sessions import FakeSessions
from provider.edges.fakes import DOMAIN, FakeBackend, FakeBroker, FakeClock, FakeCounter, FakeGpu, FakeKeys
from provider.flow.challenges import Challenging
from provider.flow.chores import Chores
from provider.flow.delivery import Delivering
from provider.flow.drawing import Opening
from provider.flow.inference import Inference, infer
from provider.flow.listings import Listings
from provider.flow.offers import Publishing, sign_offer
from provider.flow.posting import Posting
from provider.flow.serving import Serving, take_jobs
from provider.flow.session_ends import Ending
from provider.flow.session_reports import Reporting
from provider.flow.work import Committing
from provider.ports.work import Log
from provider.records.figures import Device
from provider.records.work import JournalBatch, JournalJob, Stage
from provider.shelf import Served, Shelf

OWNER = Address("0x00000000000000000000000000000000000A11cE")
REQUESTER = Address("0x0000000000000000000000000000000000000B0b")
SERVED = Served(keccak(b"model"), keccak(b"profile"), "Test-1")
SHELF = Shelf((SERVED,))
MESSAGES = (("user", "Name the capital of Peru."),)
REPLY_SECRET = bytes(range(32))


@dataclass
class World:
    """`log` has (event, fields) of everything that was logged."""

    clock: FakeClock = field(default_factory=FakeClock)
    journal: FakeJournal = field(default_factory=FakeJournal)
    sender: FakeSender = field(default_factory=FakeSender)
    oracles: FakeOracles = field(default_factory=FakeOracles)
    broker: FakeBroker = field(default_factory=FakeBroker)
    counter: FakeCounter = field(default_factory=FakeCounter)
    backend: FakeBackend = field(default_factory=FakeBackend)
    keys: FakeKeys = field(default_factory=FakeKeys)
    logged: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chain = FakeChain(self.clock, self.oracles.members)
        self.log = Log(lambda event, **fields: self.logged.append((event, fields)))
        self.offer = sign_offer(self.terms(), DOMAIN, self.keys)
        self.offer_digest = offer_digest(DOMAIN, self.offer.offer)
        self.journal.keep_offer(self.offer_digest, self.offer, True)
        self._count = 0

    @property
    def members(self) -> tuple[Any, ...]:
        return self.oracles.members

    @property
    def serving(self) -> Serving:
        return Serving(OWNER, SHELF, self.journal, self.chain, self.oracles, {SERVED.model: self.counter}, self.keys,
                       self.broker, self.clock, self.log)

    @property
    def committing(self) -> Committing:
        return Committing(self.journal, self.chain, self.sender, self.clock, self.log, 16, 2.0, claims=self.claims)

    @property
    def claims(self) -> FakeClaims:
        return self.journal.claims

    @property
    def sessions(self) -> FakeSessions:
        return self.claims.sessions

    @property
    def reporting(self) -> Reporting:
        return Reporting(self.journal, self.claims, self.keys, DOMAIN, self.log)

    @property
    def ending(self) -> Ending:
        return Ending(self.sessions, self.claims, self.chain, self.sender, self.clock, self.log)

    def listings(self, url: str = "http://127.0.0.1:9") -> Listings:
        return Listings(OWNER, url, "EU", Device("CPU", 0), 8, DOMAIN, self.oracles, self.keys, self.clock, self.log,
                        self.sessions.call_speed)

    @property
    def delivering(self) -> Delivering:
        return Delivering(self.journal, self.chain, self.oracles, self.keys, self.clock, self.log)

    @property
    def opening(self) -> Opening:
        return Opening(OWNER, self.journal, self.chain, self.oracles, self.keys, self.clock, self.log,
                       claims=self.claims)

    @property
    def posting(self) -> Posting:
        return Posting(self.opening, self.sender)

    @property
    def publishing(self) -> Publishing:
        return Publishing(OWNER, self.journal, self.keys, self.clock, self.log, DOMAIN)

    @property
    def chores(self) -> Chores:
        return Chores(self.journal, self.chain, self.sender, self.log)

    @property
    def challenging(self) -> Challenging:
        return Challenging(OWNER, FakeChallenges(), self.chain, FakeChallengeClient(), self.keys, FakeChallengeBroker(),
                           self.clock, self.log, ChallengeTerms(), 2)

    def inference(self, holder: str = "host:1") -> Inference:
        return Inference(self.journal, {SERVED.model: self.backend}, FakeGpu(), self.clock, self.log, holder)

    def terms(self, **changes: Any) -> Offer:
        base = Offer(OWNER, SERVED.model, SERVED.profile, Wei(10), Wei(100), 100, 100, Seconds(10), Wei(10**6), 1,
                     2**39)
        return replace(base, **changes)

    def open_job(self, spec: dict[str, Any] | None = None, job: dict[str, Any] | None = None,
                 prompt: bytes | None = None, sealed_to: bytes | None = None, store: bool = True) -> Digest:
        """A job as the follower writes it down; the arguments make it differ from a good one."""
        self._count += 1
        salt = keccak(self._count.to_bytes(4, "big"))
        plaintext = prompt_bytes(Prompt(MESSAGES, salt)) if prompt is None else prompt
        sealed = seal(plaintext, sealed_to or self.keys.encryption_key, new_secret())
        fields: dict[str, Any] = {
            "chain_id": DOMAIN.chain_id, "escrow": DOMAIN.contract, "requester": REQUESTER, "provider": OWNER,
            "model": SERVED.model, "profile": SERVED.profile, "sampler": Sampler("greedy", 0), "input_tokens": 10,
            "max_output_tokens": 20, "prompt_digest": keccak(plaintext), "prompt_blob": keccak(sealed),
            "reply_key": public_key(REPLY_SECRET), "nonce": self._count,
        }
        data = spec_bytes(JobSpec(**(fields | (spec or {}))))
        opened = Job(REQUESTER, OWNER, self.offer_digest, keccak(data), 10, 20, Wei(2100), self._count)
        opened = replace(opened, **(job or {}))
        identity = job_id(DOMAIN.chain_id, DOMAIN.contract, opened)
        if store:
            self.oracles.blobs |= {keccak(data): data, keccak(sealed): sealed}
        now = int(self.clock())
        self.journal.rows[identity] = JournalJob(identity, opened, now, now + 300, Stage.SEEN)
        return identity

    def do_job(self) -> Digest:
        """A job that is DONE."""
        identity = self.open_job()
        take_jobs(self.serving, self.members)
        assert infer(self.inference(), identity), self.logged
        return identity

    def commit_on_chain(self, *identities: Digest, batch_id: int = 1) -> JournalBatch:
        """What the follower writes when the batch is final."""
        entries = []
        for index, identity in enumerate(identities):
            job = self.journal.rows[identity]
            assert job.work is not None
            entries.append(Entry(identity, job.job.requester, job.job.price, job.work.amount, job.work.leaf,
                                 keccak(job.work.answer)))
            self.journal.rows[identity] = replace(job, stage=Stage.COMMITTED, batch_id=batch_id, index=index)
        batch = JournalBatch(batch_id, tuple(entries), 1, 995, int(self.clock()), BatchState.PENDING)
        self.journal.its_batches[batch_id] = batch
        assert entries_hash(entries)
        return batch

    def freeze_on_chain(self, outcome: Outcome, batch_id: int = 1) -> None:
        """What the follower writes when a quorum found against the batch."""
        batch = self.journal.its_batches[batch_id]
        self.journal.its_batches[batch_id] = replace(batch, state=BatchState.FROZEN, outcome=outcome)

    def stage(self, identity: bytes) -> Stage:
        return self.journal.rows[identity].stage

    def reason(self, identity: bytes) -> str:
        return self.journal.rows[identity].reason

    def events(self) -> list[str]:
        return [event for event, _ in self.logged]
