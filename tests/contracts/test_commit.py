from __future__ import annotations

import dataclasses

import pytest

from protocol.economics import needed_stake
from protocol.types import BatchState, JobState, Outcome, RefundReason
from tests.contracts.expect import at, block_number, now, refused
from tests.contracts.market import STAKE, Market


def commit(market: Market, lines: list[tuple[object, ...]], provider: int = 0) -> object:
    return market.escrow.commitBatch(lines, [], [], {"from": market.providers[provider].node.account})


def test_commit__by_the_owner__is_refused(market: Market) -> None:
    """R13: not even the owner."""
    owner = market.providers[0].owner
    with refused("UnknownNodeKey", owner.address):
        market.escrow.commitBatch(market.commitments([market.open()]), [], [], {"from": owner.account})


def test_commit__by_a_rotated_key__is_refused(market: Market) -> None:
    """R13: the present node key."""
    lines, old = market.commitments([market.open()]), market.providers[0].node
    market.rotate(0)
    with refused("UnknownNodeKey", old.address):
        market.escrow.commitBatch(lines, [], [], {"from": old.account})


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
    rates = (market.terms.slash_bps, market.terms.challenger_bps, market.terms.detection_bps)
    needed = needed_stake(large.job.price, *rates)
    market.staking.unstake(STAKE - needed + 1, {"from": owner.account})
    with refused("StakeDoesNotDeter", owner.address, needed - 1, needed):
        commit(market, market.commitments([small, large]))
    commit(market, market.commitments([small]))
    assert market.job_state(small)[0] is JobState.COMMITTED


@pytest.mark.parametrize("outcome", [Outcome.FRAUD, Outcome.NOT_OPENED])
def test_commit__by_a_frozen_provider__stays_possible_and_waits(market: Market, outcome: Outcome) -> None:
    """R18: committing stays possible, maturing waits for the end of the freeze."""
    bad, opened = market.committed(), market.open()
    market.settle(bad, outcome=outcome)
    batch = market.commit([opened])
    assert market.job_state(opened) == (JobState.COMMITTED, RefundReason.NONE)
    assert "BatchSkipped" in market.settle(batch).events
    assert market.batch_state(batch) == (BatchState.PENDING, Outcome.NONE)


def test_commit__of_lines_begun_under_different_terms__is_refused(market: Market) -> None:
    """R13: all begun under the same terms."""
    before = market.open()
    changed = dataclasses.astuple(dataclasses.replace(market.terms, fee_bps=400))
    market.escrow.setTerms(changed, {"from": market.as_governor})
    after = market.open()
    with refused("MixedTerms", after.id, 2, 1):
        commit(market, market.commitments([before, after]))
    assert market.commit([before]).head.terms_version == 1
    assert market.commit([after]).head.terms_version == 2


def test_commit__of_a_job_opened_before_a_conviction__is_refused(market: Market) -> None:
    batch, opened = market.committed(), market.open()
    convicted_at = market.convict(batch).timestamp
    with refused("JobOfConvictedProvider", opened.id, convicted_at):
        commit(market, market.commitments([opened]))


def test_commit__in_the_last_second__stores_the_head_and_frees_the_reserve(market: Market) -> None:
    jobs = [market.open(0), market.open(1)]
    before = market.snapshot()
    at(min(job.deadline for job in jobs) - 1)
    batch = market.commit(jobs)
    assert market.changes(before) == {"reserved 0": -sum(job.job.price for job in jobs)}
    record = market.escrow.batch(batch.id)
    assert bytes(record[0]) == bytes(market.escrow.headDigest(batch.id, batch.head_tuple))[:31] + b"\x00"
    assert bytes(market.escrow.headDigest(batch.id, batch.head_tuple)) == batch.digest
    assert (batch.head.committed_at, batch.head.set_version) == (now(), market.committee.version())
    assert market.batch_state(batch) == (BatchState.PENDING, Outcome.NONE)
    for index, opened in enumerate(jobs):
        assert market.job_state(opened) == (JobState.COMMITTED, RefundReason.NONE)
        assert [int(value) for value in market.escrow.job(opened.id)[4:]] == [batch.id, index, 1]


def test_commit__after_the_set_changed__belongs_to_the_new_set(market: Market) -> None:
    """R15: the set of the commitment decides, and the escrow hears of each change at once."""
    opened = market.open()
    market.committee.resign({"from": market.oracles[3].account})
    batch = market.commit([opened])
    assert batch.head.set_version == market.committee.version() == 5
    arguments = market.settlement([batch.decision()], [batch], version=5)
    market.escrow.settle(*arguments, {"from": market.stranger.account})
    assert market.batch_state(batch) == (BatchState.MATURED, Outcome.PASS)


def test_commit__announces_every_entry(market: Market) -> None:
    """R14: and the batch's head names the block of its commitment."""
    jobs = [market.open(0), market.open(1)]
    batch = market.commit(jobs)
    event = market.commits[batch.id].events["BatchCommitted"]
    assert (event["batchId"], event["provider"]) == (1, market.providers[0].owner.address)
    assert (event["setVersion"], event["termsVersion"]) == (market.committee.version(), 1)
    assert [bytes.fromhex(str(entry[0])[2:]) for entry in event["entries"]] == [job.id for job in jobs]
    assert batch.head.committed_block == block_number()
    assert bytes(market.escrow.batch(1)[0])[:31] == batch.digest[:31]
