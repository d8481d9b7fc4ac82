"""A gateway as a user starts it, `malla request serve`, against a running network."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from openai import OpenAI

from scripts.testnet.arrangement import Arrangement
from scripts.testnet.environment import plain_environment

MODEL = "SmolLM2-135M-Instruct"
MALLA = Path(sys.executable).with_name("malla")


class Gateway:
    """One process. `base_url` ends with /v1."""

    def __init__(self, process: subprocess.Popen[str], base_url: str) -> None:
        self.process, self.base_url = process, base_url

    def client(self, api_key: str = "malla") -> OpenAI:
        return OpenAI(base_url=self.base_url, api_key=api_key, max_retries=0, timeout=300.0)

    def crash(self) -> None:
        """As a power cut would."""
        self.process.kill()
        self.process.wait(30)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(120)


def run_malla(what: Arrangement, *arguments: str, requester: int = 0) -> str:
    """Output of one command of a requester. Raises CalledProcessError with what it wrote."""
    done = subprocess.run([str(MALLA), "request", *arguments], env=_environment(what, requester), text=True,
                          capture_output=True, timeout=300)
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, arguments, done.stdout, done.stderr)
    return done.stdout


@contextmanager
def serving(what: Arrangement, *options: str, requester: int = 0) -> Iterator[Gateway]:
    """Up when the block begins, on a free port; stopped at its end unless that happened already."""
    gateway = start(what, options, requester)
    try:
        yield gateway
    finally:
        if gateway.process.poll() is None:
            gateway.stop()


def start(what: Arrangement, options: Sequence[str], requester: int) -> Gateway:
    log = what.logs / f"gateway-{requester + 1}.log"
    with log.open("a") as errors:
        process = subprocess.Popen([str(MALLA), "request", "serve", "--port", "0", "--json", *options], text=True,
                                   env=_environment(what, requester), stdout=subprocess.PIPE, stderr=errors)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"the gateway ended before it was ready, see {log}: {log.read_text()[-2000:]}"
    return Gateway(process, json.loads(line)["url"])


def _environment(what: Arrangement, requester: int) -> dict[str, str]:
    party = what.requesters[requester]
    return plain_environment() | what.client_environment(party.keystore, party.password_file) | {
        "MALLA_HOME": str(party.folder / "home"),
        "MALLA_MODEL_CACHE": str(what.model_cache),
    }
