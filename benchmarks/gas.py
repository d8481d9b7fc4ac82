"""Gas of each on-chain step: `python -m benchmarks.gas`.

Whole transactions on a fresh Anvil, sent by the Brownie tests (tests/contracts/gas_steps.py names what is measured
and in which state). Figures do not depend on the machine. A test compares them within five per cent.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "benchmarks" / "results" / "gas.json"
TESTS = "tests/contracts/test_gas.py"
SETTINGS = {
    "compiler": "solc 0.8.35, optimizer 200 runs, no viaIR, EVM prague",
    "library": "OpenZeppelin 5.7.0",
    "quorum": "3 signatures of 4 oracles",
    "state": "warm, except steps that end in _first",
}


class NothingMeasured(Exception):
    """The run ended without figures; the message holds what it printed last."""


def measure() -> dict[str, int]:
    """Gas by step, from a run of its own."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "gas.json"
        environment = os.environ | {"MALLA_GAS_RESULT": str(target)}
        command = [str(ROOT / ".venv" / "bin" / "brownie"), "test", TESTS]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)
        if not target.exists():
            raise NothingMeasured(f"The run gave no figures:\n{done.stdout[-3_000:]}{done.stderr[-1_000:]}")
        found: dict[str, int] = json.loads(target.read_text(encoding="utf-8"))
    return found


def main() -> None:
    found = measure()
    RESULT.write_text(json.dumps({"settings": SETTINGS, "gas": found}, indent=2) + "\n", encoding="utf-8")
    width = max(map(len, found))
    for name, figure in found.items():
        print(f"{name:{width}}  {figure:>12,}")


if __name__ == "__main__":
    main()
