"""Makes Brownie compile again what a library of ours changed.

Brownie 1.22.2 recompiles a contract when its own source or one that it inherits changed, but not when only a library
that it uses did: it would go on deploying the old code without a word. So when anything below contracts/ changed since
the last start, the artifacts are removed, and Brownie compiles all of them.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

STAMP = "sources.sha256"


def digest_of(contracts: Path) -> str:
    """SHA-256 over the names and texts of all sources."""
    digest = hashlib.sha256()
    for path in sorted(contracts.rglob("*.sol")):
        digest.update(f"{path.relative_to(contracts)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def forget_stale(contracts: Path, build: Path) -> bool:
    """Removes the artifacts of other sources than today's; whether there was something to remove."""
    stamp, today = build / STAMP, digest_of(contracts)
    if stamp.exists() and stamp.read_text() == today:
        return False
    artifacts = [path for folder in ("contracts", "interfaces") for path in (build / folder).glob("*.json")]
    for path in artifacts:
        path.unlink(missing_ok=True)
    build.mkdir(exist_ok=True)
    stamp.write_text(today)
    return bool(artifacts)
