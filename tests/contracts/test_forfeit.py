from __future__ import annotations

import dataclasses

import pytest

from protocol.economics import slashed
from protocol.types import BatchState, JobState, Outcome, RefundReason
from tests.contracts.expect import at, now, refused
from tests.contracts.market import STAKE, Market


def test_forfeit__of_a_pending_batch__is_refused(market: Market) -> None:
    batch = market.committed()
    with refused("WrongBatchState", batch.id, BatchState.PENDING):
        market.forfeit(batch)


def test_forfeit__of_a_batch_that_does_not_exist__is_refused(market: Market) -> None:
    batch = dataclasses.replace(market.committed(), id=9)
    with refused("HeadMismatch", 9, batch.digest, bytes(32)):
        market.forfeit(batch)


def test_forfeit__of_a_matured_batch__is_refused(market: Market) -> None:
    batch = market.committed()
    market.settle(batch)
    with refused("WrongBatchState", batch.id, BatchState.MATURED):
        market.forfeit(batch)


@pytest.mark.parametrize(
    ("outcome", "window"), [(Outcome.FRAUD, "appeal_window"), (Outcome.NOT_OPENED, "last_chance")]
)
def test_forfeit__a_second_before_the_window_ends__is_refused(
    market: Market, outcome: Outcome, window: str
) -> None:
    """R18, R21: the freeze lasts the whole window."""
    batch = market.committed()
    frozen = market.settle(batch, outcome=outcome)
    until = frozen.timestamp + getattr(market.terms, window)
    at(until - 1)
    with refused("TooEarly", batch.id, until):
        market.forfeit(batch)


def test_forfeit__with_other_entries__is_refused(market: Market) -> None:
    batch = market.committed(2)
    market.settle(batch, outcome=Outcome.FRAUD)
    at(market.frozen_until(batch))
    short = dataclasses.replace(batch, entries=batch.entries[:1])
    with refused("EntriesMismatch", batch.id, short.hash, batch.hash):
        market.forfeit(short)


def test_forfeit__twice__is_refused(market: Market) -> None:
    batch = market.committed()
    market.convict(batch)
    with refused("WrongBatchState", batch.id, BatchState.FORFEITED):
        market.forfeit(batch)


def test_freeze__by_a_quorum__holds_the_provider_and_moves_no_money(market: Market) -> None:
    """R18: batch and provider are frozen."""
    batch = market.committed()
    before = market.snapshot()
    event = market.settle(batch, outcome=Outcome.FRAUD).events["BatchFrozen"]
    assert event["until"] == market.frozen_until(batch) == now() + market.terms.appeal_window
    assert market.changes(before) == {}
    assert market.batch_state(batch) == (BatchState.FROZEN, Outcome.FRAUD)
    assert market.job_state(batch.entries[0]) == (JobState.COMMITTED, RefundReason.NONE)
    assert market.escrow.providerRecord(market.providers[0].owner.address)[3] == batch.id


def test_forfeit__at_the_end_of_the_appeal_window__refunds_in_full_and_slashes_once(market: Market) -> None:
    """R19: slashBps of what is active and of what is unstaking, condemned to be burned."""
    batch = market.committed(2)
    owner = market.providers[0].owner
    market.staking.unstake(STAKE // 4, {"from": owner.account})
    before = market.snapshot()
    sent = market.convict(batch)
    loss = slashed([STAKE - STAKE // 4, STAKE // 4], market.terms.slash_bps)
    assert market.changes(before) == {
        "requester 0": batch.entries[0].price,
        "requester 1": batch.entries[1].price,
        "exposure": -batch.price,
        "stake 0": -loss,
        "condemned": loss,
    }
    event = sent.events["ProviderConvicted"]
    assert (event["provider"], event["batchId"], event["slashed"]) == (owner.address, batch.id, loss)
    assert [e["reason"] for e in sent.events["JobRefunded"]] == [RefundReason.FRAUD] * 2
    assert sent.events["BatchForfeited"]["batchId"] == batch.id
    assert market.batch_state(batch) == (BatchState.FORFEITED, Outcome.FRAUD)
    assert market.job_state(batch.entries[0]) == (JobState.REFUNDED, RefundReason.FRAUD)
    record = market.escrow.providerRecord(owner.address)
    assert [int(value) for value in record] == [0, now(), batch.id, 0, 0]


def test_forfeit__of_a_batch_that_nobody_opened__refunds_in_full_and_slashes(market: Market) -> None:
    """R21: nothing was posted within the last chance."""
    batch = market.committed(2)
    before = market.snapshot()
    sent = market.convict(batch, Outcome.NOT_OPENED)
    loss = slashed([STAKE], market.terms.slash_bps)
    assert market.changes(before) == {
        "requester 0": batch.entries[0].price,
        "requester 1": batch.entries[1].price,
        "exposure": -batch.price,
        "stake 0": -loss,
        "condemned": loss,
    }
    assert [e["reason"] for e in sent.events["JobRefunded"]] == [RefundReason.NOT_OPENED] * 2
    assert market.batch_state(batch) == (BatchState.FORFEITED, Outcome.NOT_OPENED)
    assert market.job_state(batch.entries[1]) == (JobState.REFUNDED, RefundReason.NOT_OPENED)


def test_forfeit__of_three_batches__returns_all_pay_and_slashes_once(market: Market) -> None:
    """R20: every pending entry returns in full; R19: for one slash."""
    first, second, third = (market.committed(2) for _ in range(3))
    foreign = market.committed(provider=1)
    before = market.snapshot()
    market.convict(second)
    for batch in (first, third):
        sent = market.forfeit(batch)
        assert "ProviderConvicted" not in sent.events
        assert market.batch_state(batch) == (BatchState.FORFEITED, Outcome.NONE)
        assert market.job_state(batch.entries[0]) == (JobState.REFUNDED, RefundReason.CONVICTED)
    loss = slashed([STAKE], market.terms.slash_bps)
    half = sum(batch.entries[0].price for batch in (first, second, third))
    assert market.changes(before) == {
        "requester 0": half,
        "requester 1": half,
        "exposure": -2 * half,
        "stake 0": -loss,
        "condemned": loss,
    }
    market.settle(foreign)
    assert market.batch_state(foreign) == (BatchState.MATURED, Outcome.PASS)


def test_forfeit__of_another_providers_batch_below_the_mark__is_refused(market: Market) -> None:
    foreign, bad = market.committed(provider=1), market.committed()
    market.convict(bad)
    with refused("WrongBatchState", foreign.id, BatchState.PENDING):
        market.forfeit(foreign)


def test_forfeit__of_a_batch_after_the_conviction__is_refused(market: Market) -> None:
    convicted_at = market.convict(market.committed()).timestamp
    batch = market.committed_after(convicted_at)
    with refused("WrongBatchState", batch.id, BatchState.PENDING):
        market.forfeit(batch)


def test_forfeit__second_conviction__slashes_what_is_left(market: Market) -> None:
    convicted_at = market.convict(market.committed()).timestamp
    left = STAKE - slashed([STAKE], market.terms.slash_bps)
    event = market.convict(market.committed_after(convicted_at)).events["ProviderConvicted"]
    assert event["slashed"] == slashed([left], market.terms.slash_bps)


def test_forfeit__when_everything_is_unstaking_since_before_the_fraud__still_slashes(market: Market) -> None:
    """R23: the longest way of a batch ends before the unstake delay does."""
    batch, owner = market.committed(), market.providers[0].owner
    market.staking.unstake(STAKE, {"from": owner.account})
    at(batch.committed_at + market.terms.maturity_window + market.terms.evidence_window - 1)
    market.settle(batch, outcome=Outcome.FRAUD)
    at(market.frozen_until(batch))
    sent = market.forfeit(batch)
    assert sent.events["ProviderConvicted"]["slashed"] == slashed([STAKE], market.terms.slash_bps)


def test_forfeit__of_a_provider_without_stake__still_refunds(market: Market) -> None:
    """Late and unlikely, but the requester's money must never depend on what is left to slash."""
    batch, owner = market.committed(), market.providers[0].owner
    market.staking.unstake(STAKE, {"from": owner.account})
    at(now() + market.plan.unstake_delay + 1)
    market.staking.withdraw({"from": owner.account})
    before = market.snapshot()
    assert market.convict(batch).events["ProviderConvicted"]["slashed"] == 0
    assert market.changes(before) == {"requester 0": batch.price, "exposure": -batch.price}
