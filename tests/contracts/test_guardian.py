from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from protocol.types import BatchState, JobState
from protocol.units import TOKEN
from tests.contracts.expect import at, now, refused
from tests.contracts.market import STAKE, Market

WEEK = 7 * 86_400


def pause(market: Market, seconds: int = WEEK) -> int:
    """The guardian pauses the escrow and the stakes; the second at which that ends."""
    until = now() + seconds
    for contract in (market.escrow, market.staking):
        contract.pause(until, {"from": market.guardian.account})
    return until


def exposed(market: Market) -> list[Any]:
    return [market.escrow, market.staking]


@pytest.mark.parametrize("place", [0, 1])
def test_pause__by_anybody_else__is_refused(market: Market, place: int) -> None:
    """R69: the guardian and a vote, and nobody else."""
    for who in (market.treasury, market.stranger.account, market.oracles[0].account):
        with refused("OnlyGuardian", str(who)):
            exposed(market)[place].pause(now() + 60, {"from": who})


@pytest.mark.parametrize("place", [0, 1])
def test_pause__longer_than_a_week__is_refused(market: Market, place: int) -> None:
    """R69: a pause ends by itself."""
    start = now() + 10
    at(start)
    with refused("PauseTooLong", start + WEEK + 1, start + WEEK):
        exposed(market)[place].pause(start + WEEK + 1, {"from": market.guardian.account})
    at(start + 5)
    sent = exposed(market)[place].pause(start + 5 + WEEK, {"from": market.guardian.account})
    assert sent.events["PauseChanged"]["until"] == exposed(market)[place].pausedUntil() == start + 5 + WEEK


@pytest.mark.parametrize("place", [0, 1])
def test_guardian__can_do_nothing_else(market: Market, place: int) -> None:
    """R69: it names no successor and changes no parameter."""
    contract, guardian = exposed(market)[place], market.guardian
    assert contract.guardian() == guardian.address
    with refused("OnlyGovernor", guardian.address):
        contract.setGuardian(market.stranger.address, {"from": guardian.account})


@pytest.mark.parametrize("place", [0, 1])
def test_set_guardian__by_a_vote__takes_the_pause_from_the_old_one(market: Market, place: int) -> None:
    """R69: a guardian that pauses without need is replaced."""
    contract = exposed(market)[place]
    until = pause(market)
    contract.setGuardian(market.stranger.address, {"from": market.as_governor})
    with refused("OnlyGuardian", market.guardian.address):
        contract.pause(until, {"from": market.guardian.account})
    contract.pause(0, {"from": market.stranger.account})
    assert contract.pausedUntil() == 0
    contract.pause(now() + 60, {"from": market.as_governor})


ENTRANCES: dict[str, Callable[[Market], Any]] = {
    "a job": lambda market: market.open(),
    "a session": lambda market: market.open_session(),
    "a stake": lambda market: market.staking.stake(TOKEN, {"from": market.providers[0].owner.account}),
    "a delegation": lambda market: market.staking.delegate(
        market.providers[0].owner.address, TOKEN, {"from": market.providers[1].owner.account}
    ),
}


@pytest.mark.parametrize("what", ENTRANCES)
def test_pause__new_activity__waits_for_its_end(market: Market, what: str) -> None:
    """R69: nothing begins during a pause, and everything begins again after it."""
    market.staking.setCommission(100, {"from": market.providers[0].owner.account})
    until = pause(market)
    at(until - 1)
    with refused("Paused", until):
        ENTRANCES[what](market)
    at(until)
    ENTRANCES[what](market)


def test_pause__jobs_in_progress__go_all_their_ways(market: Market) -> None:
    """R69: commit, decline, cancel, refund, settle, default, freeze and forfeit are never blocked."""
    jobs = [market.open() for _ in range(5)]
    later = market.open(duration=100)
    pause(market)
    who = {"from": market.requesters[0].account}
    market.escrow.declineJob(jobs[0].tuple, {"from": market.providers[0].owner.account})
    market.escrow.cancelJob(jobs[1].tuple, who)
    paid, kept, bad = (market.commit([job]) for job in jobs[2:])
    market.settle(paid)
    assert market.batch_state(paid)[0] is BatchState.MATURED
    at(later.deadline)
    market.escrow.refundJob(later.tuple, {"from": market.stranger.account})
    assert market.job_state(later)[0] is market.job_state(jobs[0])[0] is JobState.REFUNDED
    at(market.default_from(kept))
    market.mature_by_default(kept)
    market.convict(bad)
    assert market.batch_state(bad)[0] is BatchState.FORFEITED
    assert int(market.escrow.pausedUntil()) > now()


def test_pause__sessions_in_progress__go_all_their_ways(market: Market) -> None:
    """R69: a voucher can be committed and settled, and a session closed and finished."""
    session = market.open_session()
    pause(market)
    market.top_up(session, TOKEN)
    batch = market.commit([], vouchers=[market.voucher(session, TOKEN)])
    market.settle(batch)
    assert market.batch_state(batch)[0] is BatchState.MATURED
    market.close_session(session)
    at(now() + market.terms.claim_delay + 1)
    market.finish_session(session)


def test_pause__exits_of_money__are_open(market: Market) -> None:
    """R69: withdrawals, unstakings, undelegations and resignations."""
    owner, other = market.providers[0].owner, market.providers[1].owner
    market.staking.setCommission(100, {"from": owner.account})
    market.staking.delegate(owner.address, 10 * TOKEN, {"from": other.account})
    shares = market.staking.delegation(owner.address, other.address)[0]
    pause(market)
    market.escrow.withdraw(TOKEN, {"from": market.requesters[0].account})
    market.staking.unstake(STAKE, {"from": owner.account})
    market.staking.undelegate(owner.address, shares, {"from": other.account})
    market.committee.resign({"from": market.oracles[0].account})
    at(now() + market.plan.unstake_delay)
    pause(market)
    assert market.staking.withdraw({"from": owner.account}).return_value == STAKE
    assert market.staking.withdrawDelegation(owner.address, {"from": other.account}).return_value == 10 * TOKEN
    sent = market.committee.withdraw({"from": market.oracles[0].account})
    assert sent.return_value == market.plan.seat_stake
    assert int(market.staking.pausedUntil()) > now()
