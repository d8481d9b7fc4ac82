"""Freezes: their ceiling an epoch, and what they hold."""

from __future__ import annotations

import dataclasses
from typing import Any

from protocol.economics import slashed
from protocol.types import BatchState, JobState, Outcome, RefundReason
from protocol.units import TOKEN
from tests.contracts.expect import at, now, refused
from tests.contracts.market import STAKE, Market

PROVIDER_FROZEN, PROVIDER_CONVICTED, SLASH_CEILING = range(2, 5)
LOSS = slashed([STAKE], 4_000)
"""Of a provider of the stage."""


def skipped(sent: Any) -> list[tuple[int, int]]:
    if "BatchSkipped" not in sent.events:
        return []
    return [(int(event["batchId"]), int(event["reason"])) for event in sent.events["BatchSkipped"]]


def fresh_epoch(market: Market) -> int:
    """Begins a slash epoch; returns the second at which the next one begins."""
    length = market.terms.slash_epoch
    start = (now() // length + 1) * length
    at(start)
    market.token.approve(market.stranger.address, 0, {"from": market.stranger.account})
    return start + length


def enlarge(market: Market, provider: int, tokens: int) -> None:
    owner = market.providers[provider].owner
    market.fund(owner, market.staking, tokens)
    market.staking.stake(tokens, {"from": owner.account})


def condemned(market: Market) -> int:
    return int(market.escrow.condemnedInEpoch())


def frozen_batch(market: Market, provider: int = 0) -> int:
    return int(market.escrow.providerRecord(market.providers[provider].owner.address)[3])


def test_freeze__over_the_ceiling__is_skipped_until_the_next_epoch(market: Market) -> None:
    """R47: at most slashCeiling is condemned in an epoch; the batch stays pending and can be frozen later."""
    enlarge(market, 1, market.terms.slash_ceiling * 2)
    first, second = market.committed(provider=0), market.committed(provider=1)
    next_epoch = fresh_epoch(market)
    assert skipped(market.settle(first, second, outcome=Outcome.FRAUD)) == [(second.id, SLASH_CEILING)]
    assert condemned(market) == LOSS
    assert market.batch_state(second) == (BatchState.PENDING, Outcome.NONE)
    assert frozen_batch(market, 1) == 0
    at(next_epoch)
    assert skipped(market.settle(second, outcome=Outcome.FRAUD)) == []
    assert condemned(market) == slashed([STAKE + 2 * market.terms.slash_ceiling], market.terms.slash_bps)


def test_freeze__the_first_of_an_epoch__always_fits(market: Market) -> None:
    """R47: no stake is too large to be slashed."""
    enlarge(market, 0, market.terms.slash_ceiling * 4)
    batch, other = market.committed(), market.committed(provider=1)
    fresh_epoch(market)
    market.settle(batch, outcome=Outcome.FRAUD)
    assert condemned(market) > market.terms.slash_ceiling
    assert skipped(market.settle(other, outcome=Outcome.NOT_OPENED)) == [(other.id, SLASH_CEILING)]


def test_freeze__exactly_at_the_ceiling__fits(market: Market) -> None:
    values = list(dataclasses.astuple(dataclasses.replace(market.terms, slash_ceiling=2 * LOSS)))
    market.escrow.setTerms(values, {"from": market.as_governor})
    first, second = market.committed(), market.committed(provider=1)
    fresh_epoch(market)
    assert skipped(market.settle(first, second, outcome=Outcome.FRAUD)) == []
    assert condemned(market) == 2 * LOSS


def test_condemned__in_a_new_epoch__is_nothing(market: Market) -> None:
    batch = market.committed()
    next_epoch = fresh_epoch(market)
    market.settle(batch, outcome=Outcome.FRAUD)
    at(next_epoch)
    market.token.approve(market.stranger.address, 0, {"from": market.stranger.account})
    assert condemned(market) == 0


def test_freeze__ended_by_openings__frees_the_ceiling(market: Market) -> None:
    """R47: a provider that lets itself be frozen and opens does not protect others from being frozen."""
    enlarge(market, 0, market.terms.slash_ceiling * 4)
    shield, fraud = market.committed(), market.committed(provider=1)
    fresh_epoch(market)
    market.settle(shield, outcome=Outcome.NOT_OPENED)
    assert skipped(market.settle(fraud, outcome=Outcome.FRAUD)) == [(fraud.id, SLASH_CEILING)]
    market.post_openings(shield)
    assert condemned(market) == 0
    assert skipped(market.settle(fraud, outcome=Outcome.FRAUD)) == []
    assert condemned(market) == LOSS


def test_freeze__ended_in_a_later_epoch__frees_nothing_of_that_one(market: Market) -> None:
    first, second = market.committed(), market.committed(provider=1)
    next_epoch = fresh_epoch(market)
    at(next_epoch - 100)
    market.settle(first, outcome=Outcome.NOT_OPENED)
    at(next_epoch)
    market.settle(second, outcome=Outcome.FRAUD)
    market.post_openings(first)
    assert condemned(market) == LOSS


def test_freeze__of_further_batches__is_not_prevented_by_the_first(market: Market) -> None:
    """R48: a freeze shields nothing: an unopened batch does not keep a fraudulent one from being decided. All of them
    condemn the stake once, and each must end before the provider goes on."""
    shield, fraud, paid = (market.committed() for _ in range(3))
    fresh_epoch(market)
    market.settle(shield, outcome=Outcome.NOT_OPENED)
    assert skipped(market.settle(fraud, paid, outcome=Outcome.FRAUD)) == []
    assert condemned(market) == LOSS
    assert frozen_batch(market) == paid.id
    market.post_openings(shield)
    assert frozen_batch(market) == paid.id
    assert skipped(market.settle(shield)) == [(shield.id, PROVIDER_FROZEN)]
    market.escrow.releaseFreeze(*paid.arguments, {"from": market.as_court})
    assert (frozen_batch(market), condemned(market)) == (paid.id, LOSS)
    market.escrow.releaseFreeze(*fraud.arguments, {"from": market.as_court})
    assert (frozen_batch(market), condemned(market)) == (0, 0)
    assert skipped(market.settle(shield)) == []


def test_freeze__default_after_a_shield__comes_after_the_decision(market: Market) -> None:
    """R48: the default of a second batch waits for the freeze, and a decision about it does not."""
    shield, fraud = market.committed(), market.committed()
    at(market.default_from(fraud) - 2)
    until = market.freeze(shield, Outcome.NOT_OPENED)
    at(until - 2)
    with refused("ProviderIsFrozen", market.providers[0].owner.address, shield.id):
        market.mature_by_default(fraud)
    market.settle(fraud, outcome=Outcome.FRAUD)
    market.post_openings(shield)
    with refused("WrongBatchState", fraud.id, BatchState.FROZEN):
        market.mature_by_default(fraud)


def test_conviction__with_two_freezes__slashes_once_and_ends_both(market: Market) -> None:
    """R19: and what it leaves of the stake can be slashed by the next one only."""
    first, second = market.committed(), market.committed()
    market.settle(first, second, outcome=Outcome.FRAUD)
    at(market.frozen_until(first))
    before = market.snapshot()
    market.forfeit(first)
    assert "ProviderConvicted" not in market.forfeit(second).events
    changed = market.changes(before)
    assert (changed["stake 0"], changed["exposure"]) == (-LOSS, -first.price - second.price)
    assert market.job_state(second.entries[0]) == (JobState.REFUNDED, RefundReason.CONVICTED)
    later = market.committed_after(now())
    market.settle(later, outcome=Outcome.NOT_OPENED)
    market.post_openings(later)
    assert frozen_batch(market) == 0


def test_commit__during_a_freeze__is_reached_by_the_conviction(market: Market) -> None:
    """R20: vouchers and jobs that were committed while frozen return in full."""
    bad, job, opened = market.committed(), market.open(1), market.open_session()
    until = market.freeze(bad)
    during = market.commit([job], vouchers=[market.voucher(opened, TOKEN)])
    at(until)
    market.forfeit(bad)
    before = market.snapshot()
    assert skipped(market.settle(during)) == [(during.id, PROVIDER_CONVICTED)]
    market.forfeit(during)
    returned = {"requester 0": TOKEN, "requester 1": job.job.price}
    assert market.changes(before) == returned | {"exposure": -TOKEN - job.job.price}
