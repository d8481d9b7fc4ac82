from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from protocol.units import TOKEN, UINT96_MAX
from scripts.plan import (
    GENESIS_SUPPLY,
    GRANTS,
    ORDER,
    SEAT_STAKE,
    TERMS,
    Party,
    constructor_arguments,
    created_address,
    deployment_record,
    plan,
    predicted_addresses,
    read_parties,
    seats_of,
)

DEPLOYER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
SEATS = [f"0x{place:040x}" for place in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("nonce", "address"),
    [
        (0, "0x5FbDB2315678afecb367f032d93F642f64180aa3"),
        (1, "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"),
        (3, "0xCf7Ed3AccA5a467e9e704C703E8D87F634fB0Fc9"),
    ],
)
def test_created_address__of_known_deployments__is_theirs(nonce: int, address: str) -> None:
    """Addresses that Anvil's first account gets for its first contracts."""
    assert created_address(DEPLOYER, nonce) == address


def test_created_address__of_any_nonce__is_another() -> None:
    """127, 128 and 256 are where the encoding of the nonce changes its length."""
    nonces = (0, 1, 127, 128, 255, 256, 65_535, 65_536)
    assert len({created_address(DEPLOYER, nonce) for nonce in nonces}) == len(nonces)


def test_predicted_addresses__follow_the_order_of_deployment() -> None:
    addresses = predicted_addresses(DEPLOYER, 7)
    assert [addresses[name] for name in ORDER] == [created_address(DEPLOYER, 7 + place) for place in range(4)]


def test_constructor_arguments__staking_and_escrow__name_each_other() -> None:
    addresses = predicted_addresses(DEPLOYER, 0)
    arguments = constructor_arguments(plan("testnet", DEPLOYER, SEATS), addresses)
    assert arguments["Staking"][1] == addresses["JobEscrow"]
    assert arguments["JobEscrow"][1] == addresses["Staking"]
    assert arguments["MallaToken"] == [[[DEPLOYER, GENESIS_SUPPLY]]]
    assert arguments["JobEscrow"][3] == list(dataclasses.astuple(TERMS["testnet"]))


@pytest.mark.parametrize("profile", ["testnet", "test"])
def test_plan__delays__outlast_the_longest_way_of_a_batch(profile: Any) -> None:
    what = plan(profile, DEPLOYER, SEATS)
    terms = what.terms
    windows = (terms.max_duration, terms.maturity_window, terms.evidence_window, terms.appeal_window)
    assert terms.longest_way == sum(windows)
    assert what.unstake_delay > terms.longest_way and what.stake_delay > terms.longest_way


def test_plan__grants_and_stakes__fit_the_supply_and_the_token() -> None:
    assert GENESIS_SUPPLY < 10**9 * TOKEN < UINT96_MAX
    assert GRANTS["oracle"].tokens >= SEAT_STAKE
    assert 1_000 * max(grant.tokens for grant in GRANTS.values()) < GENESIS_SUPPLY


def test_test_terms__differ_from_each_other() -> None:
    """A test could not see two equal numbers being exchanged."""
    numbers = dataclasses.asdict(TERMS["test"])
    windows = [value for name, value in numbers.items() if not name.endswith(("_fee", "_bps"))]
    assert len(set(windows)) == len(windows)


def test_deployment_record__holds_each_contract_under_its_word() -> None:
    addresses = predicted_addresses(DEPLOYER, 0)
    hashes = {name: f"0x{place:064x}" for place, name in enumerate(ORDER)}
    record = deployment_record(31337, 5, addresses, hashes, plan("testnet", DEPLOYER, SEATS))
    assert (record["chain_id"], record["block"], record["escrow"]) == (31337, 5, addresses["JobEscrow"])
    assert record["code_hashes"]["escrow"] == hashes["JobEscrow"]
    assert record["parameters"]["genesis_supply"] == GENESIS_SUPPLY
    assert len(record["seats"]) == 4


def test_read_parties__of_the_three_roles__keeps_their_order() -> None:
    listed = [{"role": "oracle", "address": SEATS[1]}, {"role": "provider", "address": SEATS[0]}]
    parties = read_parties(listed)
    assert parties == (Party("oracle", SEATS[1]), Party("provider", SEATS[0]))
    assert seats_of(parties) == (SEATS[1],)


@pytest.mark.parametrize(
    "listed",
    [
        {"role": "oracle"},
        ["oracle"],
        [{"role": "king", "address": SEATS[0]}],
        [{"role": "oracle", "address": "0x12"}],
        [{"role": "oracle"}],
        [{"role": ["oracle"], "address": SEATS[0]}],
    ],
)
def test_read_parties__malformed__is_refused(listed: object) -> None:
    with pytest.raises(ValueError, match=r"part(y|ies)|Party"):
        read_parties(listed)
