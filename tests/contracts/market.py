"""A deployed market, and the moves that tests make in it: offers, jobs, batches and settlements.

People and contracts are `stage`'s, sessions `sessions`', balances `books`'. Everything is signed and encoded by
`protocol`: a test that passes here also says that both sides of the wire agree.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from brownie import chain

from protocol.encoding import keccak
from protocol.messages import (
    decision_tuple,
    entries_hash,
    job_id,
    offer_digest,
    ruling_digest,
    settlement_digest,
    storage_receipt_digest,
)
from protocol.types import (
    BatchHead,
    BatchState,
    Decision,
    Entry,
    InFlightClaim,
    Job,
    JobState,
    Offer,
    Outcome,
    RefundReason,
    Ruling,
    Voucher,
)
from protocol.units import TOKEN
from tests.contracts.books import Books
from tests.contracts.expect import at, now
from tests.contracts.nouns import Batch, Opened, claim_tuple, voucher_tuple
from tests.contracts.sessions import Sessions
from tests.contracts.stage import DEPOSIT, STAKE

__all__ = ["DEPOSIT", "INPUT_PRICE", "OUTPUT_PRICE", "PRICE", "STAKE", "Market", "returned"]

INPUT_PRICE, OUTPUT_PRICE = TOKEN // 1000, TOKEN // 200
PRICE = 100 * INPUT_PRICE + 200 * OUTPUT_PRICE
"""Of the job that `open` opens."""


def returned(opened: Opened) -> dict[str, int]:
    """What moves when the reserve of an open job goes back to the first requester."""
    price = opened.job.price
    return {"requester 0": price, "reserved 0": -price, "exposure": -price}


class Market(Books, Sessions):
    """One method for each move."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.opened: dict[bytes, Any] = {}  # the transaction by job id
        self.commits: dict[int, Any] = {}  # the transaction by batch id
        super().__init__(*arguments, **options)

    def offer(self, provider: int = 0, **changes: Any) -> Offer:
        base = Offer(
            provider=self.providers[provider].owner.address,
            model=keccak(b"model"),
            profile=keccak(b"profile"),
            input_price=INPUT_PRICE,
            output_price=OUTPUT_PRICE,
            max_input_tokens=1_000,
            max_output_tokens=1_000,
            min_duration=100,
            max_outstanding=200 * TOKEN,
            nonce=1,
            expiry=now() + 1_000_000,
        )
        return dataclasses.replace(base, **changes)

    def signed(self, offer: Offer, provider: int = 0) -> bytes:
        return self.providers[provider].node.signer.sign(offer_digest(self.domain, offer))

    def open_arguments(
        self,
        offer: Offer,
        tokens: tuple[int, int] = (100, 200),
        duration: int = 1_000,
        signature: bytes | None = None,
    ) -> tuple[Any, ...]:
        signature = self.signed(offer) if signature is None else signature
        return dataclasses.astuple(offer), signature, keccak(b"spec"), *tokens, duration, self.number()

    def open(
        self,
        requester: int = 0,
        provider: int = 0,
        tokens: tuple[int, int] = (100, 200),
        duration: int = 1_000,
        offer: Offer | None = None,
    ) -> Opened:
        offer = offer or self.offer(provider)
        arguments = self.open_arguments(offer, tokens, duration, self.signed(offer, provider))
        sent = self.escrow.openJob(*arguments, {"from": self.requesters[requester].account})
        job = Job(
            requester=self.requesters[requester].address,
            provider=offer.provider,
            offer_digest=offer_digest(self.domain, offer),
            spec_digest=keccak(b"spec"),
            input_tokens=tokens[0],
            max_output_tokens=tokens[1],
            price=tokens[0] * offer.input_price + tokens[1] * offer.output_price,
            nonce=arguments[-1],
        )
        job_hash = job_id(chain.id, str(self.escrow.address), job)
        self.opened[job_hash] = sent
        return Opened(job, job_hash, sent.timestamp, sent.timestamp + duration)

    def commitments(
        self, jobs: Sequence[Opened], amounts: Iterable[int] | None = None
    ) -> list[tuple[Any, ...]]:
        amounts = [job.job.price * 3 // 4 + 1 for job in jobs] if amounts is None else list(amounts)
        return [
            (job.tuple, amount, keccak(b"leaf" + job.id), keccak(b"answer" + job.id))
            for job, amount in zip(jobs, amounts, strict=True)
        ]

    def commit(
        self,
        jobs: Sequence[Opened],
        amounts: Iterable[int] | None = None,
        provider: int = 0,
        vouchers: Sequence[Voucher] = (),
        claims: Sequence[InFlightClaim] = (),
    ) -> Batch:
        """Commits jobs, then vouchers; the head is what the transaction and its event say."""
        lines = self.commitments(jobs, amounts)
        sender = {"from": self.providers[provider].node.account}
        signed, claimed = [voucher_tuple(its) for its in vouchers], [claim_tuple(its) for its in claims]
        sent = self.escrow.commitBatch(lines, signed, claimed, sender)
        entries = [
            Entry(job.id, job.job.requester, job.job.price, amount, leaf, answer)
            for job, (_, amount, leaf, answer) in zip(jobs, lines, strict=True)
        ]
        event = sent.events["BatchCommitted"]
        added = [int(entry[2]) for entry in event["entries"][len(jobs) :]]
        links = {claim.voucher: claim.links for claim in claims}
        entries += [self.voucher_entry(vouchers[i], more, links.get(i, ())) for i, more in enumerate(added)]
        versions = int(event["setVersion"]), int(event["termsVersion"])
        head = BatchHead(
            str(event["provider"]), sent.timestamp, sent.block_number, *versions, entries_hash(entries)
        )
        batch = Batch(int(event["batchId"]), head, tuple(entries))
        self.commits[batch.id] = sent
        return batch

    def committed(self, count: int = 1, provider: int = 0) -> Batch:
        """A fresh batch of `count` jobs, of both requesters in turn."""
        return self.commit([self.open(n % 2, provider) for n in range(count)], provider=provider)

    def committed_after(self, moment: int) -> Batch:
        """A batch whose job was opened after `moment`: a conviction of that second does not reach it."""
        at(moment + 1)
        return self.committed()

    def settlement(
        self,
        decisions: Sequence[Decision],
        batches: Sequence[Batch],
        version: int = 4,
        signers: Sequence[int] = (0, 1, 2),
    ) -> tuple[Any, ...]:
        """The arguments of `settle`: set version, decisions, heads, entries (only for PASS) and signatures."""
        pairs = list(zip(decisions, batches, strict=True))
        entries = [batch.tuples if decision.outcome is Outcome.PASS else [] for decision, batch in pairs]
        signatures = self.quorum(settlement_digest(self.domain, version, decisions), signers)
        heads = [batch.head_tuple for batch in batches]
        return version, [decision_tuple(decision) for decision in decisions], heads, entries, signatures

    def settle(
        self, *batches: Batch, outcome: Outcome = Outcome.PASS, auditors: int = 0, sender: Any = None
    ) -> Any:
        """One outcome for all of them; by a stranger, whose turn it never is, unless a `sender` is named."""
        arguments = self.settlement([batch.decision(outcome, auditors) for batch in batches], batches)
        return self.escrow.settle(*arguments, {"from": sender or self.stranger.account})

    def freeze(self, batch: Batch, outcome: Outcome = Outcome.FRAUD) -> int:
        """Freezes it; returns the second from which it can be forfeited."""
        self.settle(batch, outcome=outcome)
        return self.frozen_until(batch)

    def frozen_until(self, batch: Batch) -> int:
        return int(self.escrow.freezeOf(batch.id)[0])

    def forfeit(self, batch: Batch) -> Any:
        return self.escrow.forfeit(*batch.arguments, {"from": self.stranger.account})

    def convict(self, batch: Batch, outcome: Outcome = Outcome.FRAUD) -> Any:
        """Freezes the batch and forfeits it after its window."""
        at(self.freeze(batch, outcome))
        return self.forfeit(batch)

    def post_openings(self, batch: Batch, openings: Sequence[bytes] = (b"sealed",), provider: int = 0) -> Any:
        sender = {"from": self.providers[provider].node.account}
        return self.escrow.postOpenings(batch.id, batch.head_tuple, list(openings), sender)

    def default_from(self, batch: Batch) -> int:
        """Second from which the batch matures by default, unless its openings were posted on-chain."""
        return batch.committed_at + self.terms.maturity_window + self.terms.evidence_window

    def mature_by_default(self, batch: Batch) -> Any:
        return self.escrow.matureByDefault(*batch.arguments, {"from": self.stranger.account})

    def receipts(self, blob: bytes, signers: Sequence[int] = (0, 1)) -> list[bytes]:
        return self.quorum(storage_receipt_digest(self.domain, blob), signers)

    def rulings(self, case_id: int, ruling: Ruling, signers: Sequence[int] = (0, 1, 2)) -> list[bytes]:
        return self.quorum(ruling_digest(self.court_domain, case_id, ruling), signers)

    def job_state(self, job: Opened | Entry) -> tuple[JobState, RefundReason]:
        state, reason = self.escrow.job(job.id if isinstance(job, Opened) else job.job_id)[:2]
        return JobState(int(state)), RefundReason(int(reason))

    def batch_state(self, batch: Batch) -> tuple[BatchState, Outcome]:
        state, outcome = self.escrow.batch(batch.id)[1:]
        return BatchState(int(state)), Outcome(int(outcome))
