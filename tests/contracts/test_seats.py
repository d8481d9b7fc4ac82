"""Seats: who gives and ends them, what the committee's stake covers, and whose turn it is."""

from __future__ import annotations

from typing import Any

import pytest
from brownie import chain

from protocol.committee import proposer, quorum
from protocol.encoding import keccak
from scripts.plan import constructor_arguments, predicted_addresses
from tests.contracts.expect import NOBODY, at, now, refused
from tests.contracts.market import Market
from tests.contracts.nouns import Person, person

DIGEST = keccak(b"digest")
LONGEST_DELAY = 90 * 86_400


@pytest.fixture
def fifth(market: Market) -> Person:
    """An account that was given a fifth seat, with the tokens for its stake."""
    newcomer = person("oracle 4")
    market.committee.addSeat(newcomer.address, {"from": market.as_governor})
    market.fund(newcomer, market.committee, market.committee.seatStake())
    return newcomer


def arguments(market: Market) -> list[Any]:
    """The constructor's arguments of a second committee."""
    addresses = predicted_addresses(str(market.treasury), market.treasury.nonce)
    return constructor_arguments(market.plan, addresses)["OracleCommittee"]


@pytest.mark.parametrize("place", [1, 2])
def test_committee__without_an_escrow_or_a_governor__is_refused(
    market: Market, containers: Any, place: int
) -> None:
    given = arguments(market)
    given[place] = NOBODY
    with refused("NotWiredTo", NOBODY):
        market.treasury.deploy(containers.OracleCommittee, *given)


@pytest.mark.parametrize("count", [0, 33])
def test_committee__of_too_few_or_many_seats__is_refused(market: Market, containers: Any, count: int) -> None:
    """R56: at most 32."""
    given = arguments(market)
    given[3] = [f"0x{n + 1:040x}" for n in range(count)]
    with refused("SeatsOutOfBounds", count, 32):
        market.treasury.deploy(containers.OracleCommittee, *given)


@pytest.mark.parametrize(("second", "error"), [(0, "DuplicateSeat"), (None, "NoSeat")])
def test_committee__with_a_seat_twice_or_for_nobody__is_refused(
    market: Market, containers: Any, second: int | None, error: str
) -> None:
    """R56: once an account."""
    given = arguments(market)
    refusal = NOBODY if second is None else market.oracles[second].address
    given[3] = [market.oracles[0].address, refusal]
    with refused(error, refusal):
        market.treasury.deploy(containers.OracleCommittee, *given)


@pytest.mark.parametrize(
    ("place", "name", "value", "least", "most"),
    [
        (4, "seatStake", 0, 1, 10**26),
        (4, "seatStake", 10**26 + 1, 1, 10**26),
        (5, "stakeDelay", 59, 60, LONGEST_DELAY),
        (5, "stakeDelay", LONGEST_DELAY + 1, 60, LONGEST_DELAY),
        (6, "epochBlocks", 0, 1, 1_000_000),
        (6, "epochBlocks", 1_000_001, 1, 1_000_000),
    ],
)
def test_committee__with_a_parameter_out_of_its_bounds__is_refused(
    market: Market, containers: Any, place: int, name: str, value: int, least: int, most: int
) -> None:
    given = arguments(market)
    given[place] = value
    with refused("ParameterOutOfBounds", name, value, least, most):
        market.treasury.deploy(containers.OracleCommittee, *given)


def test_seats__changed_by_anyone_but_governance__are_refused(market: Market) -> None:
    """R56, R59: only the timelock."""
    stranger, committee = market.stranger, market.committee
    sender = {"from": stranger.account}
    for change, value in (
        (committee.addSeat, stranger.address),
        (committee.removeSeat, market.oracles[0].address),
        (committee.setSeatStake, 1),
        (committee.setStakeDelay, LONGEST_DELAY),
    ):
        with refused("OnlyGovernor", stranger.address):
            change(value, sender)


def test_add_seat__of_nobody_or_twice__is_refused(market: Market) -> None:
    """R56: once an account."""
    with refused("NoSeat", NOBODY):
        market.committee.addSeat(NOBODY, {"from": market.as_governor})
    with refused("DuplicateSeat", market.oracles[0].address):
        market.committee.addSeat(market.oracles[0].address, {"from": market.as_governor})


def test_add_seat__beyond_thirty_two__is_refused(market: Market, containers: Any) -> None:
    """R56: at most 32, whatever was ended since."""
    given = arguments(market)
    given[2] = str(market.treasury)
    given[3] = [f"0x{n + 1:040x}" for n in range(32)]
    full = market.treasury.deploy(containers.OracleCommittee, *given)
    full.removeSeat(given[3][0], {"from": market.treasury})
    with refused("SeatsOutOfBounds", 33, 32):
        full.addSeat(market.stranger.address, {"from": market.treasury})
    assert list(full.seatAccounts(2**32 - 1)) == given[3]


def test_add_seat__of_a_newcomer__lets_it_join_behind_the_others(market: Market, fifth: Person) -> None:
    """R56, R57: a new set, and the escrow knows its cover at once."""
    seats = [oracle.address for oracle in market.oracles]
    assert market.committee.hasSeat(fifth.address)
    assert list(market.committee.seatAccounts(0b10101)) == [seats[0], seats[2], fifth.address]
    assert list(market.committee.seatAccounts(2**31 + 2)) == [seats[1]]
    market.join(fifth)
    assert list(market.committee.members(5)) == [*seats, fifth.address]
    assert market.committee.cover() == quorum(5) * market.plan.seat_stake // 2


def test_remove_seat__of_an_account_without_one__is_refused(market: Market) -> None:
    with refused("NoSeat", market.stranger.address):
        market.committee.removeSeat(market.stranger.address, {"from": market.as_governor})


def test_remove_seat__of_a_member__takes_it_out_of_the_set_and_releases_its_stake_later(
    market: Market,
) -> None:
    """R56: it leaves at once, its stake after the delay; what it signed for older sets counts."""
    gone, committee = market.oracles[1], market.committee
    sent = committee.removeSeat(gone.address, {"from": market.as_governor})
    release = sent.timestamp + market.plan.stake_delay
    assert dict(sent.events["SeatRemoved"]) == {"oracle": gone.address, "seat": 1}
    assert dict(sent.events["OracleResigned"]) == {
        "oracle": gone.address,
        "setVersion": 5,
        "releaseAt": release,
    }
    assert not committee.hasSeat(gone.address) and not committee.isMember(5, gone.address)
    committee.requireQuorum(4, DIGEST, market.quorum(DIGEST, (0, 1, 2)))
    at(release - 1)
    with refused("StillReleasing", gone.address, release):
        committee.withdraw({"from": gone.account})
    at(release)
    committee.withdraw({"from": gone.account})
    assert market.token.balanceOf(gone.address) == market.plan.seat_stake


def test_remove_seat__for_good__neither_joins_nor_is_given_again(market: Market) -> None:
    """R56: a seat that ended never comes back."""
    gone = market.oracles[1]
    market.committee.removeSeat(gone.address, {"from": market.as_governor})
    with refused("NoSeat", gone.address):
        market.join(gone)
    with refused("NoSeat", gone.address):
        market.committee.removeSeat(gone.address, {"from": market.as_governor})
    with refused("DuplicateSeat", gone.address):
        market.committee.addSeat(gone.address, {"from": market.as_governor})


def test_remove_seat__that_nobody_took__leaves_the_set_as_it_is(market: Market, fifth: Person) -> None:
    sent = market.committee.removeSeat(fifth.address, {"from": market.as_governor})
    assert "OracleResigned" not in sent.events and market.committee.version() == 4


@pytest.mark.parametrize("stake", [0, 10**26 + 1])
def test_set_seat_stake__out_of_bounds__is_refused(market: Market, stake: int) -> None:
    with refused("ParameterOutOfBounds", "seatStake", stake, 1, 10**26):
        market.committee.setSeatStake(stake, {"from": market.as_governor})


def test_set_seat_stake__lower__counts_for_the_next_to_join_and_lowers_the_cover_then(
    market: Market, fifth: Person
) -> None:
    """R57: q times the smallest stake, halved; R59: the present members keep theirs."""
    stake, committee = market.plan.seat_stake, market.committee
    sent = committee.setSeatStake(stake // 5, {"from": market.as_governor})
    assert sent.events["SeatStakeChanged"]["seatStake"] == stake // 5
    assert committee.cover() == quorum(4) * stake // 2
    joined = market.join(fifth)
    assert committee.oracle(fifth.address)[0] == stake // 5
    assert committee.cover() == quorum(5) * (stake // 5) // 2
    assert joined.events["CoverageChanged"]["coverage"] == market.escrow.coverage()
    left = committee.resign({"from": fifth.account})
    assert left.events["CoverageChanged"]["coverage"] == market.escrow.coverage()
    assert committee.cover() == quorum(4) * stake // 2


def test_cover__of_nobody__is_nothing(market: Market) -> None:
    """R57."""
    for oracle in market.oracles:
        market.committee.resign({"from": oracle.account})
    assert (market.committee.cover(), market.escrow.coverage()) == (0, 0)


def test_set_stake_delay__out_of_bounds__is_refused(market: Market) -> None:
    """R59: at least the longest way and the court's ruling."""
    least = market.escrow.longestWay() + market.court.rulingWindow()
    for delay in (least - 1, LONGEST_DELAY + 1):
        with refused("ParameterOutOfBounds", "stakeDelay", delay, least, LONGEST_DELAY):
            market.committee.setStakeDelay(delay, {"from": market.as_governor})
    market.committee.setStakeDelay(least, {"from": market.as_governor})


def test_set_stake_delay__longer__leaves_what_is_being_released(market: Market) -> None:
    """R59: a release that has begun keeps its second."""
    early, late = market.oracles[:2]
    release = market.committee.resign({"from": early.account}).events["OracleResigned"]["releaseAt"]
    sent = market.committee.setStakeDelay(LONGEST_DELAY, {"from": market.as_governor})
    assert sent.events["StakeDelayChanged"]["stakeDelay"] == LONGEST_DELAY
    after = market.committee.resign({"from": late.account})
    assert after.events["OracleResigned"]["releaseAt"] == after.timestamp + LONGEST_DELAY
    at(release)
    assert market.committee.withdraw({"from": early.account}).return_value == market.plan.seat_stake
    assert now() == release


def test_proposer__block_by_block__takes_turns_as_in_the_protocol(market: Market) -> None:
    """R59: member (block / 4 + set version) mod n."""
    committee, seen = market.committee, set()
    assert committee.proposer(0) == NOBODY
    for _ in range(17):
        for version in (1, 2, 3, 4):
            turn = proposer(chain.height, version, list(committee.members(version)))
            assert committee.proposer(version) == turn
        seen.add(turn)
        chain.mine()
    assert seen == {oracle.address for oracle in market.oracles}
    with refused("UnknownSetVersion", 5):
        committee.proposer(5)
