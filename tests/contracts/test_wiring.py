from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from scripts.plan import SEAT_STAKE, constructor_arguments, predicted_addresses
from tests.contracts.expect import numbers, refused
from tests.contracts.market import Market


def arguments(market: Market, name: str) -> list[Any]:
    """The constructor's arguments of a second market by the same deployer."""
    addresses = predicted_addresses(str(market.treasury), market.treasury.nonce)
    return constructor_arguments(market.plan, addresses)[name]


def test_escrow__of_a_staking_that_names_another__is_refused(market: Market, containers: Any) -> None:
    given = [market.token.address, market.staking.address, market.committee.address]
    with refused("NotWiredTo", str(market.staking.address)):
        market.treasury.deploy(containers.JobEscrow, *given, list(dataclasses.astuple(market.terms)))


def second_escrow(market: Market, containers: Any, delays: tuple[int, int], **terms: int) -> Any:
    """A second staking and committee with these delays, and the escrow over them."""
    addresses = predicted_addresses(str(market.treasury), market.treasury.nonce - 1)
    seats = list(market.plan.seats)
    committee = market.treasury.deploy(
        containers.OracleCommittee, market.token.address, seats, SEAT_STAKE, delays[1], 50
    )
    staking = market.treasury.deploy(
        containers.Staking, market.token.address, addresses["JobEscrow"], delays[0]
    )
    values = list(dataclasses.astuple(dataclasses.replace(market.terms, **terms)))
    return market.treasury.deploy(
        containers.JobEscrow, market.token.address, staking.address, committee.address, values
    )


@pytest.mark.parametrize(("name", "which"), [("unstakeDelay", 0), ("stakeDelay", 1)])
def test_escrow__with_a_delay_shorter_than_the_longest_way__is_refused(
    market: Market, containers: Any, name: str, which: int
) -> None:
    """R23: at least the longest way of a batch; R26: the same for seats."""
    longest = market.terms.longest_way
    delays = [longest, longest]
    delays[which] -= 1
    with refused("ParameterOutOfBounds", name, longest - 1, longest, 2**32 - 1):
        second_escrow(market, containers, (delays[0], delays[1]))


def test_escrow__with_delays_of_exactly_the_longest_way__is_wired(market: Market, containers: Any) -> None:
    longest = market.terms.longest_way
    escrow = second_escrow(market, containers, (longest, longest))
    assert escrow.token() == market.token.address
    assert containers.Staking.at(escrow.staking()).escrow() == escrow.address
    assert numbers(escrow.parameters()) == dataclasses.astuple(market.terms)


BOUNDS = {
    "open_fee": (0, 10**18),
    "fee_bps": (0, 2_000),
    "slash_bps": (100, 10_000),
    "detection_bps": (100, 9_999),
    "audit_bps": (100, 10_000),
    "start_window": (5, 86_400),
    "cancel_delay": (5, 86_400),
    "max_duration": (5, 7 * 86_400),
    "maturity_window": (5, 30 * 86_400),
    "open_window": (5, 1_800),
    "evidence_window": (5, 7 * 86_400),
    "appeal_window": (5, 14 * 86_400),
    "draw_delay": (1, 128),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_escrow__with_a_parameter_out_of_its_bounds__is_refused(
    market: Market, containers: Any, name: str
) -> None:
    least, most = BOUNDS[name]
    head, *tail = name.split("_")
    camel = head + "".join(word.capitalize() for word in tail)
    delay = 80 * 86_400
    for value in (least - 1, most + 1):
        if value < 0:
            continue
        with refused("ParameterOutOfBounds", camel, value, least, most):
            second_escrow(market, containers, (delay, delay), **{name: value})


@pytest.mark.parametrize("delay", [59, 90 * 86_400 + 1])
def test_staking__with_a_delay_out_of_bounds__is_refused(market: Market, containers: Any, delay: int) -> None:
    given = [market.token.address, market.escrow.address, delay]
    with refused("UnstakeDelayOutOfBounds", delay, 60, 90 * 86_400):
        market.treasury.deploy(containers.Staking, *given)


@pytest.mark.parametrize("count", [0, 33])
def test_committee__of_too_few_or_many_seats__is_refused(market: Market, containers: Any, count: int) -> None:
    given = arguments(market, "OracleCommittee")
    given[1] = [f"0x{n + 1:040x}" for n in range(count)]
    with refused("SeatsOutOfBounds", count, 32):
        market.treasury.deploy(containers.OracleCommittee, *given)


def test_committee__with_a_seat_twice__is_refused(market: Market, containers: Any) -> None:
    given = arguments(market, "OracleCommittee")
    given[1] = [market.oracles[0].address] * 2
    with refused("DuplicateSeat", market.oracles[0].address):
        market.treasury.deploy(containers.OracleCommittee, *given)


@pytest.mark.parametrize(
    ("place", "name", "value", "least", "most"),
    [
        (2, "seatStake", 0, 1, 10**26),
        (3, "stakeDelay", 59, 60, 90 * 86_400),
        (4, "epochBlocks", 0, 1, 1_000_000),
    ],
)
def test_committee__with_a_parameter_out_of_its_bounds__is_refused(
    market: Market, containers: Any, place: int, name: str, value: int, least: int, most: int
) -> None:
    given = arguments(market, "OracleCommittee")
    given[place] = value
    with refused("ParameterOutOfBounds", name, value, least, most):
        market.treasury.deploy(containers.OracleCommittee, *given)


@pytest.mark.parametrize("name", ["MallaToken", "OracleCommittee", "Staking", "JobEscrow"])
def test_code__of_each_contract__leaves_room_below_the_limit(containers: Any, name: str) -> None:
    """24,576 bytes may be deployed (EIP-170); ours stay well below, so that a fix fits."""
    deployed = getattr(containers, name)._build["deployedBytecode"]
    assert 0 < len(deployed) // 2 < 21_000
