"""A new user's way, timed: from a clean clone to a verified answer for an OpenAI client.

`python -m benchmarks.new_user` clones this repository into a temporary folder and types there what the README says:
`make testnet`, `malla request serve`, then `curl` and the official client. The answer counts as verified when the
requester holds its receipt: the call's voucher was committed, the draw was made, a quorum of oracles signed PASS.
`--here` uses this clone and the network of its environment, or its testnet, as they are.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULT = Path(__file__).parent / "results" / "new_user.json"
MODEL = "SmolLM2-135M-Instruct"
BODY = {"model": MODEL, "messages": [{"role": "user", "content": "What is the capital of France?"}], "max_tokens": 24,
        "temperature": 0}
CLIENT = f"""
from openai import OpenAI
print(OpenAI().chat.completions.create(**{BODY!r}).model_dump_json())
"""
LIMIT = 900.0


class Way:
    """The commands so far and their seconds."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.steps: list[dict[str, Any]] = []

    def step(self, command: str, work: Callable[[], Any]) -> Any:
        started = time.monotonic()
        found = work()
        ended = time.monotonic()
        self.steps.append({"command": command, "seconds": round(ended - started, 1),
                           "since_start": round(ended - self.began, 1)})
        print(f"{ended - self.began:7.1f} s  (+{ended - started:.1f})  {command}", flush=True)
        return found


def main() -> int:
    """Walk the way, print a line a command, write the result file. Non-zero when no answer was verified."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--here", action="store_true", help="use this clone and the testnet that is up in it")
    parser.add_argument("--verified-within", type=float, default=300.0, metavar="SECONDS")
    options = parser.parse_args()
    with ExitStack() as stack:
        way, folder = Way(), ROOT
        if not options.here:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="malla-new-"))) / "malla"
            way.step("git clone … && cd malla", lambda: run(["git", "clone", "--quiet", str(ROOT), str(folder)], ROOT))
            way.step("make testnet", lambda: stack.enter_context(testnet(folder)))
        port = free_port()
        url = way.step("malla request serve", lambda: stack.enter_context(gateway(folder, port)))
        env = {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "malla"}
        if shutil.which("curl"):
            curl = ["curl", "--silent", "--fail-with-body", f"{url}/chat/completions", "-H",
                    "Content-Type: application/json", "-d", json.dumps(BODY)]
            reply = json.loads(way.step("curl …/v1/chat/completions", lambda: run(curl, folder)))
        else:
            reply = way.step("POST /v1/chat/completions", lambda: post(url))
        python = [str(folder / ".venv/bin/python"), "-c", CLIENT]
        second = json.loads(way.step("python: OpenAI().chat.completions.create(…)", lambda: run(python, folder, env)))
        for answer in (reply, second):
            print("          " + repr(answer["choices"][0]["message"]["content"]), answer["usage"])
        receipt = way.step("(the receipt arrives by itself)",
                           lambda: await_receipt(folder, reply, options.verified_within))
    way_result = {"command": "python -m benchmarks.new_user" + (" --here" if options.here else ""), "steps": way.steps,
                  "verified": receipt is not None, "malla": reply["malla"], "usage": reply["usage"],
                  "machine": {"cores": os.cpu_count(), "load_1m": os.getloadavg()[0],
                              "python": platform.python_version(), "gpu": None}}  # fmt: skip
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(way_result, indent=2) + "\n")
    return 0 if receipt is not None else 1


def run(command: list[str], folder: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=folder, env={**os.environ, **(env or {})}, capture_output=True, text=True,
                          timeout=LIMIT, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def post(url: str) -> Any:
    asked = urllib.request.Request(f"{url}/chat/completions", json.dumps(BODY).encode(),
                                   {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=LIMIT) as reply:
        return json.load(reply)


@contextmanager
def testnet(folder: Path) -> Iterator[None]:
    """`make testnet` in a session of its own, ended at the end of the block."""
    with (folder.parent / "testnet.log").open("w+") as log:
        process = subprocess.Popen(["make", "testnet"], cwd=folder, stdout=log, stderr=subprocess.STDOUT,
                                   start_new_session=True)
        try:
            wait_for(process, lambda: "The testnet is up" in Path(log.name).read_text(), Path(log.name))
            yield
        finally:
            end(process)


@contextmanager
def gateway(folder: Path, port: int) -> Iterator[str]:
    command = [str(folder / ".venv/bin/malla"), "request", "serve", "--port", str(port)]
    with tempfile.NamedTemporaryFile("w+", suffix=".log") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            wait_for(process, lambda: "Serving OpenAI's API" in Path(log.name).read_text(), Path(log.name))
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            end(process)


def wait_for(process: subprocess.Popen[bytes], ready: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + LIMIT
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"It did not get ready:\n{log.read_text()[-3000:]}")
        time.sleep(0.1)


def end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
    process.wait(120)


def await_receipt(folder: Path, reply: dict[str, Any], patience: float) -> Path | None:
    """The receipt of that call in MALLA_HOME, or among the files of the testnet's requesters."""
    session, call = reply["malla"]["session"], reply["malla"]["call"]
    home = os.environ.get("MALLA_HOME")
    homes = [Path(home)] if home else list((folder / "var/testnet/requesters").glob("*/home"))
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        for found in (path for one in homes for path in one.glob(f"*/receipts/{session}-{call}.json")):
            return found
        time.sleep(0.5)
    return None


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


if __name__ == "__main__":
    raise SystemExit(main())
