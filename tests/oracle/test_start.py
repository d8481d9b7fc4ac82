"""What keeps an oracle's process from starting is one sentence with its fix, and shows no secret."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from oracle import tasks
from oracle.__main__ import main
from oracle.cli import app
from oracle.edges.store import open_engine
from oracle.wiring import check_model_files
from protocol.chain.keystore import create_keystore
from protocol.engine import weights
from protocol.errors import ConfigInvalid
from tests.oracle.test_config import GOOD

PASSWORD = "a long password"


@pytest.fixture
def keystore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment of a process whose keystore and password file are good."""
    create_keystore(tmp_path / "key.json", PASSWORD)
    (tmp_path / "password").write_text(PASSWORD)
    its = {"MALLA_KEYSTORE": str(tmp_path / "key.json"), "MALLA_PASSWORD_FILE": str(tmp_path / "password")}
    for name, value in (GOOD | its).items():
        monkeypatch.setenv(name, value)
    return tmp_path / "key.json"


def refused(role: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a process that cannot start says; it ends with status 1, in one line and without a secret."""
    assert main([role]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith(f"oracle {role}: ")
    assert PASSWORD not in said and "secret-word" not in said and "other-word" not in said
    return said


@pytest.mark.network  # a listener of its own shows what a port in use does
def test_api__port_in_use__refused_naming_it(
    keystore: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(listener.getsockname()[1])
        monkeypatch.setenv("MALLA_HTTP_PORT", port)
        said = refused("api", capsys)
    assert f"127.0.0.1:{port} cannot be listened on" in said and "MALLA_HTTP_PORT" in said


@pytest.mark.parametrize("data", [b"", b"{", b'{"crypto": {}}', b"\xff\xfe", b"[]"])
def test_watch__broken_keystore__named(keystore: Path, capsys: pytest.CaptureFixture[str], data: bytes) -> None:
    keystore.write_bytes(data)
    assert "key.json" in refused("watch", capsys)
    assert keystore.read_bytes() == data


def test_watch__wrong_password__named(keystore: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (keystore.parent / "password").write_text("another one")
    assert "the password is wrong" in refused("watch", capsys)


def test_worker__model_file_differs__refused_with_both_sizes(
    keystore: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other.gguf").write_bytes(b"GGUF, but another one")
    monkeypatch.setattr(weights, "locate_weights_file", lambda manifest: tmp_path / "other.gguf")
    monkeypatch.setattr(tasks, "build_app", lambda settings: pytest.fail("the worker began"))
    said = refused("worker", capsys)
    assert "other.gguf" in said and re.search(r"has 21 bytes, .* names \d+", said)
    with pytest.raises(ConfigInvalid):
        check_model_files()


@pytest.mark.parametrize("url", ["postgresql+psycopg://u:secret-word@h:port/d", "secret-word"])
def test_database__url_that_is_none__refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigInvalid, match="MALLA_DATABASE_URL cannot be read") as caught:
        open_engine(url)
    assert "secret-word" not in caught.value.message + caught.value.fix


def test_calibrate__output_that_cannot_be_written__refused_before_any_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oracle.wiring.console.run_calibration", lambda *_: pytest.fail("it ran"))
    done = CliRunner().invoke(app, ["calibrate", "SmolLM2-135M-Instruct", "--output", str(tmp_path / "no" / "p.json")])
    assert (done.exit_code, "p.json cannot be used" in done.output) == (1, True)


@pytest.mark.parametrize("batch_id", ["0", str(2**64), "one"])
def test_draw__number_that_no_batch_has__exit_status_2(batch_id: str) -> None:
    assert CliRunner().invoke(app, ["draw", batch_id]).exit_code == 2
