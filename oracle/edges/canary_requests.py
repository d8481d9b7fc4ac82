"""The requester's own program as a process: what it sends for a canary is what it sends for anybody.

Nothing of the oracle reaches it: neither its key nor its database, only the wallet's own folder and the network's
public addresses. The prompt goes through standard input; keys and passwords are named by file.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from oracle.ports.canaries import Followed
from oracle.records.canaries import CanaryOrder, OwnWallet
from protocol.chain.keystore import create_keystore, keystore_address
from protocol.encoding import digest_from
from protocol.engine.corpus import load_corpus
from protocol.errors import ConfigInvalid, Reason, Refused, Unavailable
from protocol.sampling import GUMBEL
from protocol.types import Transcript
from protocol.units import Digest, in_tokens
from protocol.wire import from_json

KEYSTORE, PASSWORD, HOME = "keystore.json", "password", "home"
SECONDS = 120.0
"""For one command. Opening a job takes a few blocks."""
GLANCE = 3
"""Seconds that the program waits for an answer in one look."""
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "MALLA_MODEL_CACHE", "OMP_NUM_THREADS")
"""Of this process's environment; everything else could be a secret of the oracle."""


class RequesterProgram:
    """Implements `oracle.ports.canaries.Requesting`. `folder` has a subfolder for each wallet."""

    def __init__(self, folder: Path, network: Mapping[str, str], env: Mapping[str, str],
                 command: Sequence[str] | None = None) -> None:
        """`network` are the MALLA_ settings of the chain. Errors: ConfigInvalid when there is no `malla` command."""
        self._folder = folder
        self._env = {**{name: env[name] for name in KEPT if name in env}, **network}
        self._command = list(command or [_find_program()])

    def wallets(self) -> list[OwnWallet]:
        found = sorted(path.parent for path in self._folder.glob(f"*/{KEYSTORE}"))
        return [OwnWallet(path.name, keystore_address(path / KEYSTORE)) for path in found]

    def make_wallet(self, name: str) -> str:
        """A fresh wallet, its password drawn and kept beside it, private to this user; returns its address."""
        if not name.isidentifier():
            raise ConfigInvalid(f"A wallet cannot be named '{name[:40]}'.", "Use letters, digits and _.")
        place = self._folder / name
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        word = os.urandom(24).hex()
        address = create_keystore(place / KEYSTORE, word)
        handle = os.open(place / PASSWORD, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(word + "\n")
        return address

    def texts(self) -> Sequence[str]:
        return [content for prompt in load_corpus().prompts for role, content in prompt.messages if role == "user"]

    def submit(self, order: CanaryOrder, prompt: str) -> Digest:
        arguments = ["job", "submit", "-", "--no-wait", "--max-tokens", str(order.max_output_tokens), "--audit",
                     order.audit, *_sampling(order)]
        arguments += ["--provider", order.provider] if order.provider else []
        arguments += ["--model", order.model] if order.model else []
        try:
            found = self._run(order.wallet, arguments, prompt, order.jobs_ahead)
        except Refused:
            if not order.provider:
                raise
            # The one that was planned may be gone; others would look for another then, too.
            place = arguments.index("--provider")
            found = self._run(order.wallet, arguments[:place] + arguments[place + 2:], prompt, order.jobs_ahead)
        return Digest(digest_from(found.get("job_id"), "job_id"))

    def deposit(self, wallet: str, amount: int) -> None:
        self._run(wallet, ["deposit", in_tokens(amount)])

    def balance(self, wallet: str) -> dict[str, Any]:
        return self._run(wallet, ["balance"])

    def follow(self, wallet: str, job_id: bytes) -> Followed:
        try:
            found = self._run(wallet, ["job", "transcript", "0x" + job_id.hex(), "--timeout", str(GLANCE)])
        except Refused as refusal:
            is_early = refusal.fix.endswith("(timeout)")
            return Followed("WAITING") if is_early else Followed("FAILED", note=refusal.message)
        whole = found.get("transcript")
        transcript = None if whole is None else from_json(Transcript, whole, "transcript")
        return Followed(str(found.get("state")), transcript, str(found.get("note") or ""))

    def _run(self, wallet: str, arguments: Sequence[str], text: str = "", jobs_ahead: int = 10) -> dict[str, Any]:
        place = self._folder / wallet
        env = {**self._env, "MALLA_KEYSTORE": str(place / KEYSTORE), "MALLA_PASSWORD_FILE": str(place / PASSWORD),
               "MALLA_HOME": str(place / HOME), "MALLA_DEPOSIT_JOBS": str(jobs_ahead)}
        try:
            done = subprocess.run([*self._command, "request", *arguments, "--json"], input=text, env=env, text=True,
                                  capture_output=True, timeout=SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unavailable(f"The requester's program did not answer ({type(error).__name__}).") from error
        return _read(done.stdout, done.returncode)


def _read(output: str, status: int) -> dict[str, Any]:
    """The last line of what it printed. Errors: Refused with its own words, and its code beside the fix."""
    lines = output.strip().splitlines()
    try:
        found = json.loads(lines[-1]) if lines else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Unavailable(f"The requester's program ended with status {status} and said nothing that can be read.")
    error = found.get("error")
    if isinstance(error, dict):
        code, message = str(error.get("code")), str(error.get("message"))
        if code in (Unavailable.code, "chain_unreachable", "gas_missing", "balance_too_low"):
            raise Unavailable(message, str(error.get("fix") or ""))
        raise Refused(Reason.NOT_READY, message, f"{error.get('fix') or ''} ({code})")
    return found


def _sampling(order: CanaryOrder) -> list[str]:
    sampler = order.sampler
    least = ["--min-tokens", str(sampler.min_tokens)] if sampler.min_tokens else []
    if sampler.kind != GUMBEL:
        return least
    return ["--temperature", str(sampler.temperature_milli / 1_000), "--top-p", str(sampler.top_p_bps / 10_000),
            "--top-k", str(sampler.top_k), *least]


def _find_program() -> str:
    beside = Path(sys.executable).with_name("malla")
    found = str(beside) if beside.exists() else shutil.which("malla")
    if found is None:
        raise ConfigInvalid("There is no `malla` command to place canaries with.", "Install Malla from its clone.")
    return found
