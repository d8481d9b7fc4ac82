from __future__ import annotations

import dataclasses

import pytest

from protocol.types import BatchState, JobState, Outcome, RefundReason, Ruling
from tests.contracts.cases import (
    CONVICTION_ROOM,
    Case,
    appeal,
    compensate,
    convict,
    dispute,
    disputed,
    penalty,
    rule,
    state,
)
from tests.contracts.expect import at, now, refused
from tests.contracts.market import STAKE, Market


def convictable(market: Market, paid: bool = True) -> Case:
    """A dispute that was ruled CONVICTED."""
    case = disputed(market, paid)
    rule(market, case, Ruling.CONVICTED)
    return case


def at_a_fresh_slash_epoch(market: Market) -> None:
    """The next transaction is in the first second of a slash epoch, and those after it are in the same one."""
    epoch = market.terms.slash_epoch
    at((now() // epoch + 1) * epoch)


@pytest.mark.parametrize("ruling", [Ruling.NONE, Ruling.UPHELD, Ruling.REJECTED])
def test_convict__without_that_ruling__is_refused(market: Market, ruling: Ruling) -> None:
    case = disputed(market)
    if ruling != Ruling.NONE:
        rule(market, case, ruling)
    with refused("NotConvicted", case.id, ruling):
        convict(market, case)


def test_convict__when_its_room_is_over__is_refused(market: Market) -> None:
    """R72: no conviction hangs over a provider for ever."""
    case = convictable(market)
    until = case.deadline + CONVICTION_ROOM
    at(until)
    with refused("ConvictionTooLate", case.id, until):
        convict(market, case)
    at(until + 1)
    with refused("ConvictionTooLate", case.id, until):
        convict(market, case)


def test_convict__in_the_last_second_of_its_room__convicts(market: Market) -> None:
    case = convictable(market)
    at(case.deadline + CONVICTION_ROOM - 1)
    assert "ProviderConvicted" in convict(market, case).events


def test_convict__with_another_head__is_refused(market: Market) -> None:
    case = convictable(market)
    head = dataclasses.replace(case.batch.head, set_version=3)
    other = dataclasses.replace(case.batch, head=head)
    with refused("HeadMismatch", case.batch.id, other.digest, bytes(market.escrow.batch(case.batch.id)[0])):
        convict(market, dataclasses.replace(case, batch=other))


def test_convict__twice__is_refused(market: Market) -> None:
    """R74: a provider is slashed once for all that it had committed."""
    case = convictable(market)
    convict(market, case)
    with refused("ConvictedSince", market.providers[0].owner.address, case.batch.id):
        convict(market, case)


def test_convict__for_a_batch_that_a_later_conviction_reached__is_refused(market: Market) -> None:
    """R74: the forfeit of a later batch slashed for this one too."""
    case = convictable(market)
    later = market.committed()
    market.convict(later)
    with refused("ConvictedSince", market.providers[0].owner.address, later.id):
        convict(market, case)


def test_convict__while_the_provider_is_frozen__waits(market: Market) -> None:
    """R74: a freeze ends by itself, in a slash or in none; after a release the ruling is carried out."""
    case = convictable(market, paid=False)
    market.freeze(case.batch)
    owner = market.providers[0].owner
    with refused("ProviderInFreeze", owner.address, case.batch.id):
        convict(market, case)
    rule(market, appeal(market, case.batch), Ruling.UPHELD)
    convict(market, case)
    assert state(market, case) == (Ruling.CONVICTED, True)


def test_convict__over_the_ceiling__waits_for_the_next_epoch_and_the_compensation_does_not(
    market: Market,
) -> None:
    """R74: what the requester is owed never waits for a ceiling."""
    at_a_fresh_slash_epoch(market)
    for provider in market.providers:
        market.staking.stake(STAKE, {"from": provider.owner.account})
    case = disputed(market)
    market.freeze(market.committed(provider=1))
    rule(market, case, Ruling.CONVICTED)
    assert state(market, case) == (Ruling.CONVICTED, True)
    used = 2 * STAKE * market.terms.slash_bps // 10_000
    with refused("SlashCeilingReached", used, market.terms.slash_ceiling):
        convict(market, case)
    at_a_fresh_slash_epoch(market)
    assert "ProviderConvicted" in convict(market, case).events


def test_convict__after_a_paid_batch__slashes_what_the_compensation_left(market: Market) -> None:
    """R74: first the requester, then the slash with the challenger's share."""
    case = disputed(market, paid=False)
    rule(market, case, Ruling.CONVICTED)
    market.settle(case.batch)
    amount = case.batch.entries[0].amount
    to_requester, burned = penalty(market, amount)
    before = market.snapshot()
    sent = convict(market, case)
    left = STAKE - amount - to_requester - burned
    slashed = -(-left * market.terms.slash_bps // 10_000)
    share = slashed * market.terms.challenger_bps // 10_000
    assert share < market.plan.court.share_multiple * market.plan.court.dispute_bond
    assert market.changes(before) == {
        "award of requester 0": amount + to_requester + share,
        "stake 0": -(STAKE - left) - slashed,
        "condemned": slashed - share,
        "staking": -burned,
        "supply": -burned,
    }
    assert sent.events["ProviderConvicted"]["through"] == case.batch.id
    assert state(market, case) == (Ruling.CONVICTED, True)


def test_convict__for_a_pending_batch__lets_it_only_be_forfeited(market: Market) -> None:
    """R74: then nothing was lost and nothing is compensated."""
    case = convictable(market, paid=False)
    before = market.snapshot()
    convict(market, case)
    slashed = STAKE * market.terms.slash_bps // 10_000
    share = slashed * market.terms.challenger_bps // 10_000
    assert market.changes(before) == {
        "award of requester 0": share,
        "stake 0": -slashed,
        "condemned": slashed - share,
    }
    market.settle(case.batch)
    assert market.batch_state(case.batch) == (BatchState.PENDING, Outcome.NONE)
    market.forfeit(case.batch)
    assert market.job_state(case.batch.entries[0]) == (JobState.REFUNDED, RefundReason.CONVICTED)
    with refused("AlreadyReturned", case.batch.id, 0):
        compensate(market, case)


def test_convict__with_a_small_bond__caps_the_share(market: Market) -> None:
    """R74: the share is at most shareMultiple bonds of the terms under which the case was opened."""
    terms = dataclasses.replace(market.plan.court, share_multiple=1)
    market.court.setTerms(list(dataclasses.astuple(terms)), {"from": market.as_governor})
    case = disputed(market, paid=False)
    market.court.setTerms(list(dataclasses.astuple(market.plan.court)), {"from": market.as_governor})
    rule(market, case, Ruling.CONVICTED)
    convict(market, case)
    assert market.staking.awardOf(market.requesters[0].address) == market.plan.court.dispute_bond


def test_convict__of_a_compensated_case__pays_no_second_time(market: Market) -> None:
    case = convictable(market)
    assert state(market, case) == (Ruling.CONVICTED, True)
    assert "CaseCompensated" not in convict(market, case).events


def test_disputes_of_one_batch__of_both_requesters__stand_alone(market: Market) -> None:
    """R75: the court holds the open bonds, whichever order they leave in."""
    batch = market.committed(2)
    market.settle(batch)
    bond = market.plan.court.dispute_bond
    cases = [dispute(market, batch, index) for index in (0, 1)]
    assert market.token.balanceOf(market.court.address) == 2 * bond
    rule(market, cases[1], Ruling.REJECTED)
    assert market.token.balanceOf(market.court.address) == bond
    rule(market, cases[0], Ruling.UPHELD)
    assert market.token.balanceOf(market.court.address) == market.staking.awardOf(market.court.address) == 0


def test_award__of_a_won_dispute__is_claimed_in_staking(market: Market) -> None:
    case = disputed(market)
    rule(market, case, Ruling.UPHELD)
    requester = market.requesters[0]
    amount = case.batch.entries[0].amount
    before = market.token.balanceOf(requester.address)
    market.staking.claimAward({"from": requester.account})
    assert market.token.balanceOf(requester.address) == before + amount + penalty(market, amount)[0]
