"""Provides `.tools/solc/solc` and `.tools/solc/solc-v<version>`: the compiler for Brownie, Forge and Slither.

First choice is the native compiler, which py-solc-x fetches where the internet is open; it must name the same
commit as npm's build. Else, or with MALLA_SOLC=js, a link to a shell script that runs npm's JavaScript build.
Both produce the same bytecode. `.tools/solc/version` keeps the version line, so that asking for it is cheap.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

VERSION = "0.8.35"
ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".tools" / "solc"
DOWNLOAD = f"import solcx; solcx.install_solc('{VERSION}', show_progress=False)"


def version_line(command: list[str]) -> str:
    """The text after `Version: `, or nothing when the command does not run."""
    try:
        answer = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return next((row[9:].strip() for row in answer.stdout.splitlines() if row.startswith("Version: ")), "")


def commit_of(version: str) -> str:
    return ".".join(version.split(".")[:4])  # 0.8.35+commit.47b9dedd, without the platform


def native(target: Path, wanted: str) -> bool:
    """Fetches the native compiler; false when it cannot be had or is another one than npm's."""
    environment = os.environ | {"SOLCX_BINARY_PATH": str(HOME)}
    try:
        subprocess.run(
            [sys.executable, "-c", DOWNLOAD], env=environment, capture_output=True, timeout=120, check=True
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return False
    return target.exists() and commit_of(version_line([str(target)])) == commit_of(wanted)


def main() -> int:
    HOME.mkdir(parents=True, exist_ok=True)
    node, shim = ROOT / ".tools" / "node", ROOT / "tools" / "solc.js"
    target = HOME / f"solc-v{VERSION}"
    stamp = HOME / "version"
    for old in (target, HOME / "solc", stamp):
        old.unlink(missing_ok=True)
    wanted = version_line([str(node), str(shim)])
    if not wanted.startswith(f"{VERSION}+commit."):
        print(f"solc: npm's compiler says {wanted or 'nothing'} instead of {VERSION}: run `npm ci`", file=sys.stderr)
        return 1
    if os.environ.get("MALLA_SOLC") != "js" and native(target, wanted):
        print(f"      native {version_line([str(target)])}")
    else:
        target.unlink(missing_ok=True)
        target.write_text(f'#!/bin/sh\nexec {shlex.quote(str(node))} {shlex.quote(str(shim))} "$@"\n')
        target.chmod(0o755)
        stamp.write_text(wanted + "\n")
        print(f"      npm's {wanted}")
    (HOME / "solc").symlink_to(target.name)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
