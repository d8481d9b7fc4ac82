"""What `scripts/deploy.py` leaves behind, read from the chain: nobody holds a key to the contracts."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from brownie import ZERO_ADDRESS, accounts, chain, web3
from brownie.exceptions import VirtualMachineError
from eth_abi import encode
from eth_utils.abi import collapse_if_tuple

from protocol.encoding import keccak
from scripts.plan import KEYS, PARTS
from tests.contracts.expect import now, refused
from tests.contracts.nouns import person

ROLE_GRANTED = "0x" + keccak(b"RoleGranted(bytes32,address,address)").hex()
ROLE_REVOKED = "0x" + keccak(b"RoleRevoked(bytes32,address,address)").hex()
# ERC-1967: implementation, admin and beacon of a proxy.
PROXY_SLOTS = [
    int.from_bytes(keccak(f"eip1967.proxy.{name}".encode())) - 1 for name in ("implementation", "admin", "beacon")
]
GOVERNED = ("committee", "staking", "rewards", "court", "escrow")
GUARDED = ("staking", "escrow")
# Names under which contracts are owned, upgraded or minted by a key.
ADMINISTRATION = ("owner", "admin", "getOwner", "pendingOwner", "implementation", "upgradeTo", "upgradeToAndCall",
                  "transferOwnership", "setOwner", "setAdmin", "setMinter", "pauseAll", "selfDestruct")  # fmt: skip
SETTERS = {
    "committee": ("addSeat", "removeSeat", "setSeatStake", "setStakeDelay"),
    "staking": ("setUnstakeDelay", "setDelegationMultiple", "setGuardian"),
    "rewards": ("setBeta",),
    "court": ("setTerms",),
    "escrow": ("setTerms", "setGuardian"),
}
EXCLUSIVE = {
    "staking": {"slash": "OnlyEscrow", "seize": "OnlyCourt", "addDelegationReward": "OnlyRewards"},
    "rewards": {"accrue": "OnlyEscrow"},
    "escrow": {"holdFreeze": "OnlyCourt", "releaseFreeze": "OnlyCourt", "convict": "OnlyCourt"},
    "token": {"mint": "OnlyMinter"},
}
"""Functions of one contract that only another contract may call, with the error for everybody else."""


@pytest.fixture(scope="module")
def network(containers: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A fresh deployment by the script, under the words of its file; the chain is put back afterwards."""
    module, folder = importlib.import_module("scripts.deploy"), tmp_path_factory.mktemp("deployment")
    chain.snapshot()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MALLA_DEPLOYMENTS", str(folder))
        patch.setenv("MALLA_PARTIES", str(_parties(folder)))
        patch.delenv("MALLA_GUARDIAN", raising=False)
        module.main()
    record = json.loads((folder / "31337.json").read_text())
    contracts = {key: containers[name].at(record[key]) for name, key in KEYS.items()}
    contracts["escrow"] = containers.interface.IJobEscrow(record["escrow"])
    parts = {name: containers[name].at(record["parts"][name]) for name in PARTS}
    yield SimpleNamespace(**contracts, record=record, contracts=contracts, parts=parts)
    chain.revert()


def _parties(folder: Path) -> Path:
    path = folder / "parties.json"
    seats = [{"role": "oracle", "address": person(f"seat {n}").address} for n in range(4)]
    path.write_text(json.dumps(seats))
    return path


def everybody(network: SimpleNamespace) -> dict[str, Any]:
    """Every kind of account that had anything to do with the deployment, and one that had not."""
    return {
        "the deployer": accounts[0],
        "the guardian": accounts.at(network.record["guardian"], force=True),
        "an oracle": person("seat 0").account,
        "a stranger": person("stranger").account,
    }


def sample(abi: dict[str, Any]) -> str:
    """Call data of a function with zeros and empty lists for all arguments."""
    types = [collapse_if_tuple(part) for part in abi["inputs"]]
    data = encode(types, [_zero(part) for part in abi["inputs"]])
    return "0x" + (keccak(f"{abi['name']}({','.join(types)})".encode())[:4] + data).hex()


def _zero(part: dict[str, Any]) -> Any:
    kind = part["type"]
    if kind.endswith("[]"):
        return []
    if kind == "tuple":
        return tuple(_zero(inner) for inner in part["components"])
    return {"address": ZERO_ADDRESS, "bool": False, "string": "", "bytes": b"", "bytes32": bytes(32)}.get(kind, 0)


def members(timelock: Any) -> dict[bytes, set[str]]:
    """Who has each role of the timelock, from its whole history."""
    found: dict[bytes, set[str]] = {}
    for log in web3.eth.get_logs({"address": str(timelock), "fromBlock": 0}):
        topics = ["0x" + bytes(topic).hex() for topic in log["topics"]]
        if topics[0] not in (ROLE_GRANTED, ROLE_REVOKED):
            continue
        account = web3.to_checksum_address("0x" + topics[2][-40:])
        its = found.setdefault(bytes.fromhex(topics[1][2:]), set())
        its.add(account) if topics[0] == ROLE_GRANTED else its.discard(account)
    return found


def test_timelock__roles__belong_to_contracts_or_to_everybody(network: SimpleNamespace) -> None:
    """R65: it administers itself, the governor alone proposes and cancels, anybody executes."""
    timelock = network.timelock
    assert members(timelock) == {
        bytes(timelock.DEFAULT_ADMIN_ROLE()): {str(timelock)},
        bytes(timelock.PROPOSER_ROLE()): {str(network.governor)},
        bytes(timelock.CANCELLER_ROLE()): {str(network.governor)},
        bytes(timelock.EXECUTOR_ROLE()): {ZERO_ADDRESS},
    }


def test_governed_contracts__governor__is_the_timelock_for_good(network: SimpleNamespace) -> None:
    """R65: and the governor's timelock is the same; nothing sets either."""
    for key in GOVERNED:
        assert network.contracts[key].governor() == network.timelock.address
    for part in network.parts.values():
        assert part.governor() == network.timelock.address
    assert network.governor.timelock() == network.timelock.address
    assert network.token.minter() == network.rewards.address


def test_guardian__of_the_local_chain__is_an_account_of_its_own(network: SimpleNamespace) -> None:
    """R69: not the deployer, not a seat, and the same for both contracts that can be paused."""
    guardian = network.record["guardian"]
    assert {network.contracts[key].guardian() for key in GUARDED} == {guardian}
    assert guardian not in (str(accounts[0]), ZERO_ADDRESS, *network.record["seats"])


def test_contracts__have_no_function_of_an_owner_or_a_proxy(network: SimpleNamespace) -> None:
    """R65: by their interfaces, and by the slots that proxies use."""
    for contract in (*network.contracts.values(), *network.parts.values()):
        names = {part["name"] for part in contract.abi if part["type"] == "function"}
        assert not names & set(ADMINISTRATION)
        for slot in PROXY_SLOTS:
            assert int.from_bytes(web3.eth.get_storage_at(str(contract), slot)) == 0


def test_deployer__is_in_no_slot_and_no_code(network: SimpleNamespace) -> None:
    """R65: its address is neither an immutable nor a plain variable of any contract."""
    mark = bytes.fromhex(str(accounts[0])[2:])
    for contract in (*network.contracts.values(), *network.parts.values()):
        assert mark not in bytes(web3.eth.get_code(str(contract)))
        for slot in range(64):
            assert mark not in bytes(web3.eth.get_storage_at(str(contract), slot))


@pytest.mark.parametrize("key", SETTERS)
def test_setters__called_by_anybody__are_refused(network: SimpleNamespace, key: str) -> None:
    """R65: also by the deployer and by the guardian."""
    contract = network.contracts[key]
    for name in SETTERS[key]:
        data = sample(getattr(contract, name).abi)
        for who in everybody(network).values():
            with refused("OnlyGovernor", str(who)):
                who.transfer(contract, 0, data=data)


@pytest.mark.parametrize("key", EXCLUSIVE)
def test_functions_between_contracts__called_by_anybody__are_refused(network: SimpleNamespace, key: str) -> None:
    """R65: who slashes, pays rewards, mints or convicts is a contract, fixed by the constructors."""
    contract = network.contracts[key]
    for name, error in EXCLUSIVE[key].items():
        data = sample(getattr(contract, name).abi)
        for who in everybody(network).values():
            with refused(error, str(who)):
                who.transfer(contract, 0, data=data)


def test_every_function__called_with_nothing__gives_power_to_nobody(network: SimpleNamespace) -> None:
    """R65: whatever of all state-changing functions answers to the deployer, guardian, roles, terms, delays and supply
    are the same afterwards."""
    before = powers(network)
    state = web3.provider.make_request("evm_snapshot", [])["result"]
    answered = []
    for key, contract in (network.contracts | network.parts).items():
        for abi in contract.abi:
            if abi["type"] == "function" and abi["stateMutability"] not in ("view", "pure"):
                try:
                    accounts[0].transfer(contract, 0, data=sample(abi))
                except VirtualMachineError:
                    continue
                answered.append(f"{key}.{abi['name']}")
    assert powers(network) == before
    assert len(answered) > 3
    web3.provider.make_request("evm_revert", [state])


def powers(network: SimpleNamespace) -> Any:
    guardians = [network.contracts[key].guardian() for key in GUARDED]
    terms = [network.escrow.parameters(), network.court.terms(), network.rewards.betaBps()]
    delays = [network.staking.unstakeDelay(), network.committee.stakeDelay(), network.timelock.getMinDelay()]
    roles = sorted((role, sorted(its)) for role, its in members(network.timelock).items())
    return guardians, terms, delays, roles, network.token.totalSupply(), network.committee.version()


@pytest.mark.parametrize("role", ["PROPOSER_ROLE", "CANCELLER_ROLE", "DEFAULT_ADMIN_ROLE"])
def test_timelock__asked_by_anybody__refuses(network: SimpleNamespace, role: str) -> None:
    """R65: nobody schedules, cancels, or gives a role."""
    calls = {"PROPOSER_ROLE": "schedule", "CANCELLER_ROLE": "cancel", "DEFAULT_ADMIN_ROLE": "grantRole"}
    data = sample(getattr(network.timelock, calls[role]).abi)
    needed = bytes(getattr(network.timelock, role)())
    for who in everybody(network).values():
        with refused("AccessControlUnauthorizedAccount", str(who), needed):
            who.transfer(network.timelock, 0, data=data)


def test_guardian__pauses_and_nothing_else(network: SimpleNamespace) -> None:
    """R69: the one key with any power has this one."""
    guardian = accounts.at(network.record["guardian"], force=True)
    for key in GUARDED:
        network.contracts[key].pause(now() + 60, {"from": guardian})
        with refused("OnlyGuardian", str(accounts[0])):
            network.contracts[key].pause(now() + 60, {"from": accounts[0]})
