"""Lets Forge's tests meet one mutant after the other: most behind a switch, the rest compiled on its own."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import schemata
from mutants import Mutant, change_of

TESTS = "tests/invariants"
SWITCH = "contracts/Mutant.sol"
# Suites that take less than this part of the slowest one go first: seconds would depend on the machine.
QUICK = 0.05
LIMIT_S = 1_800
SETTINGS = {
    "FOUNDRY_OPTIMIZER": "false",
    "FOUNDRY_FUZZ_SEED": "0x1",
    "FOUNDRY_FUZZ_RUNS": "16",
    "FOUNDRY_INVARIANT_RUNS": "1",
    "FOUNDRY_INVARIANT_DEPTH": "150",
    "FOUNDRY_INVARIANT_SHRINK_RUN_LIMIT": "0",
    "NO_COLOR": "1",
}
SUITE = re.compile(
    r"^Ran \d+ tests? for \S+:(\w+)\n(?:.*\n)*?Suite result: .* finished in ([\d.]+)(ns|µs|ms|s) ", re.M
)
KILLER = re.compile(r"^Encountered \d+ failing tests? in \S+:(\w+)$", re.M)
SECONDS = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0}
ERROR = re.compile(r"^Error(?: \(\d+\))?:.*\n(?:\s*\n)*\s*--> ([^:\n]+):(\d+):", re.M)
FAIL = re.compile(r"^\[FAIL(?:.*\n)*?.* ?\b(\w+)\(.*\) \((?:gas|runs):", re.M)


class Failed(Exception):
    """Something besides a mutant is wrong."""


def digest_of(folder: Path) -> str:
    """Of the names and texts of a folder's Solidity sources."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.sol")):
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def lay_out(root: Path, folder: Path) -> None:
    """A copy of the project whose sources may be changed."""
    folder.mkdir()
    for tree in ("contracts", TESTS):
        shutil.copytree(root / tree, folder / tree)
    shutil.copy(root / "foundry.toml", folder)
    for name in ("node_modules", ".tools"):
        (folder / name).symlink_to(root / name)


def forge(
    root: Path, folder: Path, *arguments: str, more: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Raises TimeoutExpired after half an hour: gas ends every call, so only a very busy machine takes that long."""
    command = [str(root / ".venv" / "bin" / "forge"), *arguments]
    settings = os.environ | SETTINGS | (more or {})
    # A campaign that failed is played again by the next run unless it is forgotten.
    shutil.rmtree(folder / "var", ignore_errors=True)
    return subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, timeout=LIMIT_S)


class Switches:
    """The project with as many mutants behind switches as the compiler takes. A mutant's switch is its place in
    `everything`, from 1; `names` are those that have one."""

    def __init__(self, root: Path, folder: Path, everything: list[Mutant]) -> None:
        self._root, self._folder = root, folder
        self.names = {mutant: name for name, mutant in enumerate(everything, 1)}
        self._first = folder / "switches"
        lay_out(root, self._first)
        (self._first / SWITCH).write_text(schemata.SWITCH)
        self._compile()
        done = forge(root, self._first, "test")
        if done.returncode:
            raise Failed(
                f"the tests fail while no mutant is on:\n{done.stdout[-3_000:]}{done.stderr[-1_000:]}"
            )
        took = {name: float(number) * SECONDS[unit] for name, number, unit in SUITE.findall(done.stdout)}
        if not took:
            raise Failed(f"no suite is named in what Forge printed:\n{done.stdout[-1_000:]}")
        limit = QUICK * max(took.values())
        self._slow = "^(" + "|".join(sorted(name for name, seconds in took.items() if seconds > limit)) + ")$"

    def trial(self, place: int) -> Trial:
        """A copy of the compiled project, for one mutant at a time."""
        folder = self._folder / f"switches-{place}"
        shutil.copytree(self._first, folder, symlinks=True)
        return Trial(self._root, folder, self._folder / f"own-{place}", self.names, self._slow)

    def _compile(self) -> None:
        """Leaves out what the compiler names until it is content."""
        by_file: dict[str, list[Mutant]] = defaultdict(list)
        for mutant in self.names:
            by_file[mutant.file].append(mutant)
        while True:
            lines: dict[str, dict[int, frozenset[int]]] = {}
            refused: set[int] = set()
            for file, its in by_file.items():
                source = (self._root / file).read_text()
                changes = [
                    change_of(mutant, self.names[mutant], source) for mutant in its if mutant in self.names
                ]
                library = os.path.relpath(SWITCH, Path(file).parent)
                rewritten = schemata.rewrite(
                    source, changes, library if library[0] == "." else f"./{library}"
                )
                (self._first / file).write_text(rewritten.text)
                lines[file] = rewritten.lines
                refused |= rewritten.left_out
            if not refused:
                done = forge(self._root, self._first, "build")
                if not done.returncode:
                    return
                for file, number in ERROR.findall(done.stdout + done.stderr):
                    refused |= lines.get(file, {}).get(int(number), frozenset())
                if not refused:
                    raise Failed(f"the compiler names no mutant:\n{(done.stdout + done.stderr)[-3_000:]}")
            self.names = {mutant: name for mutant, name in self.names.items() if name not in refused}


class Trial:
    """One folder with switches and, when it is first needed, one without."""

    def __init__(self, root: Path, folder: Path, own: Path, names: dict[Mutant, int], slow: str) -> None:
        self._root, self._folder, self._own, self._names, self._slow = root, folder, own, names, slow
        self._killers: dict[str, str] = {}

    def verdict_of(self, mutant: Mutant, campaigns: bool = True) -> tuple[str, str]:
        """`killed`, `survived` or `invalid`, and the test that failed. A test that does not end kills.

        Without `campaigns` a mutant behind a switch meets the quick suites only.
        """
        try:
            return self._switched(mutant, campaigns) if mutant in self._names else self._compiled(mutant)
        except subprocess.TimeoutExpired:
            return "killed", "timeout"

    def _switched(self, mutant: Mutant, campaigns: bool) -> tuple[str, str]:
        chosen = {"FOUNDRY_BLOCK_COINBASE": f"0x{self._names[mutant]:040x}", "FOUNDRY_THREADS": "1"}
        suites = [("--no-match-contract", self._slow)]
        # The suite that killed the last mutant of this file often kills the next one, too.
        if killer := self._killers.get(mutant.file):
            suites.insert(0, ("--match-contract", f"^{killer}$"))
        if campaigns:
            suites.append(("--match-contract", self._slow))
        for which in suites:
            done = forge(self._root, self._folder, "test", "--fail-fast", *which, more=chosen)
            if done.returncode:
                if match := KILLER.search(done.stdout):
                    self._killers[mutant.file] = match.group(1)
                return "killed", _failed_test(done)
        return "survived", ""

    def _compiled(self, mutant: Mutant) -> tuple[str, str]:
        # A test that deploys a contract is not compiled again when only the contract changed.
        linking = {"FOUNDRY_DYNAMIC_TEST_LINKING": "true"}
        if not self._own.exists():
            lay_out(self._root, self._own)
            if forge(self._root, self._own, "build", more=linking).returncode:
                raise Failed("the contracts do not compile without any change")
        path = self._own / mutant.file
        whole = path.read_text()
        lines = whole.splitlines()
        lines[mutant.line - 1] = mutant.new
        path.write_text("\n".join(lines) + "\n")
        try:
            if forge(self._root, self._own, "build", more=linking).returncode:
                return "invalid", ""
            done = forge(self._root, self._own, "test", "--fail-fast", more=linking)
        finally:
            path.write_text(whole)
        return ("killed", _failed_test(done)) if done.returncode else ("survived", "")


def _failed_test(done: subprocess.CompletedProcess[str]) -> str:
    if "[FAIL" not in done.stdout:
        raise Failed(f"Forge stopped without a failed test:\n{done.stdout[-1_000:]}{done.stderr[-1_000:]}")
    match = FAIL.search(done.stdout)
    return match.group(1) if match else "setUp"
