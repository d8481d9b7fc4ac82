"""Makes the parties of a network real: keystores, the deployment by Brownie, seats, registrations, stakes, deposits.

Each step looks first whether it is done, so a network that was stopped in the middle is set up by starting it again.
"""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from protocol.chain.chain import Chain
from protocol.chain.deployment import load_deployment
from protocol.chain.keystore import create_keystore, keystore_address, open_keystore, read_password
from protocol.chain.records import Call
from protocol.chain.sender import send_and_wait
from protocol.draw import RevealChain
from protocol.errors import ConfigInvalid
from protocol.messages import node_key_digest
from protocol.sealing import derive_secret, public_key
from protocol.signing import Signer
from protocol.units import TOKEN, Address, Wei
from scripts.testnet.arrangement import Arrangement, Node, Requester
from scripts.testnet.engines import ROOT, find_program
from scripts.testnet.environment import plain_environment
from scripts.testnet.private import write_private
from scripts.testnet.processes import Process, Processes

STAKE = Wei(5_000 * TOKEN)
DEPOSIT = Wei(1_000 * TOKEN)
PERMIT_SECONDS = 600
DEPLOY_TIMEOUT = 180.0
T = TypeVar("T")


def create_keystores(what: Arrangement) -> None:
    """A keystore v3 for every party, with a generated password in a file beside it (both 0600)."""
    for node in what.nodes:
        _create(node.keystore, node.password_file)
        if node.side == "provider":
            _create(node.owner_keystore, node.password_file)
    for requester in what.requesters:
        _create(requester.keystore, requester.password_file)
    write_private(what.parties_file, json.dumps(list_parties(what), indent=2) + "\n")


def list_parties(what: Arrangement) -> list[dict[str, str]]:
    """What `scripts/deploy.py` funds on the local chain; the oracles in the order of their seats."""
    rows = [("oracle", node.keystore) for node in what.oracles]
    for node in what.providers:
        rows += [("provider", node.owner_keystore), ("provider", node.keystore)]
    rows += [("requester", requester.keystore) for requester in what.requesters]
    return [{"role": role, "address": keystore_address(path)} for role, path in rows]


def start_deployment(what: Arrangement, processes: Processes) -> Process:
    """`brownie run scripts/deploy.py` on the network's chain, as a child; it deploys and funds, or finds it done."""
    environment = plain_environment() | {
        "MALLA_RPC_PORT": str(what.rpc_port),
        "MALLA_PARTIES": str(what.parties_file),
        "MALLA_DEPLOYMENTS": str(what.deployments),
    }
    what.deployments.mkdir(parents=True, exist_ok=True)
    command = [find_program("brownie"), "run", "scripts/deploy.py", "--network", "malla"]
    return processes.spawn("deploy", command, environment=environment, folder=ROOT)


def wait_for_deployment(what: Arrangement, process: Process, processes: Processes) -> None:
    """Raises ProcessFailed with Brownie's own words when it fails or takes too long."""
    try:
        status = process.popen.wait(DEPLOY_TIMEOUT)
    except subprocess.TimeoutExpired:
        raise process.describe_failure(f"is not done after {DEPLOY_TIMEOUT:.0f} seconds") from None
    # `brownie run` ends with status 0 also after a script that raised, so the file is what counts.
    if status != 0 or not what.deployment.exists():
        raise process.describe_failure("failed")
    known = set(json.loads(what.deployment.read_text())["funded"])
    if missing := [party["address"] for party in list_parties(what) if party["address"] not in known]:
        raise process.describe_failure(f"did not fund {', '.join(missing)}")
    processes.stop([process.name])
    load_deployment(what.deployment)


def take_seats(what: Arrangement, chain: Chain) -> None:
    """Every oracle joins the committee with its URL, encryption key and reveal anchor, or corrects its URL.

    They join one after the other: the order of the set is that of the seats in any case, but a node that starts
    meanwhile sees a set that only grows."""
    set_version = chain.set_version()
    members = set(chain.members(set_version)) if set_version else set()
    _for_each(what.oracles, lambda node: _take_seat(chain, node, members))


def register_providers(what: Arrangement, chain: Chain) -> None:
    """Every provider names its node key and its encryption key, and stakes."""
    _for_each(what.providers, lambda node: _register(chain, node))


def deposit(what: Arrangement, chain: Chain, amount: Wei = DEPOSIT) -> None:
    """Every requester has at least `amount` wei of free balance in the escrow."""
    _for_each(what.requesters, lambda requester: _deposit(chain, requester, amount))


def owner_of(node: Node) -> Address:
    return keystore_address(node.owner_keystore)


def open_signer(keystore: Path, password_file: Path) -> tuple[Signer, bytes]:
    """A party's signer and its private key, which other keys are derived from."""
    key = open_keystore(keystore, read_password(password_file))
    return Signer(key), key


def _create(keystore: Path, password_file: Path) -> None:
    if not password_file.exists():
        write_private(password_file, secrets.token_hex(16) + "\n")
    if not keystore.exists():
        create_keystore(keystore, read_password(password_file))


def _take_seat(chain: Chain, node: Node, members: set[Address]) -> None:
    signer, key = open_signer(node.keystore, node.password_file)
    if signer.address in members:
        if chain.oracle(signer.address).url != node.url:
            send_and_wait(chain, signer, chain.set_url(node.url))
        return
    _allow(chain, signer, chain.deployment.committee, chain.seat_stake())
    anchor = RevealChain(derive_secret(key, "malla/oracle/reveals/v1")).anchor
    encryption_key = public_key(derive_secret(key, "malla/oracle/x25519/v1"))
    send_and_wait(chain, signer, chain.join(node.url, encryption_key, anchor))


def _register(chain: Chain, node: Node) -> None:
    owner, _ = open_signer(node.owner_keystore, node.password_file)
    node_signer, node_key = open_signer(node.keystore, node.password_file)
    record = chain.provider(owner.address)
    if record.node_key != node_signer.address:
        if int(record.node_key, 16):
            raise ConfigInvalid(
                f"{node.name} is registered with the node key {record.node_key}, not {node_signer.address}.",
                "The folder is not of this chain: `malla testnet reset`.",
            )
        consent = node_signer.sign(node_key_digest(chain.staking_domain, owner.address, node_signer.address))
        encryption_key = public_key(derive_secret(node_key, "malla/node/x25519/v1"))
        send_and_wait(chain, owner, chain.register(node_signer.address, encryption_key, bytes(32), consent))
    if record.active == 0:
        _allow(chain, owner, chain.deployment.staking, STAKE)
        send_and_wait(chain, owner, chain.stake(STAKE))


def _deposit(chain: Chain, requester: Requester, amount: Wei) -> None:
    signer, _ = open_signer(requester.keystore, requester.password_file)
    missing = amount - chain.free_balance(signer.address)
    if missing > 0:
        deadline = chain.head().timestamp + PERMIT_SECONDS
        permit = chain.permit_digest(signer.address, chain.deployment.escrow, missing, deadline)
        send_and_wait(chain, signer, chain.deposit_with_permit(missing, deadline, signer.sign(permit)))


def _allow(chain: Chain, signer: Signer, spender: Address, amount: int) -> None:
    if chain.allowance(signer.address, spender) < amount:
        call: Call = chain.approve(spender, amount)
        send_and_wait(chain, signer, call)


def _for_each(items: Sequence[T], action: Callable[[T], None]) -> None:
    """Side by side, because each waits for blocks most of the time; the first error is raised."""
    with ThreadPoolExecutor(max(1, len(items))) as pool:
        list(pool.map(action, items))
