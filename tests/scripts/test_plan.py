from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from protocol.units import TOKEN, UINT96_MAX
from scripts.grants import GRANTS, Party, read_parties, seats_of
from scripts.parameters import PROFILES, TERMS
from scripts.plan import (
    GENESIS_SUPPLY,
    KEYS,
    NOBODY,
    ORDER,
    PARTS,
    SEAT_STAKE,
    constructor_arguments,
    created_address,
    deployment_file,
    deployment_record,
    plan,
    predicted_addresses,
)

DEPLOYER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
GUARDIAN = "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65"
SEATS = [f"0x{place:040x}" for place in (1, 2, 3, 4)]
TOKEN_CAP = 10**9 * TOKEN


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
    nonces = range(7, 7 + len(ORDER))
    assert [addresses[name] for name in ORDER] == [created_address(DEPLOYER, nonce) for nonce in nonces]


def test_order__escrow__comes_last_behind_its_parts() -> None:
    """Its constructor is the only one that calls the others."""
    assert ORDER[-1] == "JobEscrow" and set(ORDER) == {*KEYS, *PARTS} and len(set(ORDER)) == len(ORDER)


def test_constructor_arguments__contracts_that_work_together__name_each_other() -> None:
    at = predicted_addresses(DEPLOYER, 0)
    what = plan("testnet", DEPLOYER, SEATS, GUARDIAN)
    arguments = constructor_arguments(what, at)
    assert set(arguments) == set(ORDER)
    assert arguments["MallaToken"] == [[[DEPLOYER, GENESIS_SUPPLY]], at["Rewards"]]
    names = ("MallaToken", "JobEscrow", "DisputeCourt", "Rewards", "MallaTimelock")
    assert arguments["Staking"][0] == [at[name] for name in names]
    names = ("MallaToken", "Staking", "OracleCommittee", "Rewards", "DisputeCourt", "MallaTimelock")
    wiring = [at[name] for name in names]
    assert [arguments[name][0] for name in ("JobEscrow", *PARTS)] == [wiring] * 3
    assert arguments["JobEscrow"][3:] == [at["EscrowDesk"], at["EscrowEnds"]]
    assert arguments["JobEscrow"][1] == list(dataclasses.astuple(TERMS["testnet"]))


def test_constructor_arguments__governed_contracts__obey_the_timelock_alone() -> None:
    """R65: the governor proposes and cancels, everybody executes, and nobody administers."""
    at = predicted_addresses(DEPLOYER, 0)
    arguments = constructor_arguments(plan("testnet", DEPLOYER, SEATS, GUARDIAN), at)
    assert arguments["MallaTimelock"][1:] == [[at["MallaGovernor"]], [NOBODY], at["Staking"]]
    assert arguments["MallaGovernor"][:2] == [at["MallaToken"], at["MallaTimelock"]]
    for name in ("OracleCommittee", "Staking", "Rewards", "DisputeCourt", "JobEscrow"):
        assert at["MallaTimelock"] in str(arguments[name])
    assert arguments["Staking"][-1] == arguments["JobEscrow"][2] == GUARDIAN


@pytest.mark.parametrize("profile", PROFILES)
def test_plan__delays__outlast_the_longest_way_and_the_court(profile: Any) -> None:
    """R67: stake leaves only after the last moment at which it can be slashed, and before a change is there."""
    what = plan(profile, DEPLOYER, SEATS)
    terms = what.terms
    undecided = terms.maturity_window + terms.evidence_window
    freeze = terms.last_chance + terms.appeal_window + terms.slash_epoch
    assert terms.longest_way == terms.max_duration + 2 * undecided + freeze
    assert what.unstake_delay >= terms.longest_way + what.court.ruling_window
    assert what.stake_delay >= terms.longest_way + what.court.ruling_window
    assert what.timelock_delay >= what.unstake_delay
    assert terms.claim_delay >= terms.max_duration + terms.maturity_window + terms.evidence_window
    assert what.court.dispute_window + what.court.ruling_window <= what.unstake_delay - terms.max_duration


@pytest.mark.parametrize("profile", PROFILES)
def test_plan__seats__cover_the_work_of_a_demo(profile: Any) -> None:
    """Quorum 3 of 4 seats, halved, less what a captured quorum would get of the slashes of an epoch."""
    what = plan(profile, DEPLOYER, SEATS)
    cover = 3 * what.seat_stake // 2 - what.terms.challenger_bps * what.terms.slash_ceiling // 10_000
    assert cover > 6_000 * TOKEN
    demo_stake = 5_000 * TOKEN
    assert what.terms.slash_ceiling >= demo_stake * what.terms.slash_bps // 10_000


@pytest.mark.parametrize("profile", PROFILES)
def test_plan__rewards__stay_below_the_cap_of_the_token(profile: Any) -> None:
    what = plan(profile, DEPLOYER, SEATS)
    assert what.schedule.hard_cap + GENESIS_SUPPLY <= TOKEN_CAP
    assert what.beta_bps < 10_000


def test_plan__grants_and_stakes__fit_the_supply_and_the_token() -> None:
    assert GENESIS_SUPPLY < TOKEN_CAP < UINT96_MAX
    assert GRANTS["oracle"].tokens >= SEAT_STAKE
    assert 1_000 * max(grant.tokens for grant in GRANTS.values()) < GENESIS_SUPPLY


def test_test_profile__numbers_of_one_kind__differ_from_each_other() -> None:
    """A test could not see two equal numbers being exchanged."""
    profile = PROFILES["test"]
    numbers = dataclasses.asdict(profile.terms) | dataclasses.asdict(profile.court)
    windows = [value for name, value in numbers.items() if name.endswith(("_window", "_delay", "_duration"))]
    assert len(set(windows)) == len(windows) > 9
    shares = [value for name, value in numbers.items() if name.endswith("_bps")]
    assert len(set(shares)) == len(shares) == 5
    amounts = [value for name, value in numbers.items() if name.endswith(("_fee", "_bond", "_ceiling"))]
    assert len(set(amounts)) == len(amounts) == 6


@pytest.mark.parametrize(
    ("network", "folder", "path"),
    [
        ("malla", None, "deployments/31337.json"),
        ("malla", "elsewhere", "elsewhere/31337.json"),
        ("development", None, "build/development/31337.json"),
        ("development", "elsewhere", "elsewhere/31337.json"),
    ],
)
def test_deployment_file__of_brownies_own_chain__is_kept_apart(
    tmp_path: Path, network: str, folder: str | None, path: str
) -> None:
    named = str(tmp_path / folder) if folder else None
    assert deployment_file(tmp_path, 31337, network, named) == tmp_path / path


def test_deployment_record__holds_each_contract_under_its_word() -> None:
    addresses = predicted_addresses(DEPLOYER, 0)
    hashes = {name: f"0x{place:064x}" for place, name in enumerate(ORDER)}
    record = deployment_record(31337, 5, addresses, hashes, plan("testnet", DEPLOYER, SEATS, GUARDIAN))
    assert (record["chain_id"], record["block"], record["escrow"]) == (31337, 5, addresses["JobEscrow"])
    assert record["code_hashes"]["escrow"] == hashes["JobEscrow"]
    assert record["parameters"]["genesis_supply"] == GENESIS_SUPPLY
    assert {key: record[key] for key in KEYS.values()} == {key: addresses[name] for name, key in KEYS.items()}
    assert record["parts"] == {name: addresses[name] for name in PARTS}
    assert set(record["code_hashes"]) == {*KEYS.values(), *PARTS}
    assert record["guardian"] == GUARDIAN
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
