"""Deploys Malla by the plan: `brownie run scripts/deploy.py --network malla`.

Writes `deployments/<chain id>.json`. A second run finds what the first deployed, says so, and ends well. Nobody keeps
a key to the contracts: what changes them is a vote (scripts/governance.py), and the guardian can only pause what is
new. On the local chain id it also gives gas and tokens to the parties listed in the JSON file that MALLA_PARTIES
names. On any other chain that file only names the oracles' seats, MALLA_DEPLOYER names the Brownie account that
deploys, MALLA_TREASURY the address that receives the genesis supply and with it all votes, and MALLA_GUARDIAN the
address that may pause, or `none`. MALLA_DEPLOYMENTS names another folder for the file: the demo's network keeps its
own, beside a testnet that is up.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from brownie import accounts, chain, network, project, web3
from eth_utils import is_address, to_checksum_address

from protocol.encoding import keccak
from scripts.grants import GRANTS, Party, read_parties, seats_of
from scripts.plan import (
    KEYS,
    LOCAL_CHAIN_ID,
    NOBODY,
    ORDER,
    Plan,
    constructor_arguments,
    deployment_file,
    deployment_record,
    plan,
    predicted_addresses,
)

DEPLOYMENTS = Path(__file__).resolve().parent.parent / "deployments"
LOCAL_SEATS, LOCAL_GUARDIAN = slice(1, 5), 5
"""Among the accounts of a local node: who takes the seats when no parties are named, and who may pause."""
LOCAL_GAS = 6_000_000
"""Limit of each deploying transaction there; the dearest uses 4.7 million."""
MINED_WITHIN_S = 150
"""Seconds, many times what a few blocks take: the machine may be busy."""
LOCAL_FEES = {"maxFeePerGas": 10**11, "maxPriorityFeePerGas": 10**9}
"""Left to itself, Anvil offers hardly more than the present base fee, which rises with each full block: on a busy
machine, transactions that were sent together were dropped behind the first blocks, for good."""


class DeploymentRefused(Exception):
    """Deploying would overwrite or contradict something; the message names it and what to do."""


def main() -> None:
    """Entry of `brownie run`."""
    chain_id = chain.id
    parties = _parties()
    target = deployment_file(
        DEPLOYMENTS.parent, chain_id, network.show_active(), os.environ.get("MALLA_DEPLOYMENTS")
    )
    record = _deployed_before(target, chain_id)
    deployer = _deployer(chain_id)
    if record is None:
        record = _deploy(deployer, chain_id, parties)
        _write(target, record)
        print(f"Deployed to chain {chain_id} at block {record['block']}; the addresses are in {target}.")
    else:
        print(f"Already deployed to chain {chain_id} with the same code; nothing to do.")
    if chain_id == LOCAL_CHAIN_ID:
        _fund(deployer, record, parties, target)


def _parties() -> tuple[Party, ...]:
    listed = os.environ.get("MALLA_PARTIES")
    return read_parties(json.loads(Path(listed).read_text(encoding="utf-8"))) if listed else ()


def _deployer(chain_id: int) -> Any:
    if chain_id == LOCAL_CHAIN_ID:
        return accounts[0]
    name = os.environ.get("MALLA_DEPLOYER")
    if not name:
        raise DeploymentRefused(
            "MALLA_DEPLOYER is not set: name the Brownie account that pays for the deployment."
        )
    return accounts.load(name)


def _plan(deployer: str, chain_id: int, parties: tuple[Party, ...]) -> Plan:
    """The plan of this network. Off the local chain nothing that gives power has a default."""
    seats = seats_of(parties)
    if chain_id == LOCAL_CHAIN_ID:
        guardian = _address("MALLA_GUARDIAN", str(accounts[LOCAL_GUARDIAN]))
        seats, treasury = seats or tuple(str(account) for account in accounts[LOCAL_SEATS]), deployer
    else:
        guardian, treasury = _address("MALLA_GUARDIAN"), _address("MALLA_TREASURY")
    if not seats:
        raise DeploymentRefused(
            "No seats: MALLA_PARTIES must name a file that lists the oracles of this network."
        )
    if guardian == deployer:
        raise DeploymentRefused(
            f"MALLA_GUARDIAN is {guardian}, the account that deploys: name one that is kept apart, or none."
        )
    return plan("testnet", treasury, seats, guardian)


def _address(variable: str, default: str | None = None) -> str:
    """The address that an environment variable names; `none` is the zero address."""
    word = os.environ.get(variable) or default
    if word is None:
        raise DeploymentRefused(f"{variable} is not set: see the top of scripts/deploy.py for what it names.")
    if word == "none" and variable == "MALLA_GUARDIAN":
        return NOBODY
    if not is_address(word):
        raise DeploymentRefused(f"{variable} is {word!r}, which is no address.")
    return to_checksum_address(word)


def _deployed_before(target: Path, chain_id: int) -> dict[str, Any] | None:
    """The record of a deployment that is there and has the code that this build would deploy."""
    if not target.exists():
        return None
    record: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
    addresses = {**{name: record.get(key) for name, key in KEYS.items()}, **record.get("parts", {})}
    there = {KEYS.get(name, name): _code_hash(addresses.get(name) or NOBODY) for name in ORDER}
    if there == record["code_hashes"] and record["builds"] == _builds():
        return record
    if chain_id == LOCAL_CHAIN_ID:
        return None  # the file of a local chain that is gone, or of older contracts on this one
    raise DeploymentRefused(
        f"{target.name} names contracts whose code is not what this clone would deploy to chain {chain_id}. "
        "Move the file away to deploy a second network, or check out the version that deployed the first."
    )


def _deploy(deployer: Any, chain_id: int, parties: tuple[Party, ...]) -> dict[str, Any]:
    what = _plan(str(deployer), chain_id, parties)
    addresses = predicted_addresses(str(deployer), deployer.nonce)
    arguments = constructor_arguments(what, addresses)
    block = web3.eth.block_number
    if chain_id == LOCAL_CHAIN_ID:
        _deploy_together(deployer, arguments, addresses)
    else:
        _deploy_in_turn(deployer, arguments, addresses)
    code_hashes = {name: _code_hash(addresses[name]) for name in ORDER}
    record = deployment_record(chain_id, block, addresses, code_hashes, what)
    return {**record, "builds": _builds(), "funded": []}


def _deploy_together(deployer: Any, arguments: dict[str, list[Any]], addresses: dict[str, str]) -> None:
    """On a local chain, where nobody else sends from this account: a block for each would be a long wait."""
    sent = {}
    for name in ORDER:
        code = _container(name).deploy.encode_input(*arguments[name])
        sent[name] = web3.eth.send_transaction({"from": str(deployer), "data": code, "gas": LOCAL_GAS, **LOCAL_FEES})
    for name, transaction in sent.items():
        if web3.eth.wait_for_transaction_receipt(transaction, timeout=MINED_WITHIN_S)["status"] != 1:
            raise DeploymentRefused(f"{name} is not deployed: its constructor refused the plan's arguments.")
        _container(name).at(addresses[name], deployer)  # now Brownie knows it, in the console as well


def _deploy_in_turn(deployer: Any, arguments: dict[str, list[Any]], addresses: dict[str, str]) -> None:
    """Anywhere else: each is there, and where it must be, before the next is paid for."""
    for name in ORDER:
        deployed = deployer.deploy(_container(name), *arguments[name])
        if str(deployed.address) != addresses[name]:
            raise DeploymentRefused(
                f"{name} lies at {deployed.address}, not at {addresses[name]}: another transaction of {deployer} came "
                "between. Run the deployment again, with nothing else using that account."
            )


def _fund(deployer: Any, record: dict[str, Any], parties: tuple[Party, ...], target: Path) -> None:
    token = _container("MallaToken").at(record["token"])
    missing = [party for party in parties if party.address not in record["funded"]]
    sent: list[Any] = []
    # By web3, one after the other, and awaited together: Brownie waits for each, a block at a time.
    for party in missing:
        grant = GRANTS[party.role]
        tokens = token.transfer.encode_input(party.address, grant.tokens)
        for call in ({"to": party.address, "value": grant.gas}, {"to": record["token"], "data": tokens}):
            sent.append(web3.eth.send_transaction({"from": str(deployer), **call, **LOCAL_FEES}))
    for transaction in sent:
        if web3.eth.wait_for_transaction_receipt(transaction, timeout=MINED_WITHIN_S)["status"] != 1:
            raise DeploymentRefused(f"Funding failed: the chain refused transaction {transaction.hex()}.")
    record["funded"] += [party.address for party in missing]
    _write(target, record)
    print(f"Funded {len(missing)} of {len(parties)} parties; the others had theirs.")


def _write(target: Path, record: dict[str, Any]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_suffix(".draft")
    draft.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    draft.replace(target)  # whole or not at all: other processes read it


def _container(name: str) -> Any:
    return project.get_loaded_projects()[0][name]


def _code_hash(address: str) -> str:
    """Asked of the node itself: Brownie keeps code by chain id and address on disk, and every local chain that was
    ever started here has the id 31337 and the same addresses."""
    answer = web3.provider.make_request("eth_getCode", [address, "latest"])
    return "0x" + keccak(bytes.fromhex(answer["result"].removeprefix("0x"))).hex()


def _builds() -> dict[str, str]:
    """Digest of each contract's creation code, without its arguments: which source a deployment comes from."""
    return {KEYS.get(name, name): "0x" + keccak(bytes.fromhex(_container(name).bytecode)).hex() for name in ORDER}
