"""Copies of the contracts with one defence taken out, and the attack run against them by Forge.

A copy lies in a folder of its own below `var/attacks`, named by the digest of everything that went into it, and keeps
its result: an attack runs again only when a contract, the attack or the patch changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "var" / "attacks"
SHARED = (
    "foundry.toml",
    "tests/invariants/Base.sol",
    "tests/invariants/Stage.sol",
    "tests/attacks/exploits/Thief.sol",
)


@dataclass(frozen=True)
class Patch:
    """One defence taken out: `old` must stand exactly once in the file."""

    file: str
    old: str
    new: str


class PatchDoesNotFit(Exception):
    """The source changed under a patch; the message says which text to look for."""


@dataclass(frozen=True)
class Run:
    """How an attack ended: whether the theft worked, and if not, the refusal or the difference that stopped it."""

    succeeded: bool
    reason: str


def run_attacks(exploits: Sequence[str], patches: Sequence[Patch] = ()) -> dict[str, Run]:
    """Runs `exploits/<name>.t.sol` of each name against one copy of the contracts with the patches applied."""
    sources = _sources(exploits, patches)
    digest = hashlib.sha256(json.dumps(sources, sort_keys=True).encode()).hexdigest()[:20]
    folder = CACHE / digest
    results = folder / "results.json"
    if not results.exists():
        _write(folder, sources)
        results.write_text(json.dumps({name: asdict(run) for name, run in _forge(folder, exploits).items()}))
    return {name: Run(**run) for name, run in json.loads(results.read_text()).items()}


def _sources(exploits: Sequence[str], patches: Sequence[Patch]) -> dict[str, str]:
    names = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "contracts").rglob("*.sol"))]
    names += [*SHARED, *(f"tests/attacks/exploits/{exploit}.t.sol" for exploit in exploits)]
    sources = {name: (ROOT / name).read_text() for name in names}
    for patch in patches:
        found = sources[patch.file].count(patch.old)
        if found != 1:
            raise PatchDoesNotFit(
                f"{patch.file} holds {patch.old!r} {found} times instead of once: mend the patch."
            )
        sources[patch.file] = sources[patch.file].replace(patch.old, patch.new)
    return sources


def _write(folder: Path, sources: dict[str, str]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in sources.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for name in ("node_modules", ".tools"):
        (folder / name).symlink_to(ROOT / name)


def _forge(folder: Path, exploits: Sequence[str]) -> dict[str, Run]:
    environment = os.environ | {"FOUNDRY_TEST": "tests/attacks/exploits", "NO_COLOR": "1"}
    command = [str(ROOT / ".venv" / "bin" / "forge"), "test", "--json", "--root", str(folder)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    try:
        suites = json.loads(done.stdout.strip().splitlines()[-1])
        runs = {name: _one_result(suites[f"tests/attacks/exploits/{name}.t.sol:{name}"]) for name in exploits}
    except (IndexError, KeyError, ValueError) as error:
        raise PatchDoesNotFit(
            f"The copy gives no results:\n{done.stdout[-2_000:]}{done.stderr[-2_000:]}"
        ) from error
    for name in ("out", "cache_forge"):  # megabytes that nobody reads again
        shutil.rmtree(folder / name, ignore_errors=True)
    return runs


def _one_result(suite: dict[str, Any]) -> Run:
    """Each exploit is one contract with one test."""
    (result,) = suite["test_results"].values()
    return Run(result["status"] == "Success", result.get("reason") or "")
