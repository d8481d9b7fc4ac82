"""Compiles the contracts with Brownie and writes their ABIs to `protocol/chain/abi`, where Python reads them.

`--check` writes nothing and fails when a committed ABI differs from the contracts. Brownie runs as a child process:
a module that imports brownie cannot be imported by anybody else.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ABI_FOLDER = ROOT / "protocol" / "chain" / "abi"
ARTIFACTS = ROOT / "build" / "contracts"
PARTS = {"JobEscrow": ("EscrowDesk", "EscrowEnds")}
"""Contracts whose code runs in another's place: its address answers to their functions, too."""


class BuildFailure(Exception):
    """The contracts cannot be built as they stand; the message says why and what helps."""


def compile_contracts() -> None:
    """Runs `brownie compile`, which compiles only what changed since its last run."""
    brownie = ROOT / ".venv" / "bin" / "brownie"
    if not brownie.exists():
        raise BuildFailure(".venv/bin/brownie is missing: run `make setup`")
    result = subprocess.run([brownie, "compile"], cwd=ROOT, capture_output=True, text=True)
    # Brownie ends with 0 when it could not read its configuration, so its closing sentence is asked for.
    if result.returncode or "Project has been compiled" not in result.stdout:
        raise BuildFailure(f"brownie compile failed:\n{result.stdout}{result.stderr}")


def own_contracts(contracts: Path) -> list[str]:
    """Names of the contracts that are called: one a file, named like the file, directly below contracts/."""
    parts = {part for its in PARTS.values() for part in its}
    return sorted(path.stem for path in contracts.glob("*.sol") if path.stem not in parts)


def abi_of(name: str, artifacts: Path) -> list[dict[str, Any]]:
    """The ABI of one of our contracts and of its parts, in a stable order.

    Raises BuildFailure when there is no artifact, or when Brownie took one of another source: of two contracts of
    one name it silently keeps the last one, which may be a library's.
    """
    wanted = {json.dumps(part, sort_keys=True): part for its in (name, *PARTS.get(name, ()))
              for part in _abi_in(its, artifacts) if its == name or part["type"] != "constructor"}
    return sorted(wanted.values(),
                  key=lambda part: (part["type"], part.get("name", ""), json.dumps(part.get("inputs", []))))


def _abi_in(name: str, artifacts: Path) -> list[dict[str, Any]]:
    path = artifacts / f"{name}.json"
    if not path.exists():
        raise BuildFailure(f"contracts/{name}.sol defines no contract {name}: name the file after its contract")
    artifact = json.loads(path.read_text())
    source = artifact["sourcePath"]
    if source != f"contracts/{name}.sol":
        raise BuildFailure(f"the artifact {name} was compiled from {source}: rename ours, the name is taken")
    abi: list[dict[str, Any]] = artifact["abi"]
    return abi


def text_of(abi: list[dict[str, Any]]) -> str:
    return json.dumps(abi, indent=1, sort_keys=True) + "\n"


def differences(wanted: dict[str, str], folder: Path) -> list[str]:
    """One line for each file of `folder` that is missing, differs from `wanted` or belongs to no contract."""
    there = {path.stem: path.read_text() for path in folder.glob("*.json")}
    rows = [f"{name}.json is missing" for name in wanted if name not in there]
    rows += [
        f"{name}.json differs from its contract" for name in wanted if name in there and there[name] != wanted[name]
    ]
    rows += [f"{name}.json belongs to no contract" for name in there if name not in wanted]
    return sorted(rows)


def write(wanted: dict[str, str], folder: Path) -> list[str]:
    """Makes `folder` hold exactly the wanted ABIs; returns the names of the files that it changed."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = [name for name, text in wanted.items() if not same(folder / f"{name}.json", text)]
    for name in changed:
        (folder / f"{name}.json").write_text(wanted[name])
    for path in folder.glob("*.json"):
        if path.stem not in wanted:
            path.unlink()
            changed.append(path.stem)
    return sorted(changed)


def same(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="scripts/build.py", description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail when a committed ABI differs; write nothing")
    options = parser.parse_args(arguments)
    try:
        compile_contracts()
        wanted = {name: text_of(abi_of(name, ARTIFACTS)) for name in own_contracts(ROOT / "contracts")}
    except BuildFailure as failure:
        print(f"build: {failure}", file=sys.stderr)
        return 1
    if options.check:
        rows = differences(wanted, ABI_FOLDER)
        for row in rows:
            print(f"build: protocol/chain/abi/{row}: run `make build` and commit the result", file=sys.stderr)
        return 1 if rows else 0
    changed = write(wanted, ABI_FOLDER)
    print(f"{len(wanted)} contracts compiled; ABIs changed: {', '.join(changed) or 'none'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
