"""Keeps Brownie's deployment records apart for the local chains that come and go under one chain id.

Brownie files what it deployed below build/deployments/<chain id>, and refuses to connect when a recorded contract
is not there. Every fresh local chain has the id 31337, so its records are filed under the hash of its first block
and put in place before Brownie connects.
"""

from __future__ import annotations

import json
import re
import shutil
import urllib.error
import urllib.request
from pathlib import Path

CHAIN_ID = "31337"
KEPT = 4  # chains whose records are kept; a deployment's records are one or two megabytes


def genesis_of(url: str) -> str | None:
    """Hash of block 0, or None when nothing answers there (Brownie says that better than we could)."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber", "params": ["0x0", False]}
    request = urllib.request.Request(url, json.dumps(call).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            found = str(json.load(answer)["result"]["hash"])
    except (urllib.error.URLError, OSError, ValueError, KeyError, TypeError):
        return None
    return found if re.fullmatch("0x[0-9a-f]{64}", found) else None  # it becomes a folder's name


def put_in_place(records: Path, store: Path, genesis: str) -> None:
    """Makes `records` (build/deployments) hold the local records of the chain `genesis` and no other's.

    The map file names addresses by chain id and contract; its entry of the local chain moves with the folder.
    """
    current = store / "current"
    before = current.read_text().strip() if current.exists() else "unknown"
    if before == genesis:
        return
    store.mkdir(parents=True, exist_ok=True)
    folder, map_file = records / CHAIN_ID, records / "map.json"
    entries = json.loads(map_file.read_text()) if map_file.exists() else {}

    shutil.rmtree(store / before, ignore_errors=True)
    (store / before).mkdir()
    if folder.exists():
        shutil.move(folder, store / before / "records")
    (store / before / "map.json").write_text(json.dumps(entries.pop(CHAIN_ID, {})))

    if (store / genesis / "records").exists():
        shutil.move(store / genesis / "records", folder)
        entries[CHAIN_ID] = json.loads((store / genesis / "map.json").read_text())
    if records.exists():
        map_file.write_text(json.dumps(entries, indent=2, sort_keys=True))
    current.write_text(genesis)
    shutil.rmtree(store / genesis, ignore_errors=True)
    chains = sorted((path for path in store.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for old in chains[:-KEPT]:
        shutil.rmtree(old)
