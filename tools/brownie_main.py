"""Starts Brownie 1.22.2 with four repairs.

Scripts: `brownie run scripts/x.py` imports `scripts.x`. Brownie itself imports a script under a name made of its
absolute path (`home.ann.malla.scripts.deploy`). That fails in a clone below a folder whose name holds a dot, and
loads a module twice that another one imports as `scripts.deploy`. Brownie's modules are compiled and bind
`importlib.import_module` when they load, so it is replaced before that.

Deployments: on a live network Brownie keeps a second record of each deployed project contract in a database, and
fails on a type of its own while it writes there, with a traceback in the middle of a good deployment. That record
is left out; the one in build/deployments, which `Contract[-1]` reads, is written.

Records: those of a local chain that is gone are put aside before Brownie connects (brownie_records.py).

Builds: artifacts are made anew when a library changed, which Brownie does not notice (brownie_builds.py).
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import brownie_builds
import brownie_records

ROOT = Path(__file__).resolve().parent.parent
PREFIX = ".".join(ROOT.parts[1:]) + "."
import_by_name = importlib.import_module


def import_module(name: str, package: str | None = None) -> ModuleType:
    return import_by_name(name.removeprefix(PREFIX), package)


def network_of(arguments: list[str]) -> str | None:
    """The network named by `--network NAME` or `--network=NAME`."""
    for place, word in enumerate(arguments):
        if word.startswith("--network="):
            return word.split("=", 1)[1]
        if word == "--network" and place + 1 < len(arguments):
            return arguments[place + 1]
    return None


def select_records() -> None:
    port = os.environ.get("MALLA_RPC_PORT")
    if network_of(sys.argv[1:]) != "malla" or not port:
        return
    genesis = brownie_records.genesis_of(f"http://127.0.0.1:{port}")
    if genesis:
        store = ROOT / ".tools" / "home" / "deployments"
        brownie_records.put_in_place(ROOT / "build" / "deployments", store, genesis)


def main() -> None:
    importlib.import_module = import_module
    sys.argv[0] = "brownie"
    select_records()
    brownie_builds.forget_stale(ROOT / "contracts", ROOT / "build")
    sys.path[0] = str(ROOT)  # in place of tools/, where this file lies
    from brownie._cli.__main__ import main as brownie
    from brownie.network import contract as contracts

    add_deployment = contracts._add_deployment

    def add_unless_of_project(contract: Any, alias: Any = None) -> None:
        if not isinstance(contract, contracts.ProjectContract):
            add_deployment(contract, alias)

    contracts._add_deployment = add_unless_of_project
    brownie()


if __name__ == "__main__":
    main()
