from __future__ import annotations

import pytest

from protocol.types import BatchState, JobState, Outcome, RefundReason
from tests.contracts.expect import at, now, refused
from tests.contracts.market import STAKE, Market


def commit(market: Market, lines: list[tuple[object, ...]], provider: int = 0) -> object:
    return market.escrow.commitBatch(lines, {"from": market.providers[provider].node.account})


def test_commit__by_the_owner__is_refused(market: Market) -> None:
    """R13: not even the owner."""
    owner = market.providers[0].owner
    with refused("UnknownNodeKey", owner.address):
        market.escrow.commitBatch(market.commitments([market.open()]), {"from": owner.account})


def test_commit__by_a_rotated_key__is_refused(market: Market) -> None:
    """R13: the present node key."""
    lines, old = market.commitments([market.open()]), market.providers[0].node
    market.rotate(0)
    with refused("UnknownNodeKey", old.address):
        market.escrow.commitBatch(lines, {"from": old.account})


def test_commit__of_nothing__is_refused(market: Market) -> None:
    with refused("BatchSize", 0, 128):
        commit(market, [])


def test_commit__of_129_entries__is_refused(market: Market) -> None:
    """R13: at most 128."""
    lines = market.commitments([market.open()]) * 129
    with refused("BatchSize", 129, 128):
        commit(market, lines)


def test_commit__of_a_job_of_another_provider__is_refused(market: Market) -> None:
    """R13: its own jobs."""
    opened = market.open(provider=1)
    with refused("NotProvider", opened.id, market.providers[0].node.address):
        commit(market, market.commitments([opened]))


def test_commit__of_one_job_twice_in_a_batch__is_refused(market: Market) -> None:
    """R3: committed at most once."""
    opened = market.open()
    with refused("WrongJobState", opened.id, JobState.COMMITTED):
        commit(market, market.commitments([opened, opened]))


def test_commit__of_one_job_in_two_batches__is_refused(market: Market) -> None:
    """R3: committed at most once."""
    opened = market.open()
    market.commit([opened])
    with refused("WrongJobState", opened.id, JobState.COMMITTED):
        commit(market, market.commitments([opened]))


def test_commit__of_a_declined_job__is_refused(market: Market) -> None:
    """R3: what was refunded is never paid."""
    opened = market.open()
    market.escrow.declineJob(opened.tuple, {"from": market.providers[0].owner.account})
    with refused("WrongJobState", opened.id, JobState.REFUNDED):
        commit(market, market.commitments([opened]))


def test_commit__at_the_deadline__is_refused(market: Market) -> None:
    """R12: it can no longer be committed."""
    opened = market.open()
    at(opened.deadline)
    with refused("DeadlinePassed", opened.id, opened.deadline):
        commit(market, market.commitments([opened]))


def test_commit__of_more_than_the_price__is_refused(market: Market) -> None:
    """R13: at most at its price."""
    opened = market.open()
    price = opened.job.price
    with refused("AmountOverPrice", opened.id, price + 1, price):
        commit(market, market.commitments([opened], [price + 1]))


@pytest.mark.parametrize("place", [2, 3])
def test_commit__without_leaf_or_answer__is_refused(market: Market, place: int) -> None:
    line = list(market.commitments([market.open()])[0])
    line[place] = bytes(32)
    with refused("ZeroDigest"):
        commit(market, [tuple(line)])


def test_commit__when_the_stake_no_longer_deters__is_refused_by_the_dearest_job(market: Market) -> None:
    """R9: committing asks again, for each job of the batch."""
    small, large = market.open(tokens=(10, 10)), market.open(tokens=(500, 500))
    owner = market.providers[0].owner
    unit = market.terms.slash_bps * market.terms.detection_bps
    needed = -(-large.job.price * (10_000 - market.terms.detection_bps) * 10_000 // unit)
    market.staking.unstake(STAKE - needed + 1, {"from": owner.account})
    with refused("StakeDoesNotDeter", owner.address, needed - 1, needed):
        commit(market, market.commitments([small, large]))
    commit(market, market.commitments([small]))
    assert market.job_state(small)[0] is JobState.COMMITTED


def test_commit__by_a_frozen_provider__is_refused(market: Market) -> None:
    """R18: no committing."""
    batch, opened = market.committed(), market.open()
    market.settle(batch, outcome=Outcome.FRAUD)
    with refused("ProviderIsFrozen", market.providers[0].owner.address, batch.id):
        commit(market, market.commitments([opened]))


def test_commit__of_a_job_opened_before_a_conviction__is_refused(market: Market) -> None:
    batch, opened = market.committed(), market.open()
    convicted_at = market.convict(batch).timestamp
    with refused("JobOfConvictedProvider", opened.id, convicted_at):
        commit(market, market.commitments([opened]))


def test_commit__in_the_last_second__stores_the_hash_and_frees_the_reserve(market: Market) -> None:
    jobs = [market.open(0), market.open(1)]
    before = market.snapshot()
    at(min(job.deadline for job in jobs) - 1)
    batch = market.commit(jobs)
    assert market.changes(before) == {"reserved 0": -sum(job.job.price for job in jobs)}
    record = market.escrow.batch(batch.id)
    assert bytes(record[0]) == batch.hash
    assert record[1] == market.providers[0].owner.address
    assert (int(record[2]), int(record[4])) == (now(), market.committee.version())
    assert market.batch_state(batch) == (BatchState.PENDING, Outcome.NONE)
    for index, opened in enumerate(jobs):
        assert market.job_state(opened) == (JobState.COMMITTED, RefundReason.NONE)
        assert [int(value) for value in market.escrow.job(opened.id)[4:]] == [batch.id, index]


def test_commit__announces_every_entry(market: Market) -> None:
    """R14: the batch's record names the block of its commitment."""
    jobs = [market.open(0), market.open(1)]
    sent = market.escrow.commitBatch(market.commitments(jobs), {"from": market.providers[0].node.account})
    event = sent.events["BatchCommitted"]
    assert (event["batchId"], event["provider"]) == (1, market.providers[0].owner.address)
    assert event["setVersion"] == market.committee.version()
    assert [bytes.fromhex(str(entry[0])[2:]) for entry in event["entries"]] == [job.id for job in jobs]
    assert sent.block_number == market.escrow.batch(1)[3]
