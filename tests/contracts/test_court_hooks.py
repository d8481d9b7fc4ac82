"""What the court, and nobody else, may do with a freeze and with a provider."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from protocol.economics import challenger_share, fee, slashed
from protocol.types import BatchState, JobState, Outcome, RefundReason
from protocol.units import TOKEN
from tests.contracts.expect import at, now, numbers, refused
from tests.contracts.market import STAKE, Market
from tests.contracts.nouns import Batch

LOSS = slashed([STAKE], 4_000)
"""Of a provider of the stage."""


def slash_epoch(market: Market) -> int:
    """Begins a slash epoch; returns the second at which the next one begins."""
    length = market.terms.slash_epoch
    start = (now() // length + 1) * length
    at(start)
    market.token.approve(market.stranger.address, 0, {"from": market.stranger.account})
    return start + length


@pytest.mark.parametrize("name", ["holdFreeze", "releaseFreeze", "convict"])
def test_court_hooks__by_anybody_else__are_refused(market: Market, name: str) -> None:
    """R48: not even governance, the guardian or an oracle."""
    batch = market.committed()
    until = market.freeze(batch)
    given = {"holdFreeze": (batch.id, until), "releaseFreeze": batch.arguments}
    arguments = given.get(name, (batch.id, batch.head_tuple, market.stranger.address, 1))
    people = (market.stranger, market.oracles[0], market.guardian, market.providers[0].owner)
    for who in (*(person.account for person in people), market.as_governor):
        with refused("OnlyCourt", str(who)):
            getattr(market.escrow, name)(*arguments, {"from": who})


@pytest.mark.parametrize("outcome", [Outcome.NONE, Outcome.NOT_OPENED])
def test_court_hooks__for_a_batch_not_frozen_for_fraud__are_refused(market: Market, outcome: Outcome) -> None:
    batch = market.committed()
    if outcome is not Outcome.NONE:
        market.freeze(batch, outcome)
    state, court = market.batch_state(batch)[0], market.as_court
    with refused("WrongBatchState", batch.id, state):
        market.escrow.holdFreeze(batch.id, now() + 9_999, {"from": court})
    with refused("WrongBatchState", batch.id, state):
        market.escrow.releaseFreeze(*batch.arguments, {"from": court})


def test_hold__once_and_afterwards_only_to_end_it(market: Market) -> None:
    """R48: a freeze is lengthened once; a second time it can only become shorter."""
    batch, court = market.committed(), market.as_court
    until = market.freeze(batch)
    event = market.escrow.holdFreeze(batch.id, until + 50, {"from": court}).events["BatchHeld"]
    assert event["until"] == market.frozen_until(batch) == until + 50
    for later in (until + 50, until + 51):
        with refused("AppealedAlready", batch.id):
            market.escrow.holdFreeze(batch.id, later, {"from": court})
    market.escrow.holdFreeze(batch.id, now(), {"from": court})
    assert numbers(market.escrow.freezeOf(batch.id))[1:] == (0, True)
    assert "ProviderConvicted" in market.forfeit(batch).events


def test_release__after_a_conviction__is_refused(market: Market) -> None:
    """R20: what a conviction reaches is never paid, whatever the court says later."""
    first, second = market.committed(), market.committed()
    market.settle(first, outcome=Outcome.FRAUD)
    until = market.frozen_until(first)
    at(until - 1)
    market.settle(second, outcome=Outcome.FRAUD)
    at(until)
    market.forfeit(first)
    with refused("BatchOfConvictedProvider", second.id, second.id):
        market.escrow.releaseFreeze(*second.arguments, {"from": market.as_court})


def test_release__of_a_wrong_freeze__pays_as_pass_does(market: Market) -> None:
    """R48: the provider opens again."""
    batch = market.committed()
    market.freeze(batch)
    before = market.snapshot()
    sent = market.escrow.releaseFreeze(*batch.arguments, {"from": market.as_court})
    taken = fee(batch.amount, market.terms.fee_bps)
    rest = batch.price - batch.amount
    paid = {"provider 0": batch.amount - taken, "requester 0": rest, "fees": taken}
    assert market.changes(before) == paid | {"exposure": -batch.price}
    assert sent.events["BatchReleased"]["batchId"] == batch.id
    assert market.batch_state(batch) == (BatchState.MATURED, Outcome.PASS)
    market.open()


def conviction(market: Market, batch: Batch, share: int) -> Any:
    arguments = (batch.id, batch.head_tuple, market.requesters[0].address, share)
    return market.escrow.convict(*arguments, {"from": market.as_court})


def test_convict__over_the_ceiling__is_refused_until_the_next_epoch(market: Market) -> None:
    """R47: the court's convictions count as well."""
    owner, more = market.providers[1].owner, market.terms.slash_ceiling * 2
    market.fund(owner, market.staking, more)
    market.staking.stake(more, {"from": owner.account})
    first, second = market.committed(), market.committed(provider=1)
    next_epoch = slash_epoch(market)
    conviction(market, first, 0)
    with refused("SlashCeilingReached", LOSS, market.terms.slash_ceiling):
        conviction(market, second, 0)
    at(next_epoch)
    conviction(market, second, 0)


@pytest.mark.parametrize("share", [3 * TOKEN, 2**96 - 1])
def test_convict__of_a_pending_batch__slashes_and_caps_the_challengers_share(market: Market, share: int) -> None:
    """R47: at most challengerBps of the ceiling, which is what the coverage sets aside."""
    batch = market.committed()
    before = market.snapshot()
    conviction(market, batch, share)
    most = market.terms.slash_ceiling * market.terms.challenger_bps // 10_000
    award = challenger_share(LOSS, market.terms.challenger_bps, min(share, most))
    changed = {"stake 0": -LOSS, "award of requester 0": award, "condemned": LOSS - award}
    assert market.changes(before) == changed
    market.forfeit(batch)
    assert market.job_state(batch.entries[0]) == (JobState.REFUNDED, RefundReason.CONVICTED)


def test_require_batch__of_other_heads_or_entries__is_refused(market: Market) -> None:
    """R48: what the court is shown is what was committed."""
    batch = market.committed(2)
    record = market.escrow.requireBatch(*batch.arguments)
    assert (BatchState(int(record[1])), Outcome(int(record[2]))) == (BatchState.PENDING, Outcome.NONE)
    short = dataclasses.replace(batch, entries=batch.entries[:1])
    with refused("EntriesMismatch", batch.id, short.hash, batch.hash):
        market.escrow.requireBatch(*short.arguments)
    other = dataclasses.replace(batch, head=dataclasses.replace(batch.head, set_version=3))
    with refused("HeadMismatch", batch.id, other.digest, batch.digest[:31] + b"\0"):
        market.escrow.requireBatch(*other.arguments)
