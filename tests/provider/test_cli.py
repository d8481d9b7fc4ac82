"""Commands that need no chain: keys, plain errors, exit statuses."""

from __future__ import annotations

import json
import socket
import stat
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from protocol.chain.deployment import CONTRACTS
from protocol.chain.keystore import keystore_address, open_keystore
from protocol.signing import Signer
from provider.__main__ import main
from provider.cli import app
from tests.provider.test_config import GOOD

PASSWORD = "a long password"
NO_ENVIRONMENT = {name: "" for name in (*GOOD, "MALLA_HOME")}


def run(*words: str) -> Result:
    done = CliRunner().invoke(app, list(words), env=NO_ENVIRONMENT, catch_exceptions=False)
    assert PASSWORD not in done.output
    return done


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\n")
    return path


@pytest.fixture
def home(tmp_path: Path, password_file: Path) -> Path:
    home = tmp_path / "home"
    assert run("init", "--home", str(home), "--password-file", str(password_file)).exit_code == 0
    return home


def test_init__no_password_and_no_terminal__refused_and_nothing_written(tmp_path: Path) -> None:
    done = run("init", "--home", str(tmp_path / "home"))
    assert (done.exit_code, "--password-file" in done.output) == (1, True)
    assert not (tmp_path / "home").exists()


def test_init__empty_password__refused(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    done = run("init", "--home", str(tmp_path / "home"), "--password-file", str(tmp_path / "empty"))
    assert (done.exit_code, "is empty" in done.output) == (1, True)


@pytest.mark.parametrize("name", ["owner.json", "node.json"])
def test_init__one_keystore_there__refused_and_neither_touched(tmp_path: Path, password_file: Path, name: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / name).write_text("mine")
    done = run("init", "--home", str(home), "--password-file", str(password_file), "--json")
    assert done.exit_code == 1
    assert "not overwritten" in json.loads(done.stdout)["error"]["message"]
    assert [path.name for path in home.iterdir()] == [name] and (home / name).read_text() == "mine"


def test_init__fresh_folder__two_private_keystores_and_no_key_shown(tmp_path: Path, password_file: Path) -> None:
    home = tmp_path / "home"
    done = run("init", "--home", str(home), "--password-file", str(password_file), "--json")
    said = json.loads(done.stdout)
    for name, address in (("owner.json", said["owner"]), ("node.json", said["node_key"])):
        key = open_keystore(home / name, PASSWORD)
        assert Signer(key).address == address == keystore_address(home / name)
        assert key.hex() not in done.output
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600
    assert said["owner"] != said["node_key"]


def test_command__no_chain_named__refused_with_the_option(home: Path) -> None:
    done = run("status", "--home", str(home))
    assert (done.exit_code, "--rpc-url" in done.output) == (1, True)


def test_command__broken_deployment__refused_naming_the_file(home: Path, tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text("{")
    words = ("--rpc-url", "http://127.0.0.1:1", "--deployment", str(tmp_path / "d.json"))
    done = run("register", "--home", str(home), *words)
    assert (done.exit_code, "d.json" in done.output) == (1, True)


@pytest.mark.parametrize("words", [("stake",), ("offer", "set"), ("offer", "remove", "x"), ("unknown",)])
def test_command__wrong_usage__exit_status_2(words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2


def test_jobs__no_database__refused_with_the_option() -> None:
    done = run("jobs", "--json")
    assert (done.exit_code, json.loads(done.stdout)["error"]["code"]) == (1, "config_invalid")


@pytest.mark.parametrize("url", [
    "nonsense", "mysql://u:hidden@h/d", "postgresql+psycopg://u:hidden@h:port/d", "sqlite://",
])  # fmt: skip
def test_jobs__database_url_that_is_none__refused_without_its_password(url: str) -> None:
    done = run("jobs", "--database-url", url)
    assert (done.exit_code, "URL cannot be read" in done.output, "hidden" in done.output) == (1, True, False)


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_start__port_that_is_none__exit_status_2(home: Path, port: str) -> None:
    assert run("start", "--home", str(home), "--http-port", port).exit_code == 2


def test_stake__url_that_is_none__refused_without_repeating_it(home: Path, tmp_path: Path) -> None:
    deployment = tmp_path / "d.json"
    deployment.write_text(json.dumps({
        "chain_id": 1, "block": 0, "seats": [], "code_hashes": {name: "0x" + "11" * 32 for name in CONTRACTS},
        **{name: "0x" + "22" * 20 for name in CONTRACTS},
    }))  # fmt: skip
    done = run("stake", "1", "--home", str(home), "--rpc-url", "wss://node/access-key", "--deployment", str(deployment))
    assert (done.exit_code, "http://" in done.output, "access-key" in done.output) == (1, True, False)


@pytest.mark.network  # a listener of its own shows what a port in use does
def test_start__port_in_use__refused_before_anything_starts(home: Path, password_file: Path, tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(listener.getsockname()[1])
        done = run("start", "--home", str(home), "--rpc-url", "http://127.0.0.1:1", "--http-port", port,
                   "--password-file", str(password_file), "--deployment", str(tmp_path))
    assert (done.exit_code, f"127.0.0.1:{port} cannot be used" in done.output) == (1, True)


def test_start__no_password_file__refused_before_anything_starts(home: Path) -> None:
    done = run("start", "--home", str(home), "--rpc-url", "http://127.0.0.1:1")
    assert (done.exit_code, "nobody to ask for the password" in done.output) == (1, True)


def test_start__wrong_password__refused_before_anything_starts(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provider.cli.run.supervise", lambda *_: pytest.fail("started"))
    monkeypatch.setattr("provider.api.require_free", lambda *_: None)
    monkeypatch.setattr("provider.cli.run._free_port", lambda: 1)
    (tmp_path / "wrong").write_text("another password")
    done = run("start", "--home", str(home), "--rpc-url", "http://127.0.0.1:1", "--password-file",
               str(tmp_path / "wrong"), "--deployment", str(tmp_path), "--database-url", GOOD["MALLA_DATABASE_URL"],
               "--broker-url", GOOD["MALLA_BROKER_URL"])
    assert (done.exit_code, "the password is wrong" in done.output) == (1, True)
    assert "another password" not in done.output and "secret" not in done.output


@pytest.mark.parametrize("arguments", [[], ["oracle"], ["api", "node"]])
def test_main__unknown_process__usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "api|worker|node|migrate" in capsys.readouterr().err


def test_main__variable_missing__one_sentence_and_status_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in GOOD:
        monkeypatch.delenv(name, raising=False)
    assert main(["node"]) == 1
    assert "MALLA_KEYSTORE is not set" in capsys.readouterr().err


def test_main__broken_keystore__named_without_a_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, password_file: Path
) -> None:
    (tmp_path / "node.json").write_text('{"crypto": {}}')
    its = {"MALLA_KEYSTORE": str(tmp_path / "node.json"), "MALLA_PASSWORD_FILE": str(password_file)}
    for name, value in (GOOD | its).items():
        monkeypatch.setenv(name, value)
    assert main(["node"]) == 1
    said = capsys.readouterr().err
    assert "node.json does not open" in said and PASSWORD not in said
