"""A market in memory around the fakes: one provider that works, oracles that settle; real keys and digests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from protocol import sealing
from protocol.economics import payment
from protocol.encoding import ZERO, canonical_json, keccak, pack_float32, to_hex
from protocol.messages import (
    Domain,
    entries_hash,
    offer_digest,
    report_digest,
    settlement_digest,
)
from protocol.receipt import Receipt
from protocol.transcript import leaf, parse_prompt, parse_spec, sealed_answer, telemetry_digest
from protocol.types import (
    Answer,
    Decision,
    Entry,
    Offer,
    Outcome,
    RefundReason,
    Report,
    SignedOffer,
    SignedReport,
)
from protocol.units import TOKEN, Address, Wei
from protocol.wire import to_json
from requester.ports.jobs import (
    Committed,
    Market,
    Standing,
)
from requester.records.jobs import JobFile
from tests.requester.fake_chain import FakeChain, FakeWallet
from tests.requester.fakes import (
    ANSWER_IDS,
    CHOICE,
    MODEL,
    PROFILE,
    START,
    FakeFiles,
    FakeModels,
    FakeOracle,
    signer,
)


class World:
    """Four oracles, one provider with one offer, one requester. `pause` moves time and lets the provider act."""

    def __init__(self) -> None:
        self.domain = Domain(31337, Address("0x" + "11" * 20))
        self.chain = FakeChain(self.domain)
        self.oracles = [FakeOracle(100 + i, self.domain) for i in range(4)]
        self.chain.oracles = tuple(self.oracles)
        self.wallet, self.files, self.models = FakeWallet(self.chain), FakeFiles(), FakeModels()
        self.owner, self.node = signer(50), signer(51)
        self.secret = sealing.derive_secret((51).to_bytes(32, "big"), "malla/node/x25519/v1")
        self.chain.standings[self.owner.address] = Standing(
            self.node.address, sealing.public_key(self.secret), Wei(1000 * TOKEN), Wei(0), False)
        self.offer = self.make_offer()
        self.publish(self.offer)
        self.acts: list[Callable[[], None]] = []
        self.market = Market(self.chain, self.wallet, lambda: self.oracles, self.models, self.files, self.pause,
                             lambda: 0.0)

    def make_offer(self, **changes: Any) -> SignedOffer:
        offer = replace(
            Offer(self.owner.address, MODEL, PROFILE, Wei(10**14), Wei(10**15), 512, 256, 5, Wei(50 * TOKEN), 1,
                  START + 1000), **changes)
        return SignedOffer(offer, self.node.sign(offer_digest(self.domain, offer)))

    def publish(self, *offers: SignedOffer) -> None:
        for oracle in self.oracles:
            oracle.offers = list(offers)

    def pause(self, seconds: float) -> None:
        self.chain.time += 1
        if self.acts:
            self.acts.pop(0)()

    def job(self) -> JobFile:
        return next(iter(self.files.kept.values()))

    def commit(self, change: Callable[[Answer], Answer] = lambda a: a, deliver: bool = True) -> SignedReport:
        """The provider runs the one job: reads the blobs, commits, delivers. `change` alters what is delivered only."""
        file = self.job()
        spec = parse_spec(self.oracles[0].blobs[file.job.spec_digest])
        prompt = parse_prompt(sealing.unseal(self.oracles[0].blobs[spec.prompt_blob], self.secret))
        answer = Answer(file.job_id, self.models.decode(CHOICE, ANSWER_IDS), ANSWER_IDS, spec.input_tokens, "stop",
                        keccak(b"salt"), pack_float32([-0.1, -0.2, -0.3]), b"", ZERO)
        assert prompt.messages == (("user", "Hello?"),)
        sealed = sealed_answer(change(answer), spec)
        offer = self.offer.offer
        amount = payment(spec.input_tokens, len(ANSWER_IDS), offer.input_price, offer.output_price)
        entry = Entry(file.job_id, file.job.requester, file.job.price, amount, leaf(answer, spec), keccak(sealed))
        self.chain.committed[file.job_id] = Committed(self.chain.time, 1, 0, 1, (entry,), 77, 1)
        telemetry = {"gpu": None, "note": "no GPU"}
        report = Report(file.job_id, file.job.spec_digest, entry.leaf, entry.answer_digest, spec.input_tokens,
                        len(ANSWER_IDS), amount, telemetry_digest(telemetry), self.chain.time)
        if deliver:
            for oracle in self.oracles:
                oracle.blobs[keccak(sealed)] = sealed
        self.report = SignedReport(report, self.node.sign(report_digest(self.domain, report)), telemetry)
        self.answer = answer
        return self.report

    def settle(self) -> Receipt:
        """A quorum signs PASS, the batch matures, every oracle has the receipt."""
        file = self.job()
        (entry,) = self.chain.committed[file.job_id].entries
        decisions = (Decision(1, entries_hash((entry,)), Outcome.PASS, entry.amount, 0b10),)
        digest = settlement_digest(self.domain, 1, decisions)
        receipt = Receipt(
            self.domain.chain_id, self.domain.contract, file.job, file.spec, self.answer, self.report,
            self.node.address, 1, 0, (entry,), 1, tuple(o.address for o in self.oracles), decisions,
            tuple(o.signer.sign(digest) for o in self.oracles[:3]), keccak(b"settlement"))
        self.chain.end(file.job_id, RefundReason.NONE, entry.amount, entry.price - entry.amount, Outcome.PASS)
        for oracle in self.oracles:
            bare = to_json(receipt)
            bare["answer_digest"] = to_hex(keccak(canonical_json(bare.pop("answer"))))
            oracle.receipts[file.job_id] = bare
        return receipt
