from __future__ import annotations

import dataclasses

import pytest

from protocol.types import JobState, Outcome, RefundReason
from tests.contracts.expect import at, refused
from tests.contracts.market import Market, returned


def test_decline__by_a_stranger__is_refused(market: Market) -> None:
    opened = market.open()
    with refused("NotProvider", opened.id, market.stranger.address):
        market.escrow.declineJob(opened.tuple, {"from": market.stranger.account})


def test_decline__by_another_provider__is_refused(market: Market) -> None:
    opened, other = market.open(), market.providers[1].node
    with refused("NotProvider", opened.id, other.address):
        market.escrow.declineJob(opened.tuple, {"from": other.account})


def test_decline__of_a_job_that_nobody_opened__is_refused(market: Market) -> None:
    opened = market.open()
    unknown = dataclasses.replace(opened.job, price=opened.job.price + 1)
    other = dataclasses.replace(opened, job=unknown)
    with refused("WrongJobState", bytes(market.escrow.jobIdOf(other.tuple)), JobState.NONE):
        market.escrow.declineJob(other.tuple, {"from": market.providers[0].owner.account})


def test_decline__when_the_start_window_is_over__is_refused(market: Market) -> None:
    """R10: until the start window's end, and not at it."""
    opened = market.open()
    until = opened.opened_at + market.terms.start_window
    at(until)
    with refused("DeclineTooLate", opened.id, until):
        market.escrow.declineJob(opened.tuple, {"from": market.providers[0].node.account})


def test_decline__twice__is_refused(market: Market) -> None:
    opened, node = market.open(), market.providers[0].node.account
    market.escrow.declineJob(opened.tuple, {"from": node})
    with refused("WrongJobState", opened.id, JobState.REFUNDED):
        market.escrow.declineJob(opened.tuple, {"from": node})


@pytest.mark.parametrize("who", ["owner", "node"])
def test_decline__in_the_last_second__returns_the_price(market: Market, who: str) -> None:
    """R10: the whole price returns."""
    opened = market.open()
    before = market.snapshot()
    at(opened.opened_at + market.terms.start_window - 1)
    sender = getattr(market.providers[0], who).account
    event = market.escrow.declineJob(opened.tuple, {"from": sender}).events["JobRefunded"]
    assert (event["amount"], event["reason"]) == (opened.job.price, RefundReason.DECLINED)
    assert event["requester"] == opened.job.requester
    assert market.changes(before) == returned(opened)
    assert market.job_state(opened) == (JobState.REFUNDED, RefundReason.DECLINED)


def test_decline__while_frozen__is_still_possible(market: Market) -> None:
    batch, opened = market.committed(), market.open()
    market.settle(batch, outcome=Outcome.FRAUD)
    market.escrow.declineJob(opened.tuple, {"from": market.providers[0].node.account})
    assert market.job_state(opened) == (JobState.REFUNDED, RefundReason.DECLINED)
