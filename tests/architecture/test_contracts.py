"""Names of our contracts, the ABIs that Python reads, and the verbs of the Makefile."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

OPENZEPPELIN = ROOT / "node_modules" / "@openzeppelin" / "contracts"
DEFINITION = re.compile(r"^\s*(?:abstract\s+)?(?:contract|library|interface)\s+(\w+)", re.M)


def defined_in(folder: Path) -> list[str]:
    return [name for path in sorted(folder.rglob("*.sol")) for name in DEFINITION.findall(path.read_text())]


def test_names__of_ours__exist_once_and_not_in_openzeppelin() -> None:
    """Of two contracts of one name Brownie silently keeps one artifact."""
    theirs = set(defined_in(OPENZEPPELIN))
    assert "ERC20" in theirs, f"{OPENZEPPELIN} holds no contracts: run `make setup`"
    ours = Counter(defined_in(ROOT / "contracts"))
    assert sorted(set(ours) & theirs) == []
    assert [name for name, times in ours.items() if times > 1] == []


@pytest.mark.slow
def test_abi__committed__equals_the_contracts() -> None:
    """Also checks that each artifact was compiled from our own source, see scripts/build.py."""
    result = subprocess.run(
        [sys.executable, "scripts/build.py", "--check"], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr


def test_make_help__lists__every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    shown = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = set(re.findall(r"^  make ([\w-]+) +\S", shown, re.M))
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.M)
    assert phony is not None
    assert listed == targets == set(phony.group(1).split())
    assert {"help", "setup", "demo", "test", "lint"} <= listed
