"""NOT_OPENED and the last chance after it: openings posted on-chain, once, for everyone to read."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from protocol.economics import fee, slashed
from protocol.types import BatchState, JobState, Outcome, RefundReason
from tests.contracts.expect import NOBODY, at, numbers, refused
from tests.contracts.market import STAKE, Market
from tests.contracts.nouns import Batch

OPENED_ON_CHAIN = 5
LIMIT = 128 * 1024


def unopened(market: Market, count: int = 1) -> Batch:
    batch = market.committed(count)
    market.freeze(batch, Outcome.NOT_OPENED)
    return batch


def reopened(market: Market, count: int = 1) -> tuple[Batch, int]:
    """A batch that is pending again, and the second in which its openings were posted."""
    batch = unopened(market, count)
    at(market.frozen_until(batch) - 1)
    return batch, market.post_openings(batch).timestamp


def skipped(sent: Any) -> list[int]:
    return [int(event["reason"]) for event in sent.events["BatchSkipped"]]


def test_post__by_anybody_else__is_refused(market: Market) -> None:
    """R45: only the provider's owner or node key."""
    batch = unopened(market)
    for who in (market.stranger, market.providers[1].node, market.oracles[0]):
        with refused("NotProvider", batch.id.to_bytes(32, "big"), who.address):
            market.escrow.postOpenings(batch.id, batch.head_tuple, [b"x"], {"from": who.account})


def test_post__with_another_head__is_refused(market: Market) -> None:
    batch = unopened(market)
    forged = dataclasses.replace(batch, head=dataclasses.replace(batch.head, committed_at=1))
    kept = batch.digest[:31] + b"\0"
    with refused("HeadMismatch", batch.id, forged.digest, kept):
        market.post_openings(forged)


@pytest.mark.parametrize("outcome", [Outcome.NONE, Outcome.PASS, Outcome.FRAUD])
def test_post__for_a_batch_that_nobody_found_unopened__is_refused(market: Market, outcome: Outcome) -> None:
    """R45: there is no other use of it."""
    batch = market.committed()
    if outcome is not Outcome.NONE:
        market.settle(batch, outcome=outcome)
    with refused("NothingToOpen", batch.id, outcome):
        market.post_openings(batch)


def test_post__when_the_last_chance_is_over__is_refused(market: Market) -> None:
    """R45: half-open: in the second in which anyone may forfeit."""
    batch = market.committed()
    until = market.freeze(batch, Outcome.NOT_OPENED)
    at(until)
    with refused("TooLate", batch.id, until):
        market.post_openings(batch)


@pytest.mark.parametrize("openings", [[], [b""], [b"x" * LIMIT, b"y"]])
def test_post__of_nothing_or_too_much__is_refused(market: Market, openings: list[bytes]) -> None:
    """R45: at most 128 KiB in all."""
    batch = unopened(market)
    with refused("OpeningsTooLarge", sum(map(len, openings)), LIMIT):
        market.post_openings(batch, openings)


def test_post__after_a_conviction__is_refused(market: Market) -> None:
    """R45: a conviction reaches a batch that waits for its openings as well."""
    first, second = market.committed(), market.committed()
    until = market.freeze(first, Outcome.NOT_OPENED)
    at(until - 5)
    market.settle(second, outcome=Outcome.NOT_OPENED)
    at(until)
    market.forfeit(first)
    with refused("BatchOfConvictedProvider", second.id, second.id):
        market.post_openings(second)
    market.forfeit(second)
    assert market.job_state(second.entries[0]) == (JobState.REFUNDED, RefundReason.CONVICTED)


def test_post__a_second_time__is_refused(market: Market) -> None:
    """R46: one last chance a batch."""
    batch, _ = reopened(market)
    with refused("NothingToOpen", batch.id, Outcome.NONE):
        market.post_openings(batch)


@pytest.mark.parametrize("who", ["owner", "node"])
def test_post__in_the_last_second__makes_the_batch_pending_again(market: Market, who: str) -> None:
    """R45: the provider is free again, and no money moves."""
    batch = market.committed()
    until = market.freeze(batch, Outcome.NOT_OPENED)
    before = market.snapshot()
    at(until - 1)
    sender = {"from": getattr(market.providers[0], who).account}
    largest = [b"\x01" * (LIMIT - 3), b"abc"]
    event = market.escrow.postOpenings(batch.id, batch.head_tuple, largest, sender).events["OpeningsPosted"]
    assert [len(opening) for opening in event["openings"]] == [LIMIT - 3, 3]
    assert (event["batchId"], event["provider"]) == (batch.id, market.providers[0].owner.address)
    assert market.changes(before) == {}
    assert market.batch_state(batch) == (BatchState.PENDING, Outcome.NONE)
    assert numbers(market.escrow.freezeOf(batch.id)) == (until, until - 1, False)
    assert market.escrow.providerRecord(market.providers[0].owner.address)[3] == 0
    market.open()


def test_freeze__for_not_opened__lasts_the_last_chance(market: Market) -> None:
    """R21: it moves no money and names its end."""
    batch = market.committed()
    before = market.snapshot()
    sent = market.settle(batch, outcome=Outcome.NOT_OPENED)
    event = sent.events["BatchFrozen"]
    assert (event["outcome"], event["until"]) == (Outcome.NOT_OPENED, sent.timestamp + market.terms.last_chance)
    assert market.changes(before) == {}
    assert market.batch_state(batch) == (BatchState.FROZEN, Outcome.NOT_OPENED)


def test_forfeit__before_the_last_chance_is_over__is_refused(market: Market) -> None:
    batch = market.committed()
    until = market.freeze(batch, Outcome.NOT_OPENED)
    at(until - 1)
    with refused("TooEarly", batch.id, until):
        market.forfeit(batch)


def test_forfeit__after_the_last_chance__refunds_and_slashes(market: Market) -> None:
    """R21: silence after the draw is fraud."""
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
    event = sent.events["ProviderConvicted"]
    assert (event["batchId"], event["slashed"], event["through"]) == (batch.id, loss, batch.id)
    assert [e["reason"] for e in sent.events["JobRefunded"]] == [RefundReason.NOT_OPENED] * 2
    assert market.batch_state(batch) == (BatchState.FORFEITED, Outcome.NOT_OPENED)
    assert market.job_state(batch.entries[1]) == (JobState.REFUNDED, RefundReason.NOT_OPENED)


def test_not_opened__after_the_openings_were_posted__is_skipped(market: Market) -> None:
    """R46: twice is impossible: from then on oracles judge what was posted."""
    batch, _ = reopened(market)
    before = market.snapshot()
    assert skipped(market.settle(batch, outcome=Outcome.NOT_OPENED)) == [OPENED_ON_CHAIN]
    assert market.changes(before) == {}
    assert market.batch_state(batch) == (BatchState.PENDING, Outcome.NONE)


def test_reopened__then_pass__is_paid(market: Market) -> None:
    batch, _ = reopened(market)
    before = market.snapshot()
    market.settle(batch)
    taken = fee(batch.amount, market.terms.fee_bps)
    rest = batch.price - batch.amount
    assert market.changes(before) == {
        "provider 0": batch.amount - taken,
        "requester 0": rest,
        "fees": taken,
        "exposure": -batch.price,
    }


def test_reopened__then_fraud__is_frozen_for_the_appeal_window_and_convicts(market: Market) -> None:
    """R46: rubbish posted as an opening is fraud like any other."""
    batch, _ = reopened(market)
    sent = market.settle(batch, outcome=Outcome.FRAUD)
    until = sent.timestamp + market.terms.appeal_window
    assert market.frozen_until(batch) == until
    at(until)
    assert "ProviderConvicted" in market.forfeit(batch).events
    assert market.batch_state(batch) == (BatchState.FORFEITED, Outcome.FRAUD)


def test_reopened__then_a_conviction_elsewhere__is_forfeited(market: Market) -> None:
    batch, _ = reopened(market)
    market.convict(market.committed())
    market.forfeit(batch)
    assert market.batch_state(batch) == (BatchState.FORFEITED, Outcome.NONE)


def test_reopened__then_silence__matures_by_default_after_the_whole_wait_again(market: Market) -> None:
    """R46: the default counts from the posting, so that rubbish posted in the last second is not paid at once."""
    batch, opened_at = reopened(market)
    start = opened_at + market.terms.maturity_window + market.terms.evidence_window
    assert start > market.default_from(batch)
    at(start - 1)
    with refused("TooEarly", batch.id, start):
        market.mature_by_default(batch)
    at(start)
    market.mature_by_default(batch)
    assert market.batch_state(batch) == (BatchState.MATURED, Outcome.DEFAULT)


def test_reopened__receipts__are_taken_until_the_new_limit(market: Market) -> None:
    batch, opened_at = reopened(market)
    receipts = [market.receipts(batch.entries[0].answer_digest)]
    limit = opened_at + market.terms.maturity_window + market.terms.evidence_window
    at(limit - 1)
    market.escrow.recordStored(*batch.arguments, [0], receipts, {"from": market.stranger.account})
    at(limit)
    with refused("TooLate", batch.id, limit):
        market.escrow.recordStored(*batch.arguments, [0], receipts, {"from": market.stranger.account})
    market.mature_by_default(batch)
    assert market.job_state(batch.entries[0]) == (JobState.SETTLED, RefundReason.NONE)


def test_reopened__its_stake__cannot_have_left_before_the_last_conviction(market: Market) -> None:
    """R23: a batch that is found unopened at the last moment, posted at the last moment and found fraudulent at the
    last moment still finds the whole stake, though all of it was being unstaked since the commitment."""
    batch, owner = market.committed(), market.providers[0].owner
    market.staking.unstake(STAKE, {"from": owner.account})
    at(market.default_from(batch) - 1)
    until = market.freeze(batch, Outcome.NOT_OPENED)
    at(until - 1)
    opened_at = market.post_openings(batch).timestamp
    at(opened_at + market.terms.maturity_window + market.terms.evidence_window - 1)
    until = market.freeze(batch, Outcome.FRAUD)
    at(until + market.plan.court.ruling_window)
    loss = slashed([STAKE], market.terms.slash_bps)
    assert market.forfeit(batch).events["ProviderConvicted"]["slashed"] == loss
    assert market.staking.provider(owner.address)[2] != NOBODY
