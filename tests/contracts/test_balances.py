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
    assert market.changes(before) == {
        "requester 0": DEPOSIT,
        "wallet of requester 0": -DEPOSIT,
        "escrow": DEPOSIT,
    }


def test_deposit__with_a_permit__needs_no_approval(market: Market) -> None:
    requester, deadline = market.requesters[0], now() + HOUR
    market.token.approve(market.escrow.address, 0, {"from": requester.account})
    v, r, s = market.permit(requester, market.escrow, 5 * TOKEN, deadline)
    before = market.snapshot()
    market.escrow.depositWithPermit(5 * TOKEN, deadline, v, r, s, {"from": requester.account})
    moved = {"requester 0": 5 * TOKEN, "wallet of requester 0": -5 * TOKEN, "escrow": 5 * TOKEN}
    assert market.changes(before) == moved


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
    free, before = market.free(requester), market.snapshot()
    event = market.escrow.withdraw(free, {"from": requester.account}).events["Withdrawn"]
    assert (event["account"], event["amount"]) == (requester.address, free)
    moved = {"requester 0": -free, "wallet of requester 0": free, "escrow": -free}
    assert market.changes(before) == moved


def test_withdraw__of_a_payout_by_a_frozen_provider__is_paid(market: Market) -> None:
    """R5: also to a frozen provider."""
    owner = market.providers[0].owner
    market.settle(market.committed())
    market.settle(market.committed(), outcome=Outcome.FRAUD)
    payout = market.free(owner)
    assert payout > 0
    market.escrow.withdraw(payout, {"from": owner.account})
    assert market.free(owner) == 0


def test_withdraw__while_openings_are_paused__is_paid(market: Market) -> None:
    """R5: nothing pauses it."""
    requester, before = market.requesters[0], market.snapshot()
    market.escrow.pause(now() + HOUR, {"from": market.guardian.account})
    market.escrow.withdraw(TOKEN, {"from": requester.account})
    moved = {"requester 0": -TOKEN, "wallet of requester 0": TOKEN, "escrow": -TOKEN}
    assert market.changes(before) == moved


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
    """R2: the escrow's tokens are balances, exposure, what no voucher claims, and fees."""
    declined = market.open()
    market.escrow.declineJob(declined.tuple, {"from": market.providers[0].node.account})
    opened, over = market.open_session(cap=9 * TOKEN), market.open_session(cap=5 * TOKEN)
    mixed = market.commit([market.open()], vouchers=[market.voucher(opened, 2 * TOKEN)])
    market.settle(mixed, auditors=0b1011, sender=market.proposer().account)
    market.close_session(over)
    at(now() + market.terms.claim_delay)
    market.finish_session(over)
    market.convict(market.committed(3, provider=1))
    open_job = market.open()
    pending = market.commit([market.open(), market.open(1)], vouchers=[market.voucher(opened, 3 * TOKEN)])
    burned = market.escrow.burnFees({"from": market.stranger.account}).events["FeesBurned"]["amount"]
    names = ("requester", "provider", "oracle", "stranger")
    balances = market.snapshot()
    free = sum(wei for name, wei in balances.items() if name.startswith(names))
    assert balances["exposure"] == open_job.job.price + pending.price
    assert balances["escrow"] == free + balances["exposure"] + (9 - 3) * TOKEN + balances["fees"]
    assert balances["supply"] == market.token.genesisSupply() - burned
    assert balances["staking"] == sum(balances[name] for name in ("stake 0", "stake 1", "condemned"))
