"""Bad input at the requester's edges: one plain sentence, nothing sent, no file lost, no secret shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from protocol.chain.deployment import CONTRACTS
from protocol.chain.keystore import create_keystore
from protocol.chain.rpc import Rpc
from protocol.errors import ConfigInvalid
from protocol.limits import MAX_JSON_BODY, MAX_PROMPT
from requester import wiring
from requester.cli import app, terminal
from requester.client import Client
from requester.config import Settings
from scripts import request_job
from tests.requester.world import World

PASSWORD = "a long password"
ADDRESSES = {name: "0x" + "22" * 20 for name in CONTRACTS}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(terminal.Session, "connect", lambda self: Client(made.market))
    return made


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Good files; the node serves chain 1, as the deployment says."""
    (tmp_path / "d.json").write_text(json.dumps({
        "chain_id": 1, "block": 0, "seats": [], **ADDRESSES,
        "code_hashes": {name: "0x" + "11" * 32 for name in ADDRESSES},
    }))  # fmt: skip
    create_keystore(tmp_path / "key.json", PASSWORD)
    (tmp_path / "password").write_text(PASSWORD)
    return Settings("http://node", tmp_path / "d.json", tmp_path / "key.json", tmp_path / "password", tmp_path / "home")


def malla(*words: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, list(words), input=stdin)


def refusal_of(settings: Settings) -> str:
    with pytest.raises(ConfigInvalid) as caught:
        wiring.build_market(settings)
    assert not settings.home.exists() and PASSWORD not in caught.value.message + caught.value.fix
    return caught.value.message


def test_connect__node_of_another_chain__refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rpc, "chain_id", lambda self: 31337)
    assert refusal_of(settings) == "The node serves chain 31337, the deployment is on chain 1."


@pytest.mark.parametrize("data", [b"", b"{", b'{"crypto": {}}', b"\xff\xfe", b"a" * 100_000])
def test_connect__broken_keystore__refused_and_left_alone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    monkeypatch.setattr(wiring, "connect", lambda *_: None)
    settings.keystore.write_bytes(data)
    assert "key.json" in refusal_of(settings) and settings.keystore.read_bytes() == data


def test_connect__wrong_password__refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "connect", lambda *_: None)
    settings.password_file.write_text("another one")
    assert "the password is wrong" in refusal_of(settings)


@pytest.mark.parametrize(("stdin", "words"), [
    (b"\xff\xfe\x00", "not text in UTF-8"), (b"a" * (MAX_PROMPT + 1), f"more than {MAX_PROMPT} bytes"),
    (b"", "The prompt is empty"), (b" \n", "The prompt is empty"),
])  # fmt: skip
def test_submit__prompt_that_is_none__refused_and_nothing_sent(world: World, stdin: bytes, words: str) -> None:
    done = malla("request", "job", "submit", "-", stdin=stdin)
    assert (done.exit_code, words in done.stderr, world.chain.calls) == (1, True, [])


@pytest.mark.parametrize("amount", ["NaN", "inf", "1e9", "9" * 100, "", "0x1"])
def test_deposit__amount_that_is_none__refused(world: World, amount: str) -> None:
    done = malla("request", "deposit", amount)
    assert (done.exit_code, "not an amount of tokens" in done.stderr, world.chain.calls) == (1, True, [])


def test_deposit__nothing__refused(world: World) -> None:
    assert "The amount is 0" in malla("request", "deposit", "0").stderr and world.chain.calls == []


@pytest.mark.parametrize("timeout", ["nan", "inf", "-1", "soon"])
def test_watch__time_that_cannot_be_waited_for__exit_status_2(world: World, timeout: str) -> None:
    assert malla("request", "job", "watch", "0x" + "11" * 32, "--timeout", timeout).exit_code == 2
    with pytest.raises(SystemExit):
        request_job.main("Hello?", "--timeout", timeout)


def test_command__folder_that_may_not_be_written__a_sentence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "/home/jobs/0x1.json")

    monkeypatch.setattr(Client, "list_jobs", refuse)
    done = malla("request", "job", "list", "--json")
    assert (done.exit_code, json.loads(done.stdout)["error"]["code"]) == (3, "config_invalid")
    assert "/home/jobs/0x1.json cannot be used: Permission denied" in done.stdout


def test_verify__endless_file__refused(tmp_path: Path) -> None:
    path = tmp_path / "receipt.json"
    path.write_bytes(b" " * (10 * MAX_JSON_BODY))
    done = malla("receipt", "verify", str(path))
    assert done.exit_code == 1 and f"the limit is {MAX_JSON_BODY}" in done.stderr
