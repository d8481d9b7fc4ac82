from __future__ import annotations

import pytest

from protocol.types import BatchState, Outcome, Ruling
from protocol.units import TOKEN
from tests.contracts.cases import (
    appeal,
    compensate,
    default,
    dispute,
    disputed,
    large_batch,
    penalty,
    rule,
    state,
)
from tests.contracts.expect import at, refused
from tests.contracts.market import STAKE, Market

WON = (Ruling.UPHELD, Ruling.CONVICTED)


def test_compensate__of_a_case_that_was_not_won__is_refused(market: Market) -> None:
    case = disputed(market)
    with refused("NotUpheld", case.id, Ruling.NONE):
        compensate(market, case)
    rule(market, case, Ruling.REJECTED)
    with refused("NotUpheld", case.id, Ruling.REJECTED):
        compensate(market, case)


@pytest.mark.parametrize("ruling", WON)
def test_rule__for_the_requester_of_a_paid_job__returns_amount_and_penalty_out_of_the_stake(
    market: Market, ruling: Ruling
) -> None:
    """R74: amount and half of the penalty to the requester, the other half burned."""
    case = disputed(market)
    amount = case.batch.entries[0].amount
    to_requester, burned = penalty(market, amount)
    before = market.snapshot()
    sent = rule(market, case, ruling)
    bond = market.plan.court.dispute_bond
    assert market.changes(before) == {
        "court": -bond,
        "wallet of requester 0": bond,
        "award of requester 0": amount + to_requester,
        "stake 0": -(amount + to_requester + burned),
        "staking": -burned,
        "supply": -burned,
    }
    event = sent.events["CaseCompensated"]
    assert (event["awarded"], event["burned"]) == (amount + to_requester, burned)
    assert state(market, case) == (ruling, True)
    with refused("CompensatedAlready", case.id):
        compensate(market, case)


def test_rule__for_the_requester_of_a_dear_voucher__takes_a_bond_as_penalty(market: Market) -> None:
    """R74: the penalty is min(bond, amount)."""
    batch = large_batch(market)
    market.settle(batch)
    case = dispute(market, batch)
    bond = market.plan.court.dispute_bond
    rule(market, case, Ruling.UPHELD)
    assert market.staking.awardOf(market.requesters[0].address) == 40 * TOKEN + bond // 2
    assert market.staking.slashableStake(market.providers[0].owner.address) == STAKE - 40 * TOKEN - bond


def test_compensate__of_a_voucher_that_matured_by_default__pays(market: Market) -> None:
    """R74: a voucher is paid by default without any receipt."""
    batch = large_batch(market)
    case = dispute(market, batch)
    rule(market, case, Ruling.UPHELD)
    default(market, batch)
    compensate(market, case)
    assert state(market, case) == (Ruling.UPHELD, True)


@pytest.mark.parametrize("ruling", WON)
def test_compensate__before_the_batch_has_ended__waits(market: Market, ruling: Ruling) -> None:
    """R74: a requester never gets its money twice: what it lost is known when the batch has ended."""
    case = disputed(market, paid=False)
    before = market.snapshot()
    rule(market, case, ruling)
    bond = market.plan.court.dispute_bond
    assert market.changes(before) == {"court": -bond, "wallet of requester 0": bond}
    with refused("BatchNotOver", case.batch.id, BatchState.PENDING):
        compensate(market, case)
    until = market.freeze(case.batch)
    with refused("BatchNotOver", case.batch.id, BatchState.FROZEN):
        compensate(market, case)
    at(until)
    market.forfeit(case.batch)
    with refused("AlreadyReturned", case.batch.id, 0):
        compensate(market, case)


@pytest.mark.parametrize("stored", [(), (0,)])
def test_compensate__after_a_default__pays_only_what_was_paid(
    market: Market, stored: tuple[int, ...]
) -> None:
    """R74: an answer that was never delivered was never paid."""
    case = disputed(market, paid=False)
    rule(market, case, Ruling.UPHELD)
    default(market, case.batch, *stored)
    assert market.batch_state(case.batch) == (BatchState.MATURED, Outcome.DEFAULT)
    if not stored:
        with refused("AlreadyReturned", case.batch.id, 0):
            compensate(market, case)
        return
    amount = case.batch.entries[0].amount
    before = market.snapshot()
    compensate(market, case)
    assert market.changes(before)["award of requester 0"] == amount + penalty(market, amount)[0]


def test_rule__for_the_requester_of_a_forfeited_batch__returns_only_the_bond(market: Market) -> None:
    """R74: the forfeit returned the price."""
    case = disputed(market, paid=False)
    at(market.freeze(case.batch))
    market.forfeit(case.batch)
    before = market.snapshot()
    rule(market, case, Ruling.UPHELD)
    bond = market.plan.court.dispute_bond
    assert market.changes(before) == {"court": -bond, "wallet of requester 0": bond}


def test_compensate__while_the_provider_is_frozen__waits_for_the_slash(market: Market) -> None:
    """R74: a provider that faces a slash cannot move its stake out through disputes of its own."""
    paid, caught = market.committed(2), market.committed()
    market.settle(paid)
    market.freeze(caught)
    case = dispute(market, paid)
    rule(market, case, Ruling.UPHELD)
    owner = market.providers[0].owner
    assert state(market, case) == (Ruling.UPHELD, False)
    with refused("ProviderInFreeze", owner.address, caught.id):
        compensate(market, case)
    rule(market, appeal(market, caught), Ruling.UPHELD)
    compensate(market, case)
    assert state(market, case) == (Ruling.UPHELD, True)


def test_compensate__of_a_provider_without_stake__ends_the_claim(market: Market) -> None:
    """R74: at most the own stake; a claim does not wait for stake to come."""
    case = disputed(market, paid=False)
    rule(market, case, Ruling.UPHELD)
    market.settle(case.batch)
    owner = market.providers[0].owner.address
    market.staking.seize(owner, STAKE, market.stranger.address, {"from": market.as_court})
    before = market.snapshot()
    event = compensate(market, case).events["CaseCompensated"]
    assert (event["awarded"], event["burned"]) == (0, 0)
    assert market.changes(before) == {}
    with refused("CompensatedAlready", case.id):
        compensate(market, case)
