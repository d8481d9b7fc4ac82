"""A committee of four oracles over fake ports, one provider, one requester, and jobs in every state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from oracle.edges.fake_model import FakeCatalogue, FakeReplayer, fake_profile
from oracle.edges.fakes import FakeChain, FakeClock, FakePeers, FakeQueue, FakeSender
from oracle.edges.store import SqlProjection, SqlStore
from oracle.flow.commitments import accept_audit_commitment
from oracle.flow.confirmations import accept_record
from oracle.flow.decisions import sign_list
from oracle.flow.node import Node
from oracle.flow.projection import apply_block
from oracle.ports import Rules
from oracle.records.confirmations import AuditCommitment
from oracle.records.work import Member, PeerAnswer
from protocol.chain.events import (
    BatchCommitted,
    BatchFrozen,
    BatchMatured,
    ChainEvent,
    Event,
    FinalBlock,
    JobOpened,
    OpeningsPosted,
)
from protocol.chain.records import BatchRecord, BlockRef, JobRecord, KeyPeriod, ProviderStake
from protocol.documents import document_digest
from protocol.draw import RevealChain
from protocol.economics import payment
from protocol.encoding import ZERO, from_hex, keccak, pack_float32
from protocol.messages import Domain, head_digest, job_id, offer_digest, opening_digest, report_digest
from protocol.openings import PostedOpening, pack_opening
from protocol.sealing import derive_secret, new_secret, public_key, seal
from protocol.signing import Signer
from protocol.transcript import (
    answer_of,
    leaf,
    prompt_bytes,
    sealed_answer,
    spec_bytes,
    spec_digest,
    telemetry_digest,
    transcript_bytes,
)
from protocol.types import (
    AUDIT_ONE,
    AuditRecord,
    BatchState,
    Decision,
    Entry,
    Job,
    JobSpec,
    JobState,
    Offer,
    Outcome,
    Prompt,
    RefundReason,
    Report,
    Sampler,
    SignedOffer,
    SignedReport,
    Transcript,
)
from protocol.units import Address, Digest, Wei
from protocol.wire import from_json
from tests.oracle.stores import take_engine

NOW = 1_800_000_000
MODEL, PROFILE = Digest(keccak(b"model")), document_digest(fake_profile())
ESCROW = Address("0xCf7Ed3AccA5a467e9e704C703E8D87F634fB0Fc9")
DOMAIN = Domain(31337, ESCROW)
TX = keccak(b"a transaction")
TELEMETRY: dict[str, object] = {"gpu": None, "note": "no GPU"}


class World:
    domain = DOMAIN

    def __init__(self) -> None:
        self.keys = [keccak(b"oracle" + bytes([i])) for i in range(4)]
        self.signers = [Signer(key) for key in self.keys]
        self.node_signer, self.owner, self.requester = (Signer(keccak(w)) for w in (b"node", b"owner", b"requester"))
        self.clock = FakeClock(NOW)
        seats = tuple(signer.address for signer in self.signers)
        members = {address: self._member(i, address) for i, address in enumerate(seats)}
        self.chain = FakeChain(seats, members, NOW - 100)
        self.chain.stakes[self.owner.address] = ProviderStake(
            Wei(10**24), Wei(0), self.node_signer.address, public_key(b"p" * 32), ZERO)
        self.chain.keys[self.node_signer.address] = KeyPeriod(self.owner.address, NOW - 1000, 0)
        self.replayers = [FakeReplayer(MODEL, PROFILE) for _ in seats]
        self.nodes, self.rows = [], []
        self.databases = [take_engine() for _ in seats]
        for i in range(4):
            self._add_node(i)
        self.offer = self.sign_offer(Offer(self.owner.address, MODEL, PROFILE, Wei(10), Wei(40), 100, 50, 60,
                                           Wei(10**22), 1, NOW + 1000))

    @property
    def node(self) -> Node:
        return self.nodes[0]

    def link(self, *dead: int) -> None:
        """Let every oracle reach the others, except the dead ones."""
        for i, node in enumerate(self.nodes):
            peers: Any = node.peers
            for j, other in enumerate(self.nodes):
                if i != j and j not in dead:
                    peers.posts[other.address] = lambda path, body, other=other: take_post(other, body)
                    peers.signs[other.address] = lambda body, other=other: answer_list(other, body)
                    peers.reveals[other.address] = lambda epoch, other=other: other.store.reveal(other.address, epoch)

    def sign_offer(self, offer: Offer, signer: Signer | None = None) -> SignedOffer:
        return SignedOffer(offer, (signer or self.node_signer).sign(offer_digest(DOMAIN, offer)))

    def apply(self, *events: Event, block: int | None = None) -> None:
        """A final block with these events, for every oracle."""
        number = block or self.chain.number
        ref = BlockRef(number, keccak(number.to_bytes(8, "big")), self.chain.start + number)
        found = tuple(ChainEvent(number, ref.hash, ref.timestamp, TX, i, e) for i, e in enumerate(events))
        for rows in self.rows:
            apply_block(rows, FinalBlock(ref, found))

    def open_job(self, nonce: int = 1, audit: str = AUDIT_ONE, **changes: Any) -> Work:
        work = Work(self, nonce, audit=audit, **changes)
        opened = JobOpened(work.job_id, work.job, NOW + 600, NOW - 50)
        self.chain.jobs[work.job_id] = JobRecord(JobState.OPEN, RefundReason.NONE, NOW - 50, NOW + 600, 0, 0, 1)
        self.apply(opened)
        for node in self.nodes:
            node.store.put_offer(offer_digest(DOMAIN, self.offer.offer), self.offer, NOW)
            node.store.put_blob(work.job.spec_digest, spec_bytes(work.spec), NOW)
        return work

    def commit(self, *works: Work, batch_id: int = 1, block: int = 50) -> BatchCommitted:
        event = BatchCommitted(batch_id, self.owner.address, 1, 1, tuple(work.entry for work in works))
        digest = head_digest(batch_id, event.head(block, self.chain.start + block))
        self.chain.batches[batch_id] = BatchRecord(digest, BatchState.PENDING, Outcome.NONE)
        for i, work in enumerate(works):
            work.batch_id, work.index = batch_id, i
            self.chain.jobs[work.job_id] = JobRecord(JobState.COMMITTED, RefundReason.NONE, NOW - 50, NOW + 600,
                                                     batch_id, i, 1)
        self.apply(event, block=block)
        return event

    def draw(self, works: list[Work], auditor: int = 0) -> None:
        """Every entry is drawn, its auditor's seat as given, in every oracle's store."""
        for node in self.nodes:
            node.store.keep_draw(works[0].batch_id, b"\1" * 32, range(len(works)), [auditor] * len(works), self.clock())

    def ready(self, nonce: int = 1, batch_id: int = 1, audit: str = AUDIT_ONE) -> Work:
        """A job that is committed and drawn, with a report, its auditor in seat 0."""
        work = self.open_job(nonce, audit)
        self.commit(work, batch_id=batch_id)
        self.draw([work])
        for node in self.nodes:
            node.store.put_report(work.report(), NOW)
            node.store.put_blob(work.entry.answer_digest, work.answer, NOW)
        return work

    def freeze(self, batch_id: int, until: int, outcome: Outcome = Outcome.FRAUD) -> None:
        self.apply(BatchFrozen(batch_id, self.owner.address, outcome, until))
        self._set_state(batch_id, BatchState.FROZEN)

    def reopen(self, batch_id: int, *openings: bytes) -> None:
        """The provider posts these openings on-chain, at the second of the clock."""
        self.chain.number = int(self.clock()) - self.chain.start
        self.apply(OpeningsPosted(batch_id, self.owner.address, openings))
        self._set_state(batch_id, BatchState.PENDING)

    def mature(self, batch_id: int) -> None:
        self.apply(BatchMatured(batch_id, self.owner.address, Outcome.PASS, Wei(1), Wei(0)))
        self._set_state(batch_id, BatchState.MATURED)

    def _set_state(self, batch_id: int, state: BatchState) -> None:
        self.chain.batches[batch_id] = replace(self.chain.batches[batch_id], state=state)

    def _member(self, i: int, address: Address) -> Member:
        reveals = RevealChain(derive_secret(self.keys[i], "malla/oracle/reveals/v1"), 64)
        encryption = public_key(derive_secret(self.keys[i], "malla/oracle/x25519/v1"))
        return Member(address, f"http://oracle-{i}", encryption, reveals.anchor, 0)

    def _add_node(self, i: int) -> None:
        store = SqlStore(self.databases[i])
        self.rows.append(SqlProjection(self.databases[i]))
        self.nodes.append(Node(
            signer=self.signers[i], seal_secret=derive_secret(self.keys[i], "malla/oracle/x25519/v1"),
            reveal_secret=derive_secret(self.keys[i], "malla/oracle/reveals/v1"), domain=DOMAIN, chain=self.chain,
            store=store, clock=self.clock, rules=Rules(), catalogue=FakeCatalogue(MODEL, PROFILE),
            peers=FakePeers(), queue=FakeQueue(), sender=FakeSender(),
        ))


class Work:
    """One job with what its provider made of it. `changes` alter the transcript after the leaf was committed."""

    batch_id = index = 0

    def __init__(self, world: World, nonce: int, delivered: dict[str, Any] | None = None, audit: str = AUDIT_ONE,
                 **changes: Any) -> None:
        """`delivered` alters the answer that is committed and stored, `changes` the transcript that is opened."""
        self.world = world
        self.prompt = prompt_bytes(Prompt((("user", "say three words"),), keccak(b"salt")))
        self.spec = JobSpec(31337, world.domain.contract, world.requester.address, world.owner.address, MODEL, PROFILE,
                            Sampler("greedy", 0), 3, 8, keccak(self.prompt), keccak(b"sealed prompt"),
                            public_key(b"r" * 32), nonce, audit)
        price = Wei(3 * 10 + 8 * 40)
        self.job = Job(world.requester.address, world.owner.address, offer_digest(world.domain, world.offer.offer),
                       spec_digest(self.spec), 3, 8, price, nonce)
        self.job_id = job_id(31337, world.domain.contract, self.job)
        honest = Transcript(self.spec, self.prompt, (5, 6, 7), pack_float32([-0.1, -0.2, -0.3]), keccak(b"leaf salt"))
        answer = answer_of(honest, self.job_id, 3, "t5 t6 t7", "stop")
        self.answer = sealed_answer(replace(answer, **(delivered or {})), self.spec)
        self.transcript = replace(honest, **changes)
        self.entry = Entry(self.job_id, world.requester.address, price, payment(3, 3, Wei(10), Wei(40)),
                           leaf(answer, self.spec), keccak(self.answer))

    def report(self, signer: Signer | None = None, **changes: Any) -> SignedReport:
        report = Report(self.job_id, self.job.spec_digest, self.entry.leaf, self.entry.answer_digest, 3, 3,
                        self.entry.amount, telemetry_digest(TELEMETRY), NOW)
        report = replace(report, **changes)
        key = signer or self.world.node_signer
        return SignedReport(report, key.sign(report_digest(self.world.domain, report)), TELEMETRY)

    def posted(self, seat: int, plaintext: bytes | None = None) -> bytes:
        """The opening for a seat's oracle as it is posted on-chain."""
        opening = self.opening(seat, plaintext)
        return pack_opening(PostedOpening(self.index, opening["auditor"], opening["sealed"]))

    def opening(self, seat: int, plaintext: bytes | None = None, signer: Signer | None = None) -> dict[str, Any]:
        """The arguments of `accept_opening`."""
        auditor = self.world.chain.member(self.world.signers[seat].address)
        sealed = seal(plaintext or transcript_bytes(self.transcript), auditor.encryption_key, new_secret())
        digest = opening_digest(self.world.domain, self.batch_id, self.index, auditor.address, keccak(sealed))
        return {"batch_id": self.batch_id, "index": self.index, "auditor": auditor.address, "sealed": sealed,
                "signature": (signer or self.world.node_signer).sign(digest)}


def take_post(node: Node, body: dict[str, Any]) -> None:
    """What a peer posts: a commitment, or the finding behind it."""
    signature = from_hex(body["signature"], 65)
    if said := body.get("said"):
        accept_audit_commitment(node, from_json(AuditCommitment, said), signature, from_hex(body["sealed"], None))
        return
    held = [(from_json(AuditCommitment, one["said"]), from_hex(one["signature"], 65)) for one in body["held"]]
    accept_record(node, from_json(AuditRecord, body["record"]), body["evidence"], signature,
                  from_hex(body["salt"], 32), held)


def answer_list(node: Node, body: dict[str, Any]) -> PeerAnswer:
    decisions = tuple(from_json(Decision, value) for value in body["decisions"])
    return PeerAnswer(*sign_list(node, body["set_version"], decisions, from_hex(body["signature"], 65)))
