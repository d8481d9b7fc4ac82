"""Proves the properties of `tests/symbolic` with Halmos, for every input, and checks that a wrong one is refuted.

Works in `var/prove`, with the contracts and proofs as they are now: Halmos reads Forge's artifacts with their syntax
trees, which the other tools do without. It has an environment of its own, `.tools/halmos`, made at the first run from
tools/locks/halmos.txt: its python-dotenv is newer than the one that Brownie pins.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
FOLDER = ROOT / "var" / "prove"
PROOFS = "tests/symbolic"
ENVIRONMENT = ROOT / ".tools" / "halmos"
LOCK = ROOT / "tools" / "locks" / "halmos.txt"
WRONG = "check_wrong__"
LEAST_PROOFS = 12
LINE = re.compile(r"\[(PASS|FAIL|TIMEOUT|ERROR)\] (check_\w+)\(.*?time: ([\d.]+)s")


def provide_halmos() -> None:
    """Makes the environment when there is none, or when its lock changed since."""
    stamp = ENVIRONMENT / "lock"
    if stamp.exists() and stamp.read_text() == LOCK.read_text():
        return
    uv = str(ROOT / ".tools" / "bin" / "uv")
    python = str(ENVIRONMENT / "bin" / "python")
    subprocess.run(
        [uv, "venv", "--quiet", "--no-config", "--clear", "--python", sys.executable, str(ENVIRONMENT)],
        check=True,
    )
    subprocess.run(
        [
            uv,
            "pip",
            "install",
            "--quiet",
            "--no-config",
            "--require-hashes",
            "--python",
            python,
            "-r",
            str(LOCK),
        ],
        check=True,
    )
    stamp.write_text(LOCK.read_text())


def lay_out() -> None:
    """A project of contracts and proofs alone, which compiles in seconds."""
    for tree in ("contracts", PROOFS):
        shutil.rmtree(FOLDER / tree, ignore_errors=True)
        shutil.copytree(ROOT / tree, FOLDER / tree)
    text = (ROOT / "foundry.toml").read_text().replace('"tests/invariants"', f'"{PROOFS}"')
    (FOLDER / "foundry.toml").write_text(text)
    for name in ("node_modules", ".tools"):
        link = FOLDER / name
        link.unlink(missing_ok=True)
        link.symlink_to(ROOT / name)


def run(command: list[str], limit_s: int) -> str:
    environment = os.environ | {
        "NO_COLOR": "1",
        "PATH": os.pathsep.join((str(BIN), str(ENVIRONMENT / "bin"), os.environ["PATH"])),
    }
    try:
        result = subprocess.run(
            command,
            cwd=FOLDER,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=limit_s,
        )
    except subprocess.TimeoutExpired as late:
        return (late.stdout or b"").decode() if isinstance(late.stdout, bytes) else str(late.stdout or "")
    return result.stdout


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tools/prove.py", description=__doc__)
    parser.add_argument("--only", default="", help="prove only properties whose name matches this")
    parser.add_argument("--limit", type=int, default=60, help="seconds for one question to the solver")
    options = parser.parse_args(arguments)
    FOLDER.mkdir(parents=True, exist_ok=True)
    provide_halmos()
    lay_out()
    started = time.monotonic()
    command = [str(ENVIRONMENT / "bin" / "halmos"), "--no-status", "--solver-threads", "1"]
    command += ["--solver-timeout-assertion", str(options.limit * 1000), "--forge-build-out", "out"]
    if options.only:
        command += ["--match-test", options.only]
    said = re.sub(r"\x1b\[[0-9;]*m", "", run(command, 3_600))
    (FOLDER / "report.txt").write_text(said)
    verdicts = {name: (verdict, float(seconds)) for verdict, name, seconds in LINE.findall(said)}
    problems: list[str] = []
    for name, (verdict, seconds) in verdicts.items():
        is_right = verdict == ("FAIL" if name.startswith(WRONG) else "PASS")
        word = "refuted" if verdict == "FAIL" else {"PASS": "proved"}.get(verdict, verdict.lower())
        print(f"{word:<8} {seconds:>6.1f} s  {name}")
        if not is_right:
            problems.append(f"{name}: {word}")
    proved = [name for name, (verdict, _) in verdicts.items() if verdict == "PASS"]
    print(f"{len(proved)} properties proved in {time.monotonic() - started:.0f} s")
    if not options.only:
        if not any(name.startswith(WRONG) for name in verdicts):
            problems.append("the wrong property was not tried: var/prove/report.txt says why")
        if len(proved) < LEAST_PROOFS:
            problems.append(f"{len(proved)} proved properties are fewer than {LEAST_PROOFS}")
    for problem in problems:
        print(f"FAILED {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
