from __future__ import annotations

from protocol.types import JobState, RefundReason
from tests.contracts.expect import at, now, refused
from tests.contracts.market import Market, returned


def test_refund__a_second_before_the_deadline__is_refused(market: Market) -> None:
    """R12: not before the deadline."""
    opened = market.open()
    at(opened.deadline - 1)
    with refused("DeadlineNotReached", opened.id, opened.deadline):
        market.escrow.refundJob(opened.tuple, {"from": market.requesters[0].account})


def test_refund__of_a_committed_job__is_refused(market: Market) -> None:
    opened = market.open()
    market.commit([opened])
    at(opened.deadline)
    with refused("WrongJobState", opened.id, JobState.COMMITTED):
        market.escrow.refundJob(opened.tuple, {"from": market.stranger.account})


def test_refund__twice__is_refused(market: Market) -> None:
    """R3: refunded exactly once."""
    opened = market.open()
    at(opened.deadline)
    market.escrow.refundJob(opened.tuple, {"from": market.stranger.account})
    with refused("WrongJobState", opened.id, JobState.REFUNDED):
        market.escrow.refundJob(opened.tuple, {"from": market.stranger.account})


def test_refund__at_the_deadline_by_anyone__returns_the_price(market: Market) -> None:
    """R12: from the deadline on, by a stranger."""
    opened = market.open()
    before = market.snapshot()
    at(opened.deadline)
    event = market.escrow.refundJob(opened.tuple, {"from": market.stranger.account}).events["JobRefunded"]
    assert (event["requester"], event["amount"]) == (opened.job.requester, opened.job.price)
    assert event["reason"] == RefundReason.EXPIRED
    assert market.changes(before) == returned(opened)
    assert market.job_state(opened) == (JobState.REFUNDED, RefundReason.EXPIRED)


def test_refund__of_a_convicted_provider__is_possible_at_once(market: Market) -> None:
    """R20: an open job returns in full, before its deadline."""
    batch, opened = market.committed(), market.open()
    market.convict(batch)
    assert now() < opened.deadline
    before = market.snapshot()
    event = market.escrow.refundJob(opened.tuple, {"from": market.stranger.account}).events["JobRefunded"]
    assert event["reason"] == RefundReason.CONVICTED
    assert market.changes(before) == returned(opened)
    assert market.job_state(opened) == (JobState.REFUNDED, RefundReason.CONVICTED)


def test_refund__of_a_job_opened_after_the_conviction__waits_for_its_deadline(market: Market) -> None:
    convicted_at = market.convict(market.committed()).timestamp
    at(convicted_at + 1)
    opened = market.open()
    with refused("DeadlineNotReached", opened.id, opened.deadline):
        market.escrow.refundJob(opened.tuple, {"from": market.stranger.account})


def test_refund__of_a_convicted_provider__leaves_other_providers_jobs(market: Market) -> None:
    batch, opened = market.committed(), market.open(provider=1)
    market.convict(batch)
    with refused("DeadlineNotReached", opened.id, opened.deadline):
        market.escrow.refundJob(opened.tuple, {"from": market.stranger.account})
