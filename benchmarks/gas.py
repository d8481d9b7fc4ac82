"""Gas of each on-chain step, beside its goal and beside other markets': `python -m benchmarks.gas`.

Whole transactions on a fresh Anvil, sent by the Brownie tests (tests/contracts/gas_steps.py names what is measured
and in which state). Figures do not depend on the machine. A test compares them within five per cent.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.peers import PEERS

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "benchmarks" / "results" / "gas.json"
TESTS = "tests/contracts/test_gas.py"
SETTINGS = {
    "compiler": "solc 0.8.35, optimizer 200 runs, no viaIR, EVM prague",
    "library": "OpenZeppelin 5.7.0",
    "quorum": "3 signatures of 4 oracles",
    "state": "warm, except steps that end in _first",
}
GOALS = {
    "job_of_one_inference_at_100": 110_000,
    "voucher_alone": 90_000,
    "voucher_at_100": 25_000,
    "stake": 95_000,
    "unstake": 90_000,
    "forfeit_1_with_slash": 110_000,
    "reward_claim": 60_000,
}
"""What the project set out to reach; a goal that is missed is printed as missed."""
CALLS = (1, 10, 100, 1_000, 10_000)
RENEWAL = 100
"""Calls after which a provider that commits as it goes commits the next voucher."""


class NothingMeasured(Exception):
    """The run ended without figures; the message holds what it printed last."""


def measure() -> dict[str, int]:
    """Gas by step, from a run of its own."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "gas.json"
        environment = os.environ | {"MALLA_GAS_RESULT": str(target)}
        command = [str(ROOT / ".venv" / "bin" / "brownie"), "test", TESTS]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)
        if not target.exists():
            raise NothingMeasured(f"The run gave no figures:\n{done.stdout[-3_000:]}{done.stderr[-1_000:]}")
        found: dict[str, int] = json.loads(target.read_text(encoding="utf-8"))
    return found


def per_inference(found: dict[str, int]) -> dict[str, dict[str, int]]:
    """Gas of a session's whole life over its calls, rounded up, by number of calls.

    `one_voucher_alone`: opened, one voucher committed and settled in transactions of their own, closed, finished.
    `one_voucher_at_100`: the voucher travels in a batch of 100. `renewed_every_100_calls`: so does one for every 100
    calls, which is how often a provider that trusts nobody asks to be paid.
    """
    frame = found["open_session"] + found["close_session"] + found["finish_session"]
    rows = {}
    for calls in CALLS:
        vouchers = -(-calls // RENEWAL)
        whole = {
            "one_voucher_alone": frame + found["voucher_alone"],
            "one_voucher_at_100": frame + found["voucher_at_100"],
            "renewed_every_100_calls": frame + vouchers * found["voucher_at_100"],
        }
        rows[str(calls)] = {name: -(-gas // calls) for name, gas in whole.items()}
    return rows


def beside_peers(found: dict[str, int]) -> list[dict[str, Any]]:
    """The peers' figures with ours for the same work."""
    return [
        {**dataclasses.asdict(peer), "our_gas": sum(found[step] for step in peer.ours.split(" + "))} for peer in PEERS
    ]


def show(result: dict[str, Any]) -> None:
    found: dict[str, int] = result["gas"]
    width = max(map(len, found))
    for name, figure in found.items():
        goal = GOALS.get(name)
        verdict = "" if goal is None else f"   goal {goal:>9,}  {'reached' if figure <= goal else 'MISSED'}"
        print(f"{name:{width}}  {figure:>12,}{verdict}")
    print("\ngas an inference, by calls of a session:")
    for calls, row in result["per_inference"].items():
        print(f"{int(calls):>7,}  " + "  ".join(f"{name} {gas:>9,}" for name, gas in row.items()))
    print("\nbeside peers:")
    for row in result["peers"]:
        print(f"{row['system']:16} {row['action']:62} {row['gas']:>10,}  Malla {row['our_gas']:>9,}  ({row['ours']})")


def main() -> None:
    found = measure()
    result = {
        "settings": SETTINGS,
        "goals": GOALS,
        "gas": found,
        "per_inference": per_inference(found),
        "peers": beside_peers(found),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    show(result)


if __name__ == "__main__":
    main()
