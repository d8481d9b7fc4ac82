"""`malla request keys` and `serve`: what they print, what they refuse, and the file of the keys."""

from __future__ import annotations

import dataclasses
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from protocol.encoding import keccak
from protocol.errors import ConfigInvalid
from protocol.units import TOKEN
from requester import wiring
from requester.cli import app
from requester.cli.terminal import Session
from requester.config import Settings
from requester.edges.key_file import KeyFile
from requester.flow.api_keys import KeyRing, digest_of_bearer
from tests.requester.fakes import signer
from tests.requester.gateway_world import FakeKeyChain, FakeSender


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> KeyRing:
    made = KeyRing(KeyFile(tmp_path), FakeKeyChain(), FakeSender(), lambda _id: signer(8),  # type: ignore[arg-type]
                   lambda name: keccak(name.encode()))
    nowhere = Settings("", tmp_path, tmp_path, tmp_path, tmp_path)
    monkeypatch.setattr(Session, "settings", lambda self: nowhere)
    monkeypatch.setattr(wiring, "build_key_ring", lambda settings: made)
    return made


def malla(*words: str) -> Result:
    return CliRunner().invoke(app, ["request", *words])


@pytest.mark.parametrize("bad", ["0m", "12", "1y", "-3d", "soon", "1.5h"])
def test_keys_create__time_that_is_none__is_refused(ring: KeyRing, bad: str) -> None:
    done = malla("keys", "create", "--cap", "1", f"--expires={bad}")
    assert done.exit_code == 1 and "is no time" in done.stderr and ring.list() == ()


@pytest.mark.parametrize("bad", ["0", "a lot", "-1"])
def test_keys_create__cap_that_is_none__is_refused(ring: KeyRing, bad: str) -> None:
    assert malla("keys", "create", f"--cap={bad}").exit_code == 1 and ring.list() == ()


def test_keys_create__shows_the_key_once_and_keeps_its_digest(ring: KeyRing, tmp_path: Path) -> None:
    done = malla("keys", "create", "--cap", "2.5", "--expires", "2h", "--models", "A,B", "--models", "C")
    bearer = done.stdout.strip()
    (key,) = ring.list()
    assert done.exit_code == 0 and bearer.startswith("malla-") and key.digest == digest_of_bearer(bearer)
    assert (key.cap, key.models, key.ends_at - key.created_at) == (25 * TOKEN // 10, ("A", "B", "C"), 7_200)
    file = tmp_path / "keys.json"
    assert bearer not in file.read_text() and stat.S_IMODE(file.stat().st_mode) == 0o600


def test_keys_list_and_revoke__as_json__name_the_key(ring: KeyRing) -> None:
    made = json.loads(malla("keys", "create", "--cap", "1", "--json").stdout)
    listed: dict[str, Any] = json.loads(malla("keys", "list", "--json").stdout)["keys"][0]
    assert "key" not in listed and (listed["id"], listed["state"]) == (made["id"], "ACTIVE")
    assert json.loads(malla("keys", "revoke", made["id"], "--json").stdout)["state"] == "REVOKED"
    assert "REVOKED" in malla("keys", "list").stdout


def test_keys_list__without_any__says_so(ring: KeyRing) -> None:
    assert malla("keys", "list").stdout.strip() == "No keys."


def test_serve__open_to_other_machines_without_keys__is_refused(ring: KeyRing) -> None:
    done = malla("serve", "--host", "0.0.0.0")
    assert done.exit_code == 3 and "--require-key" in done.stderr


def test_serve__audit_class_that_is_none__is_refused(ring: KeyRing) -> None:
    assert malla("serve", "--audit", "never").exit_code == 1


def test_key_file__written_by_another_process__is_read_again(ring: KeyRing, tmp_path: Path) -> None:
    first, second = KeyFile(tmp_path), KeyFile(tmp_path)
    malla("keys", "create", "--cap", "1", "--name", "one")
    assert [key.name for key in first.read()] == ["one"]
    with second.hold():
        second.write([dataclasses.replace(key, name="two") for key in second.read()])
    assert [key.name for key in first.read()] == ["two"]


@pytest.mark.parametrize("text", ["", "{}", '{"keys": {}}', '{"keys": [{"id": "x"}]}', "no json"])
def test_key_file__damaged__is_refused_and_not_overwritten(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys.json").write_text(text)
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        KeyFile(tmp_path).read()
    assert (tmp_path / "keys.json").read_text() == text
