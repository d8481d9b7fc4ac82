"""Changes a parameter by a vote: `brownie run scripts/governance.py main <contract> <parameter> <value>`.

Each run takes the next possible step (delegate, propose, vote, queue, execute) and says what comes next and when; run
the same command again then. Steps that are done are found on the chain and not repeated. On Brownie's own development
chain one run deploys, moves the time and does all; on a network that runs it never moves time. Without words it lists
what can be changed. Values are in the contract's unit: wei, seconds, bps.

On the local chain id the first account votes, which holds the treasury; elsewhere MALLA_VOTER names the Brownie
account.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import brownie
from brownie import accounts, chain, network, project, web3
from brownie.exceptions import VirtualMachineError

from scripts.changes import SETTINGS, ChangeRefused, find_change, parameters_of
from scripts.plan import KEYS, LOCAL_CHAIN_ID, deployment_file
from scripts.voting import Governance, GovernanceRefused, Surroundings

ROOT = Path(__file__).resolve().parent.parent
USAGE = "brownie run scripts/governance.py main <contract> <parameter> <value> [--network malla]"
MOST_STEPS = 9
"""More than a change has, so that a setter that sets something else ends as well."""


def main(*words: str) -> None:
    """Entry of `brownie run`."""
    try:
        _run(words)
    except (ChangeRefused, GovernanceRefused) as refusal:
        raise SystemExit(f"governance: {refusal}") from None


def _run(words: tuple[str, ...]) -> None:
    if words and len(words) != 3:
        raise GovernanceRefused(f"Three words are needed, not {len(words)}: {USAGE}")
    if not words:
        listed = (f"  {contract}: {', '.join(parameters_of(contract))}" for contract in SETTINGS)
        print("\n".join([USAGE, "", "What a vote can change:", *listed]))
        return
    governance = _governance()
    for _ in range(MOST_STEPS):
        later = governance.advance(find_change(words[0], words[1], words[2], governance.read))
        if later is None:
            return
        if later <= _now():
            continue
        if not _is_development():
            print("Run the same command again then.")
            return
        _pass_time(later)


def _governance() -> Governance:
    """Of the contracts that are deployed here. On Brownie's own chain, which begins empty, it deploys them first."""
    if _is_development():
        brownie.run("scripts/deploy.py")
    target = deployment_file(ROOT, chain.id, str(network.show_active()), os.environ.get("MALLA_DEPLOYMENTS"))
    if not target.exists():
        raise GovernanceRefused(f"Nothing is deployed: there is no {target}. Run scripts/deploy.py first.")
    record: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
    # Not by `from brownie import ...`: those names are gone after another script ran inside this one.
    ours: Any = project.get_loaded_projects()[0]
    contracts = {key: ours[name].at(record[key]) for name, key in KEYS.items()}
    contracts["escrow"] = ours.interface.IJobEscrow(record["escrow"])  # three codes answer at its address

    def logs(address: str, topic: bytes) -> list[bytes]:
        where: Any = {"address": address, "fromBlock": record["block"] + 1, "topics": [topic]}
        return [bytes(log["data"]) for log in web3.eth.get_logs(where)]

    return Governance(contracts, _voter(), Surroundings(_now, _pass_second, logs, VirtualMachineError))


def _voter() -> Any:
    if chain.id == LOCAL_CHAIN_ID:
        return accounts[0]
    name = os.environ.get("MALLA_VOTER")
    if not name:
        raise GovernanceRefused("MALLA_VOTER is not set: name the Brownie account that proposes and votes.")
    return accounts.load(name)


def _is_development() -> bool:
    return bool(network.show_active() == "development")


def _pass_time(until: int) -> None:
    print(f"This chain is Brownie's own: {until - _now()} s pass.")
    chain.sleep(until - _now())
    chain.mine()


def _pass_second() -> None:
    """Until a block of a later second: votes of this one do not count yet."""
    second = _now()
    if _is_development():
        _pass_time(second + 2)
    while _now() == second:
        time.sleep(0.1)


def _now() -> int:
    return int(web3.eth.get_block("latest")["timestamp"])
