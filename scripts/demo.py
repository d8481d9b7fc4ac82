"""`make demo`: the whole market once, with a cheat in it, on a network of its own that is gone afterwards.

Four oracles, three providers, three requesters. Two providers are honest; the worker of the third is
`scripts/cheating_worker.py`. Every requester asks every provider. Exit status 0 only if every honest job was paid, the
cheat was convicted and slashed, all its jobs were refunded in full, and both ledgers are exact to one wei.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protocol.chain.keystore import keystore_address
from protocol.errors import MallaError
from scripts.ledger import read_ledger
from scripts.showcase.jobs import Followed, Order, connect_requester, count_states, follow_orders
from scripts.showcase.prompts import QUESTIONS
from scripts.showcase.summary import (
    FORMAT,
    Party,
    equation_json,
    find_faults,
    job_rows,
    read_balances,
    read_ends,
    read_slashes,
)
from scripts.showcase.table import print_balances, print_jobs, print_ledger
from scripts.testnet.arrangement import Arrangement, arrange
from scripts.testnet.engines import ROOT
from scripts.testnet.lock import Lock
from scripts.testnet.network import Network, remove_network
from scripts.testnet.processes import ProcessFailed
from scripts.testnet.show import Steps
from scripts.testnet.supervisor import Stopped, stoppable

FOLDER = ROOT / "var" / "demo"
CHEAT = "provider-3"
JOBS_TIMEOUT = 300.0


@dataclass(frozen=True)
class Seen:
    """What was observed while the network ran."""

    followed: list[Followed]
    first_block: int
    last_block: int
    before: dict[str, dict[str, int]]
    processes: int
    memory: int
    durations: dict[str, float]


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0, 1 when something failed or is not as it must be, 130 when stopped."""
    words = _parser().parse_args(arguments)
    began, steps = time.monotonic(), Steps(quiet=words.json)
    network_folder = words.folder / "network"
    try:
        with stoppable(), Lock(words.folder):
            _put_away(network_folder)
            (words.folder / "summary.json").unlink(missing_ok=True)
            what = arrange(network_folder, cheats=(CHEAT,))
            with steps, Network(what, steps) as network:
                seen = _run(network, steps, words.prompt, words.jobs)
                summary = summarise(network, seen)
            summary["durations_s"]["total"] = round(time.monotonic() - began, 1)
            (words.folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    except Stopped as stopped:
        print(f"Demo {stopped}. No process is left.", file=sys.stderr)
        return 130
    except MallaError as error:
        print(f"The demo failed: {error.message}\n{error.fix}", file=sys.stderr)
        print(f"Logs: {network_folder / 'logs'}", file=sys.stderr)
        return 1
    if words.json:
        print(json.dumps(summary, indent=2))
    else:
        _print(steps, summary, words.folder, words.prompt)
    return 0 if not summary["faults"] else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make demo", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--prompt", default="", help="also ask this, of an honest provider, and print the answer")
    parser.add_argument("--jobs", type=int, default=12, help="jobs in all, a multiple of three (default 12)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the network, logs and summary go")
    parser.add_argument("--json", action="store_true", help="print the summary instead of tables")
    return parser


def _put_away(network: Path) -> None:
    """Deletes the last run's network beside this run's start: thousands of small database files take seconds."""
    old = network.with_name("network.old")
    remove_network(old)  # of a run that was stopped before it had deleted everything
    if network.exists():
        network.rename(old)
        threading.Thread(target=remove_network, args=(old,), daemon=True).start()


def plan_orders(what: Arrangement, jobs: int, prompt: str = "") -> list[Order]:
    """Requesters and providers in turn, so that each provider gets work of each requester; then the own question."""
    owners = {node.name: keystore_address(node.owner_keystore) for node in what.providers}
    names, people = list(owners), [requester.name for requester in what.requesters]
    orders = []
    for i in range(jobs):
        provider, requester = names[i % len(names)], people[(i // len(names) + i) % len(people)]
        orders.append(Order(i + 1, requester, owners[provider], provider, QUESTIONS[i % len(QUESTIONS)]))
    if prompt:
        orders.append(Order(jobs + 1, people[0], owners[names[0]], names[0], prompt, 128))
    return orders


def list_parties(what: Arrangement) -> list[Party]:
    """Everyone whose balance the demo shows."""
    parties = [Party(one.name, "requester", keystore_address(one.keystore)) for one in what.requesters]
    parties += [Party(node.name, "provider", keystore_address(node.owner_keystore)) for node in what.providers]
    parties += [Party(f"{node.name} node key", "node key", keystore_address(node.keystore)) for node in what.providers]
    return parties + [Party(node.name, "oracle", keystore_address(node.keystore)) for node in what.oracles]


def _run(network: Network, steps: Steps, prompt: str, jobs: int) -> Seen:
    what, chain, began = network.what, network.chain, time.monotonic()
    first = chain.head().number
    before = read_balances(chain, list_parties(what), first)
    orders = plan_orders(what, jobs, prompt)
    clients = {requester.name: connect_requester(what, requester) for requester in what.requesters}
    steps("jobs", f"{len(orders)} jobs of {len(clients)} requesters over {len(what.providers)} providers")
    all_of_them: dict[int, Followed] = {}

    def changed(one: Followed) -> None:
        all_of_them[one.order.number] = one
        steps(f"job {one.order.number}", f"{one.order.provider_name} {one.state}: {one.detail}")
        steps("jobs", count_states(list(all_of_them.values())))

    followed = follow_orders(clients, orders, changed, network.require_alive, JOBS_TIMEOUT)
    count, memory = network.processes.measure()
    if failed := [one for one in followed if one.result is None]:
        one = failed[0]
        raise ProcessFailed(f"Job {one.order.number} ({one.order.provider_name}) failed: {one.error}")
    durations = network.durations | {"jobs": round(time.monotonic() - began, 1)}
    return Seen(followed, first, chain.head().number, before, count, memory, durations)


def summarise(network: Network, seen: Seen) -> dict[str, Any]:
    """What goes into summary.json; its form is docs/demo-summary.schema.json."""
    chain, parties = network.chain, list_parties(network.what)
    ledger = read_ledger(chain, seen.last_block)
    ends = read_ends(chain, seen.first_block, seen.last_block)
    slashes = read_slashes(chain, seen.last_block)
    after = read_balances(chain, parties, seen.last_block)
    jobs = job_rows(seen.followed, ends)
    providers = []
    for node in network.what.providers:
        address = keystore_address(node.owner_keystore)
        paid = sum(int(job["paid_wei"]) for job in jobs if job["provider"] == address)
        providers.append({"address": address, "name": node.name, "honest": not node.cheats, "paid_wei": str(paid),
                          "slashed_wei": str(slashes.get(address, 0))})  # fmt: skip
    return {
        "format": FORMAT,
        "chain_id": chain.deployment.chain_id,
        "block": seen.last_block,
        "jobs": jobs,
        "providers": providers,
        "balances": [
            {"name": party.name, "kind": party.kind, "address": party.address,
             "before": _as_text(seen.before[party.name]), "after": _as_text(after[party.name])}
            for party in parties
        ],
        "ledger": {"token": equation_json(ledger.token), "escrow": equation_json(ledger.escrow)},
        "durations_s": seen.durations,
        "processes": seen.processes,
        "memory_bytes": seen.memory,
        "faults": find_faults(jobs, providers, ledger),
    }  # fmt: skip


def _as_text(amounts: dict[str, int]) -> dict[str, str]:
    return {name: str(wei) for name, wei in amounts.items()}


def _print(steps: Steps, summary: dict[str, Any], folder: Path, prompt: str) -> None:
    console = steps.console
    print_jobs(console, summary["jobs"])
    print_balances(console, summary["balances"])
    print_ledger(console, summary["ledger"], summary["block"])
    if prompt:
        own = summary["jobs"][-1]
        console.print(f"\nYou asked: {prompt}\n{own['provider_name']} answered:\n{own['answer']}\n", markup=False)
    took = summary["durations_s"]
    console.print(
        f"\n{took['total']:.0f} s in all: {took['ready']:.0f} s until everything was ready, {took['jobs']:.0f} s for "
        f"{len(summary['jobs'])} jobs; {summary['processes']} processes, {summary['memory_bytes'] / 2**30:.1f} GiB."
    )
    for fault in summary["faults"]:
        console.print(f"NOT AS IT MUST BE: {fault}", markup=False)
    if not summary["faults"]:
        console.print("Every honest job was paid; the cheat was convicted and slashed, its jobs were refunded in full.")
    console.print(f"Summary: {folder / 'summary.json'}\nLogs:    {folder / 'network' / 'logs'}")
    console.print("Keep a network up:  . .venv/bin/activate && malla testnet up")


if __name__ == "__main__":
    sys.exit(main())
