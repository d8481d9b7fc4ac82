"""The guardian's pause stops openings of jobs and sessions; every other call of the escrow goes its way."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from brownie import interface

from protocol.types import Outcome
from protocol.units import TOKEN
from tests.contracts.expect import at, now, refused
from tests.contracts.market import Market
from tests.contracts.nouns import Batch, Opened, OpenedSession, person

STOPPED = ("openJob", "openSession")
WEEK = 7 * 86_400


class Before:
    """What was begun before the pause: something for every exit."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.jobs: list[Opened] = [market.open(n % 2) for n in range(3)]
        self.brief = market.open(duration=100)
        self.sessions: list[OpenedSession] = [market.open_session(requester=n) for n in range(2)]
        self.batches: list[Batch] = [market.committed() for _ in range(2)]
        self.key = person(f"key {market.number()}")
        market.authorise(self.key)
        market.close_session(self.sessions[1])
        self.start = now()
        market.escrow.pause(now() + WEEK, {"from": market.guardian.account})

    def frozen(self, outcome: Outcome = Outcome.FRAUD) -> Batch:
        self.market.freeze(self.batches[0], outcome)
        return self.batches[0]

    def as_requester(self) -> dict[str, Any]:
        return {"from": self.market.requesters[0].account}

    def as_provider(self) -> dict[str, Any]:
        return {"from": self.market.providers[0].owner.account}

    def as_anyone(self) -> dict[str, Any]:
        return {"from": self.market.stranger.account}


def refund(its: Before) -> Any:
    at(its.brief.deadline)
    return its.market.escrow.refundJob(its.brief.tuple, its.as_anyone())


def finish(its: Before) -> Any:
    at(its.start + its.market.terms.claim_delay)
    return its.market.finish_session(its.sessions[1])


def default(its: Before) -> Any:
    at(its.market.default_from(its.batches[1]))
    return its.market.mature_by_default(its.batches[1])


def forfeit(its: Before) -> Any:
    at(its.market.frozen_until(its.frozen()))
    return its.market.forfeit(its.batches[0])


def permit(its: Before) -> Any:
    who = its.market.requesters[0]
    signed = its.market.permit(who, its.market.escrow, 5, 2**40)
    return its.market.escrow.depositWithPermit(5, 2**40, *signed, its.as_requester())


def stored(its: Before) -> Any:
    batch = its.batches[0]
    receipts = [its.market.receipts(batch.entries[0].answer_digest)]
    return its.market.escrow.recordStored(*batch.arguments, [0], receipts, its.as_anyone())


def conviction(its: Before) -> Any:
    batch, nobody = its.batches[0], its.market.stranger.address
    return its.market.escrow.convict(batch.id, batch.head_tuple, nobody, 0, {"from": its.market.as_court})


def opened_again(its: Before) -> Any:
    return its.market.post_openings(its.frozen(Outcome.NOT_OPENED))


GOES_ON: dict[str, Callable[[Before], Any]] = {
    "deposit": lambda its: its.market.escrow.deposit(5, its.as_requester()),
    "depositWithPermit": permit,
    "withdraw": lambda its: its.market.escrow.withdraw(TOKEN, its.as_requester()),
    "burnFees": lambda its: its.market.escrow.burnFees(its.as_anyone()),
    "revokeOffers": lambda its: its.market.escrow.revokeOffers(9, its.as_provider()),
    "declineJob": lambda its: its.market.escrow.declineJob(its.jobs[0].tuple, its.as_provider()),
    "cancelJob": lambda its: its.market.escrow.cancelJob(its.jobs[0].tuple, its.as_requester()),
    "refundJob": refund,
    "topUpSession": lambda its: its.market.top_up(its.sessions[0], 5),
    "closeSession": lambda its: its.market.close_session(its.sessions[0]),
    "finishSession": finish,
    "authoriseKey": lambda its: its.market.authorise(person(f"later key {its.market.number()}")),
    "revokeKey": lambda its: its.market.escrow.revokeKey(its.key.address, its.as_requester()),
    "commitBatch": lambda its: its.market.commit(its.jobs, vouchers=[its.market.voucher(its.sessions[1], 5)]),
    "settle": lambda its: its.market.settle(its.batches[0]),
    "postOpenings": opened_again,
    "recordStored": stored,
    "matureByDefault": default,
    "forfeit": forfeit,
    "holdFreeze": lambda its: its.market.escrow.holdFreeze(
        its.frozen().id, now() + 10_000, {"from": its.market.as_court}
    ),
    "releaseFreeze": lambda its: its.market.escrow.releaseFreeze(
        *its.frozen().arguments, {"from": its.market.as_court}
    ),
    "convict": conviction,
    "refreshCoverage": lambda its: its.market.escrow.refreshCoverage(its.as_anyone()),
    "setTerms": lambda its: its.market.escrow.setTerms(
        list(dataclasses.astuple(its.market.terms)), {"from": its.market.as_governor}
    ),
    "setGuardian": lambda its: its.market.escrow.setGuardian(
        its.market.stranger.address, {"from": its.market.as_governor}
    ),
    "pause": lambda its: its.market.escrow.pause(0, {"from": its.market.guardian.account}),
}


def test_this_file__names_every_function_that_changes_state() -> None:
    """R69: a function that is added later is stopped or goes on by decision, not by accident."""
    changing = {
        its["name"]
        for its in interface.IJobEscrow.abi
        if its["type"] == "function" and its["stateMutability"] not in ("view", "pure")
    }
    assert changing == {*STOPPED, *GOES_ON}


@pytest.mark.parametrize("name", GOES_ON)
def test_pause__goes_on(market: Market, name: str) -> None:
    """R69: no exit, no dispute, no opening of a transcript and no maturity can be paused."""
    its = Before(market)
    GOES_ON[name](its)
    if name != "pause":
        assert int(market.escrow.pausedUntil()) > now()


def test_pause__longer_than_a_week_or_by_a_stranger__is_refused(market: Market) -> None:
    """R69: it ends by itself."""
    start = now() + 10
    at(start)
    with refused("PauseTooLong", start + WEEK + 1, start + WEEK):
        market.escrow.pause(start + WEEK + 1, {"from": market.guardian.account})
    with refused("OnlyGuardian", market.stranger.address):
        market.escrow.pause(start, {"from": market.stranger.account})


@pytest.mark.parametrize("name", STOPPED)
def test_pause__stops_an_opening_until_its_last_second(market: Market, name: str) -> None:
    """R69: half-open, and ended early by a pause until the past."""
    until = now() + 100
    market.escrow.pause(until, {"from": market.guardian.account})
    attempt = market.open if name == "openJob" else market.open_session
    at(until - 1)
    with refused("Paused", until):
        attempt()
    at(until)
    attempt()
    market.escrow.pause(now() + WEEK, {"from": market.guardian.account})
    market.escrow.pause(0, {"from": market.guardian.account})
    attempt()


def test_pause__reaches_no_term(market: Market) -> None:
    """A change of terms during a pause leaves the pause, and the pause leaves the terms."""
    until = now() + 1_000
    market.escrow.pause(until, {"from": market.guardian.account})
    values = list(dataclasses.astuple(dataclasses.replace(market.terms, fee_bps=1)))
    market.escrow.setTerms(values, {"from": market.as_governor})
    assert int(market.escrow.pausedUntil()) == until
    with refused("Paused", until):
        market.open()
