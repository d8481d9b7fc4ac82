"""The requester's program as the oracle starts it: what it is told, what it never sees, what is made of its words."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from oracle.edges.canary_requests import RequesterProgram
from oracle.records.canaries import CanaryOrder
from protocol.chain.keystore import open_keystore, read_password
from protocol.encoding import to_hex
from protocol.errors import ConfigInvalid, Refused, Unavailable
from protocol.signing import Signer
from protocol.types import Sampler
from protocol.wire import to_json
from tests.oracle.world import Work, World

JOB = b"\7" * 32
PROGRAM = """
import json, os, sys
note = {"arguments": sys.argv[1:], "env": dict(os.environ), "input": sys.stdin.read()}
with open(NOTES, "a") as file:
    file.write(json.dumps(note) + chr(10))
print("something for people")
print(json.dumps(SAYS))
raise SystemExit(STATUS)
"""


class Stub:
    """A program that notes how it was started and prints one JSON object."""

    def __init__(self, folder: Path) -> None:
        self._notes, self._script, self.wallets = folder / "notes", folder / "program.py", folder / "wallets"
        env = {**os.environ, "MALLA_DATABASE_URL": "postgresql+psycopg://oracle:secret@x/y", "MALLA_KEYSTORE": "/own"}
        self.program = RequesterProgram(self.wallets, {"MALLA_RPC_URL": "http://chain"}, env,
                                        [sys.executable, str(self._script)])
        self.says({"job_id": to_hex(JOB)})

    def says(self, value: Any, status: int = 0) -> None:
        text = PROGRAM.replace("NOTES", repr(str(self._notes))).replace("SAYS", repr(value))
        self._script.write_text(text.replace("STATUS", str(status)))

    @property
    def notes(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._notes.read_text().splitlines()]


@pytest.fixture
def stub(tmp_path: Path) -> Stub:
    return Stub(tmp_path)


ORDER = CanaryOrder("w1", 0.0, 9, 8, Sampler("gumbel", 0, 700, 9_000, 40, 2), "open", "0x" + "11" * 20, jobs_ahead=3,
                    model="0x" + "22" * 32)


def test_submit__a_planned_job__is_the_requesters_own_command(stub: Stub) -> None:
    """R104: nothing but the wallet's folder and the public network reaches the program; the prompt is on its input."""
    assert stub.program.submit(ORDER, "what is this?") == JOB
    (note,) = stub.notes
    assert note["arguments"] == [
        "request", "job", "submit", "-", "--no-wait", "--max-tokens", "8", "--audit", "open", "--temperature", "0.7",
        "--top-p", "0.9", "--top-k", "40", "--min-tokens", "2", "--provider", ORDER.provider, "--model", ORDER.model,
        "--json"]
    assert note["input"] == "what is this?"
    ours = {name: value for name, value in note["env"].items() if name.startswith("MALLA_")}
    place = stub.wallets / "w1"
    assert ours == {"MALLA_RPC_URL": "http://chain", "MALLA_KEYSTORE": str(place / "keystore.json"),
                    "MALLA_PASSWORD_FILE": str(place / "password"), "MALLA_HOME": str(place / "home"),
                    "MALLA_DEPOSIT_JOBS": "3"}


def test_submit__planned_provider_refuses__asks_any(stub: Stub) -> None:
    stub.says({"error": {"code": "refused", "message": "It is full.", "fix": ""}}, 1)
    with pytest.raises(Refused, match="It is full"):
        stub.program.submit(ORDER, "x")
    assert ["--provider" in note["arguments"] for note in stub.notes] == [True, False]


@pytest.mark.parametrize(("says", "error"), [
    ({"error": {"code": "unavailable", "message": "away", "fix": ""}}, Unavailable),
    ({"error": {"code": "balance_too_low", "message": "no money", "fix": ""}}, Unavailable), ([], Unavailable),
])  # fmt: skip
def test_deposit__cannot_be_made_now__is_unavailable(stub: Stub, says: Any, error: type[Exception]) -> None:
    stub.says(says, 1)
    with pytest.raises(error):
        stub.program.deposit("w1", 10**18)


def test_deposit__an_amount__is_told_in_tokens(stub: Stub) -> None:
    stub.program.deposit("w1", 25 * 10**17)
    assert stub.notes[0]["arguments"] == ["request", "deposit", "2.5", "--json"]


def test_follow__answer_is_here__gives_the_transcript(stub: Stub) -> None:
    transcript = Work(World(), 1).transcript
    stub.says({"state": "COMMITTED", "note": "", "transcript": to_json(transcript)})
    found = stub.program.follow("w1", JOB)
    assert (found.state, found.transcript, found.is_over) == ("COMMITTED", transcript, False)


@pytest.mark.parametrize(("says", "state", "over"), [
    ({"error": {"code": "timeout", "message": "not yet", "fix": "again"}}, "WAITING", False),
    ({"state": "REFUNDED", "note": "", "transcript": None}, "REFUNDED", True),
    ({"error": {"code": "job_not_found", "message": "no such job", "fix": ""}}, "FAILED", True),
])  # fmt: skip
def test_follow__no_answer__says_whether_one_will_come(stub: Stub, says: Any, state: str, over: bool) -> None:
    stub.says(says)
    found = stub.program.follow("w1", JOB)
    assert (found.state, found.is_over, found.transcript) == (state, over, None)


def test_wallet__made__is_private_and_its_own(stub: Stub) -> None:
    """R104: a canary's wallet has a key of its own, which its folder alone opens."""
    address = stub.program.make_wallet("w1")
    place = stub.wallets / "w1"
    assert Signer(open_keystore(place / "keystore.json", read_password(place / "password"))).address == address
    assert [oct((place / name).stat().st_mode)[-3:] for name in ("keystore.json", "password")] == ["600", "600"]
    assert [(one.name, one.address) for one in stub.program.wallets()] == [("w1", address)]


@pytest.mark.parametrize("name", ["", "../w", "a b", "x/y"])
def test_wallet__name_that_is_no_folder__is_refused(stub: Stub, name: str) -> None:
    with pytest.raises(ConfigInvalid):
        stub.program.make_wallet(name)


def test_texts__of_the_shipped_corpus__are_questions(stub: Stub) -> None:
    texts = stub.program.texts()
    assert len(texts) >= 300 and all(text.strip() for text in texts)
