"""The deploy plan: who gets the genesis supply, every parameter, and where each contract will lie.

Pure functions. `scripts/deploy.py` and the contract tests carry out the same plan, so what is tested is what is
deployed. Amounts are wei, times seconds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from eth_utils import is_address, to_canonical_address, to_checksum_address

from protocol.encoding import keccak
from protocol.units import TOKEN

LOCAL_CHAIN_ID = 31337
ORDER = ("MallaToken", "OracleCommittee", "Staking", "JobEscrow")
"""Deployed one after the other by one account without a gap; so the last one's address is known to the third."""
KEYS = {"MallaToken": "token", "OracleCommittee": "committee", "Staking": "staking", "JobEscrow": "escrow"}
"""What a deployment file calls each contract."""
GENESIS_SUPPLY = 100_000_000 * TOKEN

Profile = Literal["testnet", "test"]
Role = Literal["requester", "provider", "oracle"]


@dataclass(frozen=True)
class Terms:
    """`IJobEscrow.Parameters`, in its order."""

    open_fee: int
    fee_bps: int
    slash_bps: int
    detection_bps: int
    audit_bps: int
    start_window: int
    cancel_delay: int
    max_duration: int
    open_window: int
    maturity_window: int
    evidence_window: int
    appeal_window: int
    draw_delay: int

    @property
    def longest_way(self) -> int:
        """Seconds from the opening of a job to the last moment at which its provider can be slashed for it."""
        return self.max_duration + self.maturity_window + self.evidence_window + self.appeal_window


@dataclass(frozen=True)
class Plan:
    """Everything that a deployment decides."""

    terms: Terms
    genesis: tuple[tuple[str, int], ...]
    """(account, wei) pairs: the token's constructor mints exactly these."""
    seats: tuple[str, ...]
    seat_stake: int
    stake_delay: int
    epoch_blocks: int
    unstake_delay: int


@dataclass(frozen=True)
class Party:
    """An account that the local chain is to fund."""

    role: Role
    address: str


@dataclass(frozen=True)
class Grant:
    """What a party starts with: wei of the chain's coin for gas, wei of MallaToken."""

    gas: int
    tokens: int


TERMS: Mapping[str, Terms] = {
    # A new network audits everything. The deterrence bound still reckons with one conviction in twenty cheats, so a
    # provider stakes 38 times its dearest job. Windows are minutes: a demo waits for them.
    "testnet": Terms(
        open_fee=TOKEN // 1000,
        fee_bps=500,
        slash_bps=5_000,
        detection_bps=500,
        audit_bps=10_000,
        start_window=30,
        cancel_delay=60,
        max_duration=900,
        open_window=180,
        maturity_window=600,
        evidence_window=60,
        appeal_window=15,
        draw_delay=2,
    ),
    # Every number differs from every other, so that a test sees when one is taken for another.
    "test": Terms(
        open_fee=TOKEN // 100,
        fee_bps=300,
        slash_bps=4_000,
        detection_bps=500,
        audit_bps=2_000,
        start_window=40,
        cancel_delay=70,
        max_duration=3_600,
        open_window=200,
        maturity_window=1_800,
        evidence_window=500,
        appeal_window=900,
        draw_delay=3,
    ),
}

GRANTS: Mapping[str, Grant] = {
    "requester": Grant(gas=100 * 10**18, tokens=10_000 * TOKEN),
    "provider": Grant(gas=100 * 10**18, tokens=10_000 * TOKEN),
    "oracle": Grant(gas=100 * 10**18, tokens=6_000 * TOKEN),
}
SEAT_STAKE = 5_000 * TOKEN
EPOCH_BLOCKS = 8


def plan(profile: Profile, treasury: str, seats: Sequence[str]) -> Plan:
    """The plan of a network whose genesis supply goes to `treasury` and whose oracles are `seats`, in this order."""
    terms = TERMS[profile]
    # A minute more than the escrow asks for: the least delay under which no stake leaves before its last job is over.
    delay = terms.longest_way + 60
    return Plan(
        terms=terms,
        genesis=((to_checksum_address(treasury), GENESIS_SUPPLY),),
        seats=tuple(to_checksum_address(seat) for seat in seats),
        seat_stake=SEAT_STAKE,
        stake_delay=delay,
        epoch_blocks=EPOCH_BLOCKS,
        unstake_delay=delay,
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
    """The constructor's arguments of each contract, given all (predicted) addresses."""
    return {
        "MallaToken": [[list(pair) for pair in what.genesis]],
        "OracleCommittee": [
            addresses["MallaToken"],
            list(what.seats),
            what.seat_stake,
            what.stake_delay,
            what.epoch_blocks,
        ],
        "Staking": [addresses["MallaToken"], addresses["JobEscrow"], what.unstake_delay],
        "JobEscrow": [
            addresses["MallaToken"],
            addresses["Staking"],
            addresses["OracleCommittee"],
            list(dataclasses.astuple(what.terms)),
        ],
    }


def read_parties(listed: object) -> tuple[Party, ...]:
    """Parties from JSON: a list of {"role": requester | provider | oracle, "address"}. Raises ValueError."""
    if not isinstance(listed, list):
        raise ValueError('The list of parties is not a list of {"role", "address"} objects.')
    found: list[Party] = []
    for place, item in enumerate(listed):
        role, address = (item.get("role"), item.get("address")) if isinstance(item, dict) else (None, None)
        if role not in get_args(Role) or not isinstance(address, str) or not is_address(address):
            raise ValueError(
                f"Party {place} is {item!r}; it needs a role of {get_args(Role)} and an address."
            )
        found.append(Party(cast(Role, role), to_checksum_address(address)))
    return tuple(found)


def seats_of(parties: Sequence[Party]) -> tuple[str, ...]:
    """The oracles among the parties, in their order."""
    return tuple(party.address for party in parties if party.role == "oracle")


def deployment_record(
    chain_id: int, block: int, addresses: Mapping[str, str], code_hashes: Mapping[str, str], what: Plan
) -> dict[str, Any]:
    """What `deployments/<chain id>.json` holds. `block` is the last one before the first contract."""
    return {
        "chain_id": chain_id,
        "block": block,
        **{KEYS[name]: addresses[name] for name in ORDER},
        "code_hashes": {KEYS[name]: code_hashes[name] for name in ORDER},
        "seats": list(what.seats),
        "parameters": {
            **dataclasses.asdict(what.terms),
            "seat_stake": what.seat_stake,
            "stake_delay": what.stake_delay,
            "unstake_delay": what.unstake_delay,
            "epoch_blocks": what.epoch_blocks,
            "genesis_supply": sum(wei for _, wei in what.genesis),
        },
    }
