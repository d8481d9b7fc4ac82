"""The index of final events: only what is final, whatever block a job began in, one read for many jobs."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from protocol.chain.events import (
    BatchCommitted,
    BatchFrozen,
    BatchHeld,
    BatchMatured,
    ChainEvent,
    Event,
    JobOpened,
    JobRefunded,
    JobSettled,
    OpeningsPosted,
    ProviderConvicted,
)
from protocol.chain.records import BlockRef, TxReceipt
from protocol.encoding import keccak
from protocol.types import Entry, Job, Outcome, RefundReason
from protocol.units import Address, Wei
from requester.edges import event_index
from requester.edges.event_index import EventIndex

PROVIDER, REQUESTER = Address("0x" + "11" * 20), Address("0x" + "22" * 20)
JOB, OTHER = keccak(b"job"), keccak(b"other")
ENTRY = Entry(JOB, REQUESTER, Wei(10), Wei(4), keccak(b"leaf"), keccak(b"answer"))


@dataclass
class FakeChain:
    number: int = 0
    blocks: dict[int, list[Event]] = field(default_factory=dict)
    asked: list[tuple[int, int]] = field(default_factory=list)
    deployment: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(block=3))

    def head(self) -> BlockRef:
        return BlockRef(self.number, b"", 1000 + self.number)

    def events(self, first: int, last: int) -> list[ChainEvent]:
        self.asked.append((first, last))
        return [ChainEvent(n, b"", 1000 + n, bytes([n]) * 32, i, event)
                for n in range(first, last + 1) for i, event in enumerate(self.blocks.get(n, []))]

    def receipt(self, tx_hash: bytes) -> TxReceipt:
        return TxReceipt(tx_hash, tx_hash[0], 100 + tx_hash[0])


@pytest.fixture
def chain(monkeypatch: pytest.MonkeyPatch) -> FakeChain:
    monkeypatch.setattr(event_index, "PACE", 0.0)
    return FakeChain()


def opened(job_id: bytes) -> JobOpened:
    job = Job(REQUESTER, PROVIDER, JOB, JOB, 1, 1, Wei(10), 1)
    return JobOpened(job_id, job, 2000, 1010)  # type: ignore[arg-type]


def test_facts__not_final_yet__says_nothing(chain: FakeChain) -> None:
    index = EventIndex(chain, 2)  # type: ignore[arg-type]
    chain.blocks[10], chain.number = [opened(JOB), BatchCommitted(1, PROVIDER, 1, 1, (ENTRY,))], 11
    assert index.facts(JOB, PROVIDER, 1010, 10).committed is None
    chain.number = 12
    facts = index.facts(JOB, PROVIDER, 1010, 10)
    assert facts.opened and facts.committed is not None and facts.committed.batch_id == 1
    assert facts.now == 1012


def test_facts__settled__has_amounts_outcome_transaction_and_gas(chain: FakeChain) -> None:
    chain.blocks = {10: [BatchCommitted(1, PROVIDER, 1, 1, (ENTRY,))],
                    15: [JobSettled(JOB, 1, Wei(4), Wei(6)), BatchMatured(1, PROVIDER, Outcome.PASS, Wei(4), Wei(0))]}
    chain.number = 30
    ended = EventIndex(chain, 2).facts(JOB, PROVIDER, 1010, 9).ended  # type: ignore[arg-type]
    assert ended is not None
    assert (ended.paid, ended.refunded, ended.outcome, ended.gas_used) == (4, 6, Outcome.PASS, 115)
    assert (ended.timestamp, ended.tx_hash, ended.reason) == (1015, bytes([15]) * 32, RefundReason.NONE)


def test_facts__frozen_then_forfeited__is_fraud(chain: FakeChain) -> None:
    chain.blocks = {10: [BatchCommitted(1, PROVIDER, 1, 1, (ENTRY,))],
                    12: [BatchFrozen(1, PROVIDER, Outcome.FRAUD, 1500)]}
    chain.number, index = 20, EventIndex(chain, 2)  # type: ignore[arg-type]
    assert index.facts(JOB, PROVIDER, 1010, 9).frozen_until == 1500
    chain.blocks[22], chain.number = [JobRefunded(JOB, REQUESTER, Wei(10), RefundReason.FRAUD)], 30
    ended = index.facts(JOB, PROVIDER, 1010, 9).ended
    assert ended is not None and (ended.reason, ended.outcome) == (RefundReason.FRAUD, Outcome.FRAUD)


def test_facts__frozen_for_not_opened_then_opened_on_chain__is_frozen_no_more(chain: FakeChain) -> None:
    chain.blocks = {10: [BatchCommitted(1, PROVIDER, 1, 2, (ENTRY,))],
                    12: [BatchFrozen(1, PROVIDER, Outcome.NOT_OPENED, 1500)]}
    chain.number, index = 20, EventIndex(chain, 2)  # type: ignore[arg-type]
    facts = index.facts(JOB, PROVIDER, 1010, 9)
    assert facts.committed is not None and (facts.committed.block, facts.committed.terms_version) == (10, 2)
    assert (facts.frozen_until, facts.reopened_at) == (1500, 0)
    chain.blocks[22], chain.number = [OpeningsPosted(1, PROVIDER, (b"x",))], 30
    facts = index.facts(JOB, PROVIDER, 1010, 9)
    assert (facts.frozen_until, facts.reopened_at) == (0, 1022)


def test_facts__never_opened__is_not_opened(chain: FakeChain) -> None:
    chain.blocks = {10: [BatchCommitted(1, PROVIDER, 1, 1, (ENTRY,))],
                    12: [BatchFrozen(1, PROVIDER, Outcome.NOT_OPENED, 1013)],
                    14: [JobRefunded(JOB, REQUESTER, Wei(10), RefundReason.NOT_OPENED)]}
    chain.number = 30
    ended = EventIndex(chain, 2).facts(JOB, PROVIDER, 1010, 9).ended  # type: ignore[arg-type]
    assert ended is not None and (ended.reason, ended.outcome) == (RefundReason.NOT_OPENED, Outcome.NOT_OPENED)


def test_facts__held_by_the_court__frozen_for_longer(chain: FakeChain) -> None:
    chain.blocks = {10: [BatchCommitted(1, PROVIDER, 1, 1, (ENTRY,))],
                    12: [BatchFrozen(1, PROVIDER, Outcome.FRAUD, 1500)], 13: [BatchHeld(1, 1900)]}
    chain.number = 20
    assert EventIndex(chain, 2).facts(JOB, PROVIDER, 1010, 9).frozen_until == 1900  # type: ignore[arg-type]


@pytest.mark.parametrize(("opened_at", "batch", "through", "reached"), [
    (1012, None, 0, True), (1013, None, 9, False), (1000, 4, 4, True), (1000, 5, 4, False),
])  # fmt: skip
def test_facts__conviction__reaches_what_was_there_before(
    chain: FakeChain, opened_at: int, batch: int | None, through: int, reached: bool
) -> None:
    if batch is not None:
        chain.blocks[10] = [BatchCommitted(batch, PROVIDER, 1, 1, (ENTRY,))]
    chain.blocks[12], chain.number = [ProviderConvicted(PROVIDER, 1, Wei(5), through)], 20
    index = EventIndex(chain, 2)  # type: ignore[arg-type]
    assert index.facts(JOB, PROVIDER, opened_at, 9).convicted is reached
    assert not index.facts(JOB, REQUESTER, opened_at, 9).convicted


def test_facts__older_job_asked_later__reads_back_and_nothing_twice(chain: FakeChain) -> None:
    chain.blocks, chain.number = {5: [opened(OTHER)], 10: [opened(JOB)]}, 20
    index = EventIndex(chain, 2)  # type: ignore[arg-type]
    assert index.facts(JOB, PROVIDER, 1010, 10).opened
    assert not index.facts(OTHER, PROVIDER, 1010, 10).opened
    assert index.facts(OTHER, PROVIDER, 1005, 0).opened  # 0: unknown, from the deployment on
    chain.number = 21
    index.facts(JOB, PROVIDER, 1010, 10)
    assert chain.asked == [(10, 18), (4, 9), (19, 19)]


def test_facts__many_threads_in_a_moment__read_the_chain_once(
    chain: FakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_index, "PACE", 60.0)
    chain.number, index = 20, EventIndex(chain, 2)  # type: ignore[arg-type]
    for _ in range(5):
        index.facts(JOB, PROVIDER, 1010, 10)
    assert len(chain.asked) == 1
