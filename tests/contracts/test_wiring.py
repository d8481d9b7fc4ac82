from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from scripts.changes import parameters_of
from scripts.plan import KEYS, ORDER, PARTS, Plan, constructor_arguments, predicted_addresses
from tests.contracts.deployed import deploy
from tests.contracts.expect import NOBODY, numbers, refused
from tests.contracts.market import Market

DAY = 86_400
BOUNDS = {
    "open_fee": (0, 10**18),
    "fee_bps": (0, 2_000),
    "slash_bps": (100, 10_000),
    "challenger_bps": (0, 3_000),
    "detection_bps": (100, 9_999),
    "audit_bps": (100, 10_000),
    "draw_delay": (1, 128),
    "start_window": (5, DAY),
    "cancel_delay": (5, DAY),
    "max_duration": (5, 7 * DAY),
    "open_window": (5, 1_800),  # the maturity window
    "last_chance": (5, 7 * DAY),
    "maturity_window": (5, 15 * DAY),
    "evidence_window": (5, 7 * DAY),
    "appeal_window": (5, 14 * DAY),
    "claim_delay": (5_900, 60 * DAY),  # longest duration, maturity and evidence windows
    "max_session": (60, 90 * DAY),
    "slash_epoch": (5, 7 * DAY),
    "audit_fee": (0, 10**18),
    "submit_fee": (0, 10**18),
    "slash_ceiling": (1, 10**27),
}
# Each contract names the others; where it names another one, the escrow is not deployed.
WRONG_NAMES = [
    ("Staking", (0, 1), "Staking"),
    ("Staking", (0, 2), "Staking"),
    ("DisputeCourt", (1,), "DisputeCourt"),
    ("OracleCommittee", (1,), "OracleCommittee"),
    ("Rewards", (1,), "Rewards"),
    ("EscrowDesk", (0, 5), "EscrowDesk"),
    ("EscrowEnds", (0, 3), "EscrowEnds"),
]


def arguments(market: Market, name: str) -> list[Any]:
    """The constructor's arguments of one contract of a second market by the same deployer."""
    addresses = predicted_addresses(str(market.treasury), market.treasury.nonce)
    return constructor_arguments(market.plan, addresses)[name]


def second_market(market: Market, containers: Any, what: Plan, change: Any = None) -> dict[str, str]:
    """Deploys a second market as far as it goes; `change` may alter the arguments. The predicted addresses."""
    deployer = market.treasury
    addresses = predicted_addresses(str(deployer), deployer.nonce)
    given = constructor_arguments(what, addresses)
    if change:
        change(given)
    for name in ORDER[:-1]:
        deployer.deploy(containers[name], *given[name])
    market.last = lambda: deployer.deploy(containers.JobEscrow, *given["JobEscrow"])
    return addresses


@pytest.mark.parametrize(("name", "place", "blamed"), WRONG_NAMES)
def test_escrow__of_contracts_that_name_another__is_refused(
    market: Market, containers: Any, name: str, place: tuple[int, ...], blamed: str
) -> None:
    """R65: what holds money is wired to itself in both directions, or is not there."""

    def change(given: dict[str, list[Any]]) -> None:
        owner: Any = given[name]
        for step in place[:-1]:
            owner[step] = list(owner[step])
            owner = owner[step]
        owner[place[-1]] = str(market.stranger.address)

    addresses = second_market(market, containers, market.plan, change)
    with refused("NotWiredTo", addresses[blamed]):
        market.last()


@pytest.mark.parametrize(("name", "field"), [("unstakeDelay", "unstake_delay"), ("stakeDelay", "stake_delay")])
def test_escrow__with_a_delay_shorter_than_the_longest_way__is_refused(
    market: Market, containers: Any, name: str, field: str
) -> None:
    """R23, R26: at least the longest way of a batch and the court's ruling window."""
    longest = market.terms.longest_way + market.plan.court.ruling_window
    what = dataclasses.replace(market.plan, **{field: longest - 1})
    second_market(market, containers, what)
    with refused("ParameterOutOfBounds", name, longest - 1, longest, 2**32 - 1):
        market.last()


def test_escrow__with_delays_of_exactly_the_longest_way__is_wired(market: Market, containers: Any) -> None:
    longest = market.terms.longest_way + market.plan.court.ruling_window
    what = dataclasses.replace(
        market.plan, unstake_delay=longest, stake_delay=longest, timelock_delay=longest
    )
    contracts = deploy(containers, what, market.treasury)
    escrow = containers.interface.IJobEscrow(contracts.JobEscrow.address)
    names = ("MallaToken", "Staking", "OracleCommittee", "Rewards", "DisputeCourt", "MallaTimelock")
    assert [str(address) for address in escrow.wiring()] == [
        str(getattr(contracts, name).address) for name in names
    ]
    assert escrow.longestWay() == market.terms.longest_way
    assert numbers(escrow.parameters()) == dataclasses.astuple(market.terms)
    assert numbers(contracts.DisputeCourt.terms()) == dataclasses.astuple(market.plan.court)


@pytest.mark.parametrize("name", BOUNDS)
def test_escrow__with_a_parameter_out_of_its_bounds__is_refused(market: Market, name: str) -> None:
    """R68: also for governance, whose calls take the constructor's way."""
    least, most = BOUNDS[name]
    for value in (least - 1, most + 1):
        if value < 0 or (name, value) == ("maturity_window", 4):  # an open window of 5 does not fit: refused first
            continue
        terms = dataclasses.replace(market.terms, **{name: value})
        with refused("ParameterOutOfBounds", camel(name), value, least, most):
            market.escrow.setTerms(dataclasses.astuple(terms), {"from": market.as_governor})


def test_bounds__of_this_test__are_of_all_parameters() -> None:
    assert [camel(name) for name in BOUNDS] == list(parameters_of("escrow"))[: len(BOUNDS)]


def camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


@pytest.mark.parametrize("count", [0, 33])
def test_committee__of_too_few_or_many_seats__is_refused(market: Market, containers: Any, count: int) -> None:
    given = arguments(market, "OracleCommittee")
    given[3] = [f"0x{n + 1:040x}" for n in range(count)]
    with refused("SeatsOutOfBounds", count, 32):
        market.treasury.deploy(containers.OracleCommittee, *given)


def test_committee__with_a_seat_twice__is_refused(market: Market, containers: Any) -> None:
    given = arguments(market, "OracleCommittee")
    given[3] = [market.oracles[0].address] * 2
    with refused("DuplicateSeat", market.oracles[0].address):
        market.treasury.deploy(containers.OracleCommittee, *given)


@pytest.mark.parametrize(
    ("contract", "place", "name", "value", "least", "most"),
    [
        ("OracleCommittee", 4, "seatStake", 0, 1, 10**26),
        ("OracleCommittee", 5, "stakeDelay", 59, 60, 90 * DAY),
        ("OracleCommittee", 6, "epochBlocks", 0, 1, 1_000_000),
        ("Staking", 2, "delegationMultiple", 17, 0, 16),
        ("MallaTimelock", 0, "minDelay", 60 * DAY + 1, None, 60 * DAY),
    ],
)
def test_constructor__with_a_parameter_out_of_its_bounds__is_refused(
    market: Market, containers: Any, contract: str, place: int, name: str, value: int, least: int | None, most: int
) -> None:
    given = arguments(market, contract)
    given[place] = value
    if least is None:
        given[-1], least = market.staking.address, market.plan.unstake_delay
    with refused("ParameterOutOfBounds", name, value, least, most):
        market.treasury.deploy(containers[contract], *given)


def test_timelock__shorter_than_the_unstake_delay__is_refused(market: Market, containers: Any) -> None:
    """R67: whoever dislikes a change can leave before it is there."""
    least = market.plan.unstake_delay
    given = [least - 1, [market.governor.address], [NOBODY], market.staking.address]
    with refused("ParameterOutOfBounds", "minDelay", least - 1, least, 60 * DAY):
        market.treasury.deploy(containers.MallaTimelock, *given)


def test_governor__asked_for_another_timelock__refuses(market: Market) -> None:
    """R65: every governed contract names this timelock for good."""
    with refused("TimelockIsFixed", str(market.timelock.address)):
        market.governor.updateTimelock(market.stranger.address, {"from": market.as_governor})


@pytest.mark.parametrize("name", [*KEYS, *PARTS])
def test_code__of_each_contract__leaves_room_below_the_limit(containers: Any, name: str) -> None:
    """24,576 bytes may be deployed (EIP-170); ours stay well below, so that a fix fits."""
    deployed = getattr(containers, name)._build["deployedBytecode"]
    assert 0 < len(deployed) // 2 < 21_000
