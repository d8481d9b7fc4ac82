"""Copies of the contracts with one defence taken out, and the attacks run against them by Forge.

Results are kept in `var/attacks`, named by the digest of everything that went into them: an attack runs again only
when a contract, the attack or the patch changed. A weakened copy starts from a whole one that is compiled once, so that
Forge compiles only what a patch touches.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "var" / "attacks"
EXPLOITS = "tests/attacks/exploits"


@dataclass(frozen=True)
class Patch:
    """One defence taken out: `old` must stand exactly once in the file."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Attack:
    """A contract of `exploits/`, what stops it on our contracts, and the defence that its weakened copy lacks."""

    name: str
    refusal: str
    patches: Sequence[Patch]


class PatchDoesNotFit(Exception):
    """The source changed under a patch; the message says which text to look for."""


@dataclass(frozen=True)
class Run:
    """How an attack ended: whether the theft worked, and if not, the refusal or the difference that stopped it."""

    succeeded: bool
    reason: str


def run_attacks(names: Sequence[str], patches: Sequence[Patch] = ()) -> dict[str, Run]:
    """Runs the named attacks against a copy of the contracts with the patches applied."""
    changed = _patched(patches)
    parts = [_digest_of_sources(), json.dumps(changed, sort_keys=True), *sorted(names)]
    kept = CACHE / (hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24] + ".json")
    if not kept.exists():
        runs = _run(names, changed)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps({name: asdict(run) for name, run in runs.items()}))
    return {name: Run(**run) for name, run in json.loads(kept.read_text()).items()}


def _digest_of_sources() -> str:
    sources = (path for folder in ("contracts", EXPLOITS) for path in sorted((ROOT / folder).rglob("*.sol")))
    texts = [f"{path.relative_to(ROOT)}\n{path.read_text()}" for path in (ROOT / "foundry.toml", *sources)]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def _patched(patches: Sequence[Patch]) -> dict[str, str]:
    """The changed files by name."""
    changed: dict[str, str] = {}
    for patch in patches:
        text = changed.get(patch.file) or (ROOT / patch.file).read_text()
        found = text.count(patch.old)
        if found != 1:
            raise PatchDoesNotFit(f"{patch.file} holds {patch.old!r} {found} times instead of once: mend the patch.")
        changed[patch.file] = text.replace(patch.old, patch.new)
    return changed


def _run(names: Sequence[str], changed: dict[str, str]) -> dict[str, Run]:
    with _weakened(changed) as folder:
        pattern = "^(" + "|".join(names) + ")$"
        done = _forge(folder, "test", "--json", "--match-contract", pattern)
        try:
            suites = json.loads(done.stdout.strip().splitlines()[-1])
            results = {suite.split(":")[-1]: _only_result(suites[suite]) for suite in suites}
            return {name: results[name] for name in names}
        except (IndexError, KeyError, ValueError) as error:
            told = done.stdout[-2_000:] + done.stderr[-2_000:]
            raise PatchDoesNotFit(f"The copy gives no results:\n{told}") from error


@contextmanager
def _weakened(changed: dict[str, str]) -> Iterator[Path]:
    """A copy with the changed files; the whole one itself if nothing is changed."""
    whole = _whole_copy()
    if not changed:
        yield whole
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "copy"
        shutil.copytree(whole, folder, symlinks=True)
        for file, text in changed.items():
            (folder / file).write_text(text)
        yield folder


def _whole_copy() -> Path:
    """A compiled copy of contracts and exploits, made once for each state of the sources."""
    folder = CACHE / ("whole-" + _digest_of_sources()[:24])
    if not (folder / "done").exists():
        for old in (folder, *CACHE.glob("whole-*")):
            shutil.rmtree(old, ignore_errors=True)
        for tree in ("contracts", EXPLOITS):
            shutil.copytree(ROOT / tree, folder / tree)
        shutil.copy(ROOT / "foundry.toml", folder)
        for tool in ("node_modules", ".tools"):
            (folder / tool).symlink_to(ROOT / tool)
        _forge(folder, "build")
        (folder / "done").touch()
    return folder


def _forge(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Without the optimizer a copy compiles in a tenth of the time; what the code does is the same, its size is not.
    environment = os.environ | {"FOUNDRY_TEST": EXPLOITS, "FOUNDRY_OPTIMIZER": "false", "NO_COLOR": "1"}
    command = [str(ROOT / ".venv" / "bin" / "forge"), *arguments, "--root", str(folder)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)


def _only_result(suite: dict[str, Any]) -> Run:
    """Each exploit is one contract with one test."""
    (result,) = suite["test_results"].values()
    return Run(result["status"] == "Success", result.get("reason") or "")
