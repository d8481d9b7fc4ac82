from __future__ import annotations

import errno
import json
import os
import stat
import traceback
from pathlib import Path

import pytest
from eth_account import Account

from protocol.chain.keystore import (
    MAX_FILE,
    create_keystore,
    keystore_address,
    open_keystore,
    read_password,
    write_keystore,
)
from protocol.encoding import keccak
from protocol.errors import ConfigInvalid
from protocol.signing import Signer

KEY, PASSWORD = keccak(b"key"), "a password that nobody else has"


@pytest.fixture(scope="module")
def keystore(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "deep" / "key.json"
    write_keystore(path, KEY, PASSWORD)
    return path


def damaged(keystore: Path, tmp_path: Path, text: str) -> Path:
    path = tmp_path / "damaged.json"
    path.write_text(text)
    return path


def test_create_keystore__file_there__refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text("precious")
    with pytest.raises(ConfigInvalid, match="not overwritten"):
        create_keystore(path, PASSWORD)
    assert path.read_text() == "precious"


def test_create_keystore__no_password_or_no_folder__config_invalid(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="password"):
        create_keystore(tmp_path / "key.json", "")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigInvalid, match="cannot be made"):
        create_keystore(tmp_path / "file" / "key.json", PASSWORD)


def test_open_keystore__wrong_password__config_invalid_without_any_secret(keystore: Path) -> None:
    with pytest.raises(ConfigInvalid, match="password is wrong") as error:
        open_keystore(keystore, "another password")
    told = "".join(traceback.format_exception(error.value)) + repr(error.value.__cause__)
    assert "another password" not in told.replace('open_keystore(keystore, "another password")', "")
    assert KEY.hex() not in told


@pytest.mark.parametrize("text", [
    "", "{", "[]", "{}", '{"version": 3, "crypto": {}}', '{"version": 3, "crypto": null}', "\x00",
])
def test_open_keystore__broken_file__config_invalid(keystore: Path, tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigInvalid) as error:
        open_keystore(damaged(keystore, tmp_path, text), PASSWORD)
    assert "damaged.json" in error.value.message and error.value.fix


def test_open_keystore__one_digit_of_the_ciphertext_changed__config_invalid(keystore: Path, tmp_path: Path) -> None:
    value = json.loads(keystore.read_text())
    text = value["crypto"]["ciphertext"]
    value["crypto"]["ciphertext"] = ("0" if text[0] != "0" else "1") + text[1:]
    with pytest.raises(ConfigInvalid, match="damaged"):
        open_keystore(damaged(keystore, tmp_path, json.dumps(value)), PASSWORD)


def test_open_keystore__missing__config_invalid_with_the_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"none\.json cannot be read"):
        open_keystore(tmp_path / "none.json", PASSWORD)


def test_keystore__written__private_opens_and_is_version_three(keystore: Path) -> None:
    assert open_keystore(keystore, PASSWORD) == KEY
    assert stat.S_IMODE(keystore.stat().st_mode) == 0o600
    assert keystore_address(keystore) == Signer(KEY).address
    value = json.loads(keystore.read_text())
    assert value["version"] == 3 and value["crypto"]["kdf"] == "scrypt" and KEY.hex() not in keystore.read_text()
    assert bytes(Account.decrypt(value, PASSWORD)) == KEY


def test_create_keystore__twice__two_keys(tmp_path: Path) -> None:
    made = {create_keystore(tmp_path / name, PASSWORD) for name in ("a.json", "b.json")}
    assert len(made) == 2 and keystore_address(tmp_path / "a.json") in made


def test_keystore_address__file_without_one__config_invalid(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text('{"crypto": {}}')
    with pytest.raises(ConfigInvalid, match="names no address"):
        keystore_address(path)


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_read_password__empty_or_no_text__config_invalid(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)
    with pytest.raises(ConfigInvalid):
        read_password(path)
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        read_password(tmp_path / "none")


def test_read_password__line_end_or_none__the_same(tmp_path: Path) -> None:
    for content in ("secret word", "secret word\n", "secret word\r\nrest"):
        (tmp_path / "password").write_text(content)
        assert read_password(tmp_path / "password") == "secret word"


def test_read__more_than_a_keystore_may_have__refused(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    path.write_bytes(b"a" * (MAX_FILE + 1))
    for read in (read_password, keystore_address):
        with pytest.raises(ConfigInvalid, match="huge cannot be read: File too large"):
            read(path)


def test_create_keystore__disk_full__leaves_no_half_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(ConfigInvalid, match="No space left"):
        create_keystore(tmp_path / "key.json", "password")
    assert list(tmp_path.iterdir()) == []
