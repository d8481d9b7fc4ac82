"""What runs of a testnet, read from outside: its state file, the kernel's list of processes, each node's health."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import psutil

from scripts.testnet.health import read_health
from scripts.testnet.lock import find_holder
from scripts.testnet.watching import measure_trees


def read_status(folder: Path) -> dict[str, Any]:
    """`running` says whether a supervisor is there; `ready` whether every node says that it is. Memory in bytes."""
    pid = find_holder(folder)
    state = folder / "state.json"
    if pid is None:
        return {"running": False, "ready": False, "folder": str(folder)}
    if not state.exists():
        return {"running": True, "ready": False, "supervisor": pid, "folder": str(folder), "nodes": {}, "processes": {}}
    record = json.loads(state.read_text())
    nodes = {name: _health(url) | {"url": url} for name, url in record["nodes"].items()}
    processes = {
        name: {"pid": row["pid"], "alive": psutil.pid_exists(row["pid"])} for name, row in record["processes"].items()
    }
    count, memory = measure_trees([pid])
    healthy = all(node["status"] == "ready" for node in nodes.values())
    ready = healthy and all(row["alive"] for row in processes.values())
    return {
        "running": True,
        "ready": ready,
        "supervisor": pid,
        "up_s": int(time.time()) - record["since"],
        "folder": str(folder),
        "rpc_url": record["rpc_url"],
        "deployment": record["deployment"],
        "nodes": nodes,
        "processes": processes,
        "process_count": count,
        "memory_bytes": memory,
    }


def describe(found: dict[str, Any]) -> str:
    """The same for people."""
    if not found["running"]:
        return "No testnet is up. Start one with `malla testnet up`."
    if not found["nodes"]:
        return f"The testnet is starting (supervisor {found['supervisor']}); see `malla testnet logs supervisor -f`."
    lines = [
        f"The testnet is up for {found['up_s']} s (supervisor {found['supervisor']}), "
        f"{found['process_count']} processes, {found['memory_bytes'] / 2**30:.1f} GiB.",
        f"Chain {found['rpc_url']}, addresses in {found['deployment']}",
    ]
    for name, node in found["nodes"].items():
        waits = f" (waits for {', '.join(node['waiting_for'])})" if node["waiting_for"] else ""
        lines.append(f"  {name:<12} {node['status']:<9} {node['url']}{waits}")
    dead = [name for name, row in found["processes"].items() if not row["alive"]]
    if dead:
        lines.append(f"Ended: {', '.join(dead)}; see `malla testnet logs {dead[0]}`.")
    return "\n".join(lines)


def _health(url: str) -> dict[str, Any]:
    ready, waiting = read_health(url)
    status = "ready" if ready else "silent" if waiting == ["api"] else "starting"
    return {"status": status, "waiting_for": waiting}
