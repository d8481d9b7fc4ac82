"""How to use a testnet that is up: what `malla testnet up` prints at its end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_use(folder: Path) -> dict[str, Any]:
    """Where a running testnet is, and the environment of its first requester. Reads files only."""
    state = json.loads((folder / "state.json").read_text())
    requester = next(iter(state["requesters"].values()))
    return {
        "deployment": state["published"],
        "rpc_url": state["rpc_url"],
        "nodes": state["nodes"],
        "requesters": state["requesters"],
        "environment": {
            "MALLA_RPC_URL": state["rpc_url"],
            "MALLA_DEPLOYMENT": state["deployment"],
            "MALLA_KEYSTORE": requester["keystore"],
            "MALLA_PASSWORD_FILE": requester["password_file"],
        },
        "logs": str(folder / "logs"),
        "durations_s": state["durations_s"],
    }


def describe_use(use: dict[str, Any]) -> str:
    """Plain text: the addresses, what to export, what to try."""
    took = use["durations_s"].get("ready", 0)
    lines = [
        f"The testnet is up after {took:.0f} s. The chain answers at {use['rpc_url']}.",
        f"Addresses of the contracts: {use['deployment']}",
        f"Logs: {use['logs']} (malla testnet logs)",
        "",
        "Ask something as its first requester:",
        *(f"  export {name}={value}" for name, value in use["environment"].items()),
        '  python scripts/request_job.py "What is the capital of France?"',
        "  malla request serve      (OpenAI's API; then such as: python -m scripts.recipes.forecast)",
        "",
        "Look at the contracts:  brownie console --network malla",
        "See what runs:          malla testnet status",
    ]
    return "\n".join(lines)
