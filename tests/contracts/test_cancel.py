from __future__ import annotations

from protocol.types import JobState, RefundReason
from tests.contracts.expect import at, refused
from tests.contracts.market import Market, returned


def test_cancel__by_another_requester__is_refused(market: Market) -> None:
    opened, other = market.open(), market.requesters[1]
    with refused("NotRequester", opened.id, other.address):
        market.escrow.cancelJob(opened.tuple, {"from": other.account})


def test_cancel__of_a_committed_job__is_refused(market: Market) -> None:
    opened = market.open()
    market.commit([opened])
    with refused("WrongJobState", opened.id, JobState.COMMITTED):
        market.escrow.cancelJob(opened.tuple, {"from": market.requesters[0].account})


def test_cancel__when_the_deadline_is_as_near__is_refused(market: Market) -> None:
    """R11: never later than it was, nor the same."""
    opened = market.open()
    at(opened.deadline - market.terms.cancel_delay)
    with refused("CancelChangesNothing", opened.id, opened.deadline):
        market.escrow.cancelJob(opened.tuple, {"from": market.requesters[0].account})


def test_cancel__a_second_earlier__shortens_the_deadline_by_one(market: Market) -> None:
    """R11: to cancelDelay from now."""
    opened = market.open()
    at(opened.deadline - market.terms.cancel_delay - 1)
    event = market.escrow.cancelJob(opened.tuple, {"from": market.requesters[0].account}).events[
        "JobCancelAsked"
    ]
    assert event["deadline"] == market.escrow.job(opened.id)[3] == opened.deadline - 1


def test_cancel__twice__is_refused(market: Market) -> None:
    opened, sender = market.open(), market.requesters[0].account
    deadline = market.escrow.cancelJob(opened.tuple, {"from": sender}).events["JobCancelAsked"]["deadline"]
    with refused("CancelChangesNothing", opened.id, deadline):
        market.escrow.cancelJob(opened.tuple, {"from": sender})


def test_cancel__then_the_provider_commits_in_time__the_work_is_paid(market: Market) -> None:
    """R11: finished work is still committed and paid."""
    opened = market.open()
    market.escrow.cancelJob(opened.tuple, {"from": market.requesters[0].account})
    at(market.escrow.job(opened.id)[3] - 1)
    batch = market.commit([opened])
    assert market.job_state(opened) == (JobState.COMMITTED, RefundReason.NONE)
    market.settle(batch)
    assert market.job_state(opened) == (JobState.SETTLED, RefundReason.NONE)


def test_cancel__then_nobody_commits__anyone_refunds_at_the_new_deadline(market: Market) -> None:
    opened = market.open()
    before = market.snapshot()
    sent = market.escrow.cancelJob(opened.tuple, {"from": market.requesters[0].account})
    deadline = sent.timestamp + market.terms.cancel_delay
    assert market.job_state(opened) == (JobState.OPEN, RefundReason.CANCELLED)
    at(deadline - 1)
    with refused("DeadlineNotReached", opened.id, deadline):
        market.escrow.refundJob(opened.tuple, {"from": market.stranger.account})
    at(deadline)
    event = market.escrow.refundJob(opened.tuple, {"from": market.stranger.account}).events["JobRefunded"]
    assert event["reason"] == RefundReason.CANCELLED
    assert market.changes(before) == returned(opened)
    assert market.job_state(opened) == (JobState.REFUNDED, RefundReason.CANCELLED)
