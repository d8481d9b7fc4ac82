from __future__ import annotations

import pytest

from protocol.types import Outcome
from protocol.units import TOKEN
from tests.contracts.expect import at, now, refused
from tests.contracts.market import DEPOSIT, Market

HOUR = 3_600


def test_deposit__of_nothing__is_refused(market: Market) -> None:
    with refused("ZeroAmount"):
        market.escrow.deposit(0, {"from": market.requesters[0].account})


def test_deposit__over_the_allowance__is_refused_by_the_token(market: Market) -> None:
    requester = market.requesters[0]
    with refused("ERC20InsufficientAllowance", str(market.escrow.address), DEPOSIT, DEPOSIT + 1):
        market.escrow.deposit(DEPOSIT + 1, {"from": requester.account})


def test_deposit__within_the_allowance__moves_tokens_into_the_balance(market: Market) -> None:
    before = market.snapshot()
    event = market.escrow.deposit(DEPOSIT, {"from": market.requesters[0].account}).events["Deposited"]
    assert (event["account"], event["amount"]) == (market.requesters[0].address, DEPOSIT)
    assert market.changes(before) == {"requester 0": DEPOSIT, "escrow": DEPOSIT}


def test_deposit__with_a_permit__needs_no_approval(market: Market) -> None:
    requester, deadline = market.requesters[0], now() + HOUR
    market.token.approve(market.escrow.address, 0, {"from": requester.account})
    v, r, s = market.permit(requester, market.escrow, 5 * TOKEN, deadline)
    before = market.snapshot()
    market.escrow.depositWithPermit(5 * TOKEN, deadline, v, r, s, {"from": requester.account})
    assert market.changes(before) == {"requester 0": 5 * TOKEN, "escrow": 5 * TOKEN}


def test_deposit__with_a_permit_that_was_front_run__still_deposits(market: Market) -> None:
    requester, deadline = market.requesters[0], now() + HOUR
    v, r, s = market.permit(requester, market.escrow, 5 * TOKEN, deadline)
    permit = (requester.address, market.escrow.address, 5 * TOKEN, deadline, v, r, s)
    market.token.permit(*permit, {"from": market.stranger.account})
    market.escrow.depositWithPermit(5 * TOKEN, deadline, v, r, s, {"from": requester.account})
    assert market.free(requester) == DEPOSIT + 5 * TOKEN


def test_deposit__with_a_wrong_permit_and_no_allowance__is_refused(market: Market) -> None:
    requester, deadline = market.requesters[0], now() + HOUR
    market.token.approve(market.escrow.address, 0, {"from": requester.account})
    v, r, s = market.permit(requester, market.staking, 5 * TOKEN, deadline)
    with refused("ERC20InsufficientAllowance", str(market.escrow.address), 0, 5 * TOKEN):
        market.escrow.depositWithPermit(5 * TOKEN, deadline, v, r, s, {"from": requester.account})


def test_deposit__with_somebody_elses_permit__takes_nothing_from_them(market: Market) -> None:
    victim, deadline = market.requesters[0], now() + HOUR
    v, r, s = market.permit(victim, market.escrow, 5 * TOKEN, deadline)
    with refused("ERC20InsufficientAllowance", str(market.escrow.address), 0, 5 * TOKEN):
        market.escrow.depositWithPermit(5 * TOKEN, deadline, v, r, s, {"from": market.stranger.account})


def test_withdraw__of_nothing__is_refused(market: Market) -> None:
    with refused("ZeroAmount"):
        market.escrow.withdraw(0, {"from": market.requesters[0].account})


def test_withdraw__of_more_than_is_free__is_refused(market: Market) -> None:
    requester = market.requesters[0]
    market.open()
    free = market.free(requester)
    with refused("BalanceTooLow", requester.address, free, free + 1):
        market.escrow.withdraw(free + 1, {"from": requester.account})


@pytest.mark.parametrize("frozen", [False, True])
def test_withdraw__of_all_that_is_free__is_paid_whatever_else_is_open(market: Market, frozen: bool) -> None:
    """R5: whatever else is open or frozen."""
    requester = market.requesters[0]
    batch = market.committed()
    market.open()
    if frozen:
        market.settle(batch, outcome=Outcome.FRAUD)
    free, wallet, before = (
        market.free(requester),
        market.token.balanceOf(requester.address),
        market.snapshot(),
    )
    event = market.escrow.withdraw(free, {"from": requester.account}).events["Withdrawn"]
    assert (event["account"], event["amount"]) == (requester.address, free)
    assert market.token.balanceOf(requester.address) == wallet + free
    assert market.changes(before) == {"requester 0": -free, "escrow": -free}


def test_withdraw__of_a_payout_by_a_frozen_provider__is_paid(market: Market) -> None:
    """R5: also to a frozen provider."""
    owner = market.providers[0].owner
    market.settle(market.committed())
    market.settle(market.committed(), outcome=Outcome.FRAUD)
    payout = market.free(owner)
    assert payout > 0
    market.escrow.withdraw(payout, {"from": owner.account})
    assert market.free(owner) == 0


def test_escrow__of_its_functions__none_pauses_or_changes_the_rules(market: Market) -> None:
    """R5: nothing pauses a withdrawal, because nothing pauses anything."""
    functions = {part["name"].lower() for part in market.escrow.abi if part["type"] == "function"}
    assert "withdraw" in functions
    levers = ("pause", "owner", "admin", "role", "upgrade", "set", "initialize")
    settlements = {"settle", "settlementdigest"}
    assert [name for name in functions - settlements if any(lever in name for lever in levers)] == []


def test_burn_fees__when_there_are_none__is_refused(market: Market) -> None:
    with refused("NothingToBurn"):
        market.escrow.burnFees({"from": market.stranger.account})


def test_burn_fees__by_anyone__burns_exactly_what_was_taken(market: Market) -> None:
    """R4: fees are burned, to the wei."""
    market.settle(market.committed(2))
    fees, before = market.escrow.feesToBurn(), market.snapshot()
    assert fees > 2 * market.terms.open_fee
    event = market.escrow.burnFees({"from": market.stranger.account}).events["FeesBurned"]
    assert event["amount"] == fees
    assert market.changes(before) == {"fees": -fees, "supply": -fees, "escrow": -fees}


def test_open_fee__of_a_job_that_is_refunded__is_burned(market: Market) -> None:
    """R6: whatever becomes of the job, its requester has the open fee less and so has the supply."""
    before = market.snapshot()
    declined, expired = market.open(), market.open()
    market.escrow.declineJob(declined.tuple, {"from": market.providers[0].node.account})
    at(expired.deadline)
    market.escrow.refundJob(expired.tuple, {"from": market.stranger.account})
    market.escrow.burnFees({"from": market.stranger.account})
    fees = 2 * market.terms.open_fee
    assert fees > 0
    assert market.changes(before) == {"requester 0": -fees, "supply": -fees, "escrow": -fees}


def test_ledger__after_every_way_out__holds_to_the_wei(market: Market) -> None:
    """R2: the escrow's tokens are balances, reserves, unmatured pay and fees; the supply is genesis less burned."""
    declined = market.open()
    market.escrow.declineJob(declined.tuple, {"from": market.providers[0].node.account})
    market.settle(market.committed(2))
    market.convict(market.committed(3, provider=1))
    open_job, pending = market.open(), market.committed(2)
    burned = market.escrow.burnFees({"from": market.stranger.account}).events["FeesBurned"]["amount"]
    people = [*market.requesters, *(provider.owner for provider in market.providers), market.stranger]
    right = (
        sum(market.free(who) for who in people)
        + open_job.job.price
        + pending.price
        + market.escrow.feesToBurn()
    )
    assert market.token.balanceOf(market.escrow.address) == right
    slashed = 4_000 * TOKEN - sum(market.staking.slashableStake(p.owner.address) for p in market.providers)
    assert market.token.totalSupply() == market.token.genesisSupply() - burned - slashed
