"""The deploy plan: who gets the genesis supply, which parameters hold, and where each contract will lie.

Pure functions. `scripts/deploy.py` and the contract tests carry out the same plan, so what is tested is what is
deployed. Amounts are wei, times seconds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_utils import to_canonical_address, to_checksum_address

from protocol.encoding import keccak
from protocol.units import TOKEN
from scripts.parameters import PROFILES, CourtTerms, GovernorSettings, ProfileName, Schedule, Terms

LOCAL_CHAIN_ID = 31337
NOBODY = "0x" + "00" * 20
PARTS = ("EscrowDesk", "EscrowEnds")
"""Code that runs in the place of `JobEscrow`, which names them for good. They hold nothing themselves."""
KEYS = {
    "MallaToken": "token",
    "OracleCommittee": "committee",
    "Staking": "staking",
    "Rewards": "rewards",
    "DisputeCourt": "court",
    "MallaTimelock": "timelock",
    "MallaGovernor": "governor",
    "JobEscrow": "escrow",
}
"""What a deployment file calls each contract."""
ORDER = (*tuple(KEYS)[:-1], *PARTS, "JobEscrow")
"""Deployed one after the other by one account without a gap, so that each address is known before the first one. The
escrow is last: its constructor asks the others whether they name it."""
GENESIS_SUPPLY = 100_000_000 * TOKEN
SEAT_STAKE = PROFILES["testnet"].seat_stake


@dataclass(frozen=True)
class Plan:
    """Everything that a deployment decides."""

    terms: Terms
    court: CourtTerms
    schedule: Schedule
    beta_bps: int
    delegation_multiple: int
    governor: GovernorSettings
    genesis: tuple[tuple[str, int], ...]
    """(account, wei) pairs: the token's constructor mints exactly these."""
    seats: tuple[str, ...]
    seat_stake: int
    stake_delay: int
    epoch_blocks: int
    unstake_delay: int
    timelock_delay: int
    guardian: str
    """May pause new jobs, sessions and stakes, and nothing else; the zero address for nobody."""


def plan(name: ProfileName, treasury: str, seats: Sequence[str], guardian: str = NOBODY) -> Plan:
    """The plan of a network whose genesis supply goes to `treasury` and whose oracles are `seats`, in this order."""
    profile = PROFILES[name]
    return Plan(
        terms=profile.terms,
        court=profile.court,
        schedule=profile.schedule,
        beta_bps=profile.beta_bps,
        delegation_multiple=profile.delegation_multiple,
        governor=profile.governor,
        genesis=((to_checksum_address(treasury), GENESIS_SUPPLY),),
        seats=tuple(to_checksum_address(seat) for seat in seats),
        seat_stake=profile.seat_stake,
        stake_delay=profile.delay,
        epoch_blocks=profile.epoch_blocks,
        unstake_delay=profile.delay,
        timelock_delay=profile.delay,
        guardian=to_checksum_address(guardian),
    )


def predicted_addresses(deployer: str, nonce: int) -> dict[str, str]:
    """Where each contract of `ORDER` will lie when `deployer` creates them from `nonce` on."""
    return {name: created_address(deployer, nonce + place) for place, name in enumerate(ORDER)}


def created_address(deployer: str, nonce: int) -> str:
    """The address of the contract that transaction `nonce` of `deployer` creates: keccak(rlp([deployer, nonce]))."""
    number = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    tail = number if len(number) == 1 and number[0] < 0x80 else bytes([0x80 + len(number)]) + number
    items = b"\x94" + to_canonical_address(deployer) + tail
    return to_checksum_address(keccak(bytes([0xC0 + len(items)]) + items)[-20:])


def constructor_arguments(what: Plan, addresses: Mapping[str, str]) -> dict[str, list[Any]]:
    """The constructor's arguments of each contract of `ORDER`, given all (predicted) addresses."""
    at = {key: addresses[name] for name, key in KEYS.items()}
    wiring = [at[key] for key in ("token", "staking", "committee", "rewards", "court", "timelock")]
    return {
        "MallaToken": [[list(pair) for pair in what.genesis], at["rewards"]],
        "OracleCommittee": [
            at["token"],
            at["escrow"],
            at["timelock"],
            list(what.seats),
            what.seat_stake,
            what.stake_delay,
            what.epoch_blocks,
        ],
        "Staking": [
            [at["token"], at["escrow"], at["court"], at["rewards"], at["timelock"]],
            what.unstake_delay,
            what.delegation_multiple,
            what.guardian,
        ],
        "Rewards": [
            at["token"],
            at["escrow"],
            at["staking"],
            at["timelock"],
            list(dataclasses.astuple(what.schedule)),
            what.beta_bps,
        ],
        "DisputeCourt": [
            at["token"],
            at["escrow"],
            at["staking"],
            at["committee"],
            at["timelock"],
            list(dataclasses.astuple(what.court)),
        ],
        # The governor alone proposes and cancels; the zero address lets everybody execute.
        "MallaTimelock": [what.timelock_delay, [at["governor"]], [NOBODY], at["staking"]],
        "MallaGovernor": [at["token"], at["timelock"], list(dataclasses.astuple(what.governor))],
        **{name: [wiring] for name in PARTS},
        "JobEscrow": [
            wiring,
            list(dataclasses.astuple(what.terms)),
            what.guardian,
            *(addresses[name] for name in PARTS),
        ],
    }


def deployment_file(root: Path, chain_id: int, network: str, folder: str | None) -> Path:
    """Where a network's addresses are kept: in `folder` if one is named, else below the clone's `root`.

    Brownie's development chain ends with Brownie: its addresses never replace those of a network that is up.
    """
    usual = root / "build" / "development" if network == "development" else root / "deployments"
    return (Path(folder) if folder else usual) / f"{chain_id}.json"


def deployment_record(
    chain_id: int, block: int, addresses: Mapping[str, str], code_hashes: Mapping[str, str], what: Plan
) -> dict[str, Any]:
    """What `deployments/<chain id>.json` holds. `block` is the last one before the first contract."""
    return {
        "chain_id": chain_id,
        "block": block,
        **{key: addresses[name] for name, key in KEYS.items()},
        "parts": {name: addresses[name] for name in PARTS},
        "code_hashes": {KEYS.get(name, name): code_hashes[name] for name in ORDER},
        "seats": list(what.seats),
        "guardian": what.guardian,
        "parameters": {
            **dataclasses.asdict(what.terms),
            "seat_stake": what.seat_stake,
            "stake_delay": what.stake_delay,
            "unstake_delay": what.unstake_delay,
            "epoch_blocks": what.epoch_blocks,
            "genesis_supply": sum(wei for _, wei in what.genesis),
            "timelock_delay": what.timelock_delay,
            "delegation_multiple": what.delegation_multiple,
            "beta_bps": what.beta_bps,
            "court": dataclasses.asdict(what.court),
            "schedule": dataclasses.asdict(what.schedule),
            "governor": dataclasses.asdict(what.governor),
        },
    }
