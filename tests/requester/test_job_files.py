"""Job files: private, whole, strict, and told apart from damaged ones."""

from __future__ import annotations

import os
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from protocol.encoding import keccak, to_hex
from protocol.errors import ConfigInvalid
from requester.client import Client
from requester.edges.job_files import JobFolder
from requester.errors import JobNotFound
from requester.records.jobs import JobFile, Stage
from tests.requester.world import World


@pytest.fixture(scope="module")
def ended() -> JobFile:
    world = World()
    world.acts = [world.commit, world.settle]  # type: ignore[list-item]
    Client(world.market).run("Hello?", max_tokens=8)
    return world.job()


def test_read__unknown__says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(JobNotFound, match=str(tmp_path)):
        JobFolder(tmp_path).read(keccak(b"other"))


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b'{"format":3}', b'{"format":2}'])
def test_read__damaged__names_the_file_and_keeps_it(tmp_path: Path, ended: JobFile, data: bytes) -> None:
    folder = JobFolder(tmp_path)
    path = tmp_path / "jobs" / f"{to_hex(ended.job_id)}.json"
    path.write_bytes(data)
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        folder.read(ended.job_id)
    assert path.read_bytes() == data and list(folder.list()) == []


def test_open__folder_cannot_be_made__names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigInvalid, match="cannot be made"):
        JobFolder(tmp_path / "file" / "home")


def test_write__every_field__comes_back(tmp_path: Path, ended: JobFile) -> None:
    folder = JobFolder(tmp_path)
    early = replace(ended, answer=None, stage=Stage.PREPARED, entries=())
    for file in (early, ended):
        folder.write(file)
        assert folder.read(file.job_id) == file
    assert list(folder.list()) == [ended]


def test_write__modes__are_private(tmp_path: Path, ended: JobFile) -> None:
    folder = JobFolder(tmp_path / "home")
    folder.write(ended)
    folder.write_receipt(ended.job_id, {"format": "x"})
    files = [path for path in (tmp_path / "home").rglob("*.json")]
    assert len(files) == 2 and {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "home" / "jobs").stat().st_mode) == 0o700


def test_write__crash_in_the_middle__leaves_the_old_file(
    tmp_path: Path, ended: JobFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = JobFolder(tmp_path)
    folder.write(ended)

    def crash(*_: object) -> None:
        raise OSError("power cut")

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(OSError, match="power cut"):
        folder.write(replace(ended, note="new"))
    assert folder.read(ended.job_id) == ended and list(folder.list()) == [ended]


def test_write__secrets__are_not_the_wallet_key(tmp_path: Path, ended: JobFile) -> None:
    folder = JobFolder(tmp_path)
    folder.write(ended)
    text = next(tmp_path.rglob("0x*.json")).read_text()
    key = (7).to_bytes(32, "big")
    assert key.hex() not in text
    assert World().wallet.reply_secret(ended.job.nonce).hex() not in text


def test_hold__second_holder__waits(tmp_path: Path, ended: JobFile) -> None:
    folder, entered = JobFolder(tmp_path), threading.Event()

    def hold() -> None:
        with folder.hold(ended.job_id):
            entered.set()

    with folder.hold(ended.job_id):
        thread = threading.Thread(target=hold)
        thread.start()
        assert not entered.wait(0.2)
    assert entered.wait(5)
    thread.join()
