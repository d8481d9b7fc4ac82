"""Sessions on disk: in one step, readable after a crash, used by one process."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from protocol.errors import ConfigInvalid
from requester.edges.session_store import SessionDatabase
from requester.records.sessions import CallStage
from tests.requester.sessions_world import CallWorld


@pytest.fixture
def world(tmp_path: Path) -> CallWorld:
    made = CallWorld(tmp_path)
    made.call()
    return made


def test_open__folder_that_cannot_be_made__is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigInvalid):
        SessionDatabase(tmp_path / "file")


def test_open__damaged_file__is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "sessions").mkdir()
    path = tmp_path / "sessions" / "sessions.sqlite3"
    path.write_bytes(b"no database " * 100)
    with pytest.raises(ConfigInvalid):
        SessionDatabase(tmp_path)
    assert path.read_bytes() == b"no database " * 100


def test_sessions__of_another_format__are_refused(world: CallWorld) -> None:
    (file,) = world.store.sessions()
    world.store.write(replace(file, format=99))
    with pytest.raises(ConfigInvalid, match="format is 99"):
        world.store.sessions()


def test_write__read_again_by_another__is_the_same(world: CallWorld) -> None:
    (file,) = world.store.sessions()
    again = SessionDatabase(world.folder)
    assert again.sessions() == [file]
    assert again.calls(file.session_id) == world.store.calls(file.session_id)
    assert again.calls(file.session_id, CallStage.SENT) == []


def test_write__fails_half_way__leaves_the_old(world: CallWorld) -> None:
    (file,) = world.store.sessions()
    (call,) = world.store.calls(file.session_id)
    outside = sqlite3.connect(world.folder / "sessions" / "sessions.sqlite3")
    outside.execute("CREATE TRIGGER no BEFORE UPDATE ON calls BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    outside.commit()
    with pytest.raises(ConfigInvalid, match="disk full"):
        world.store.write(replace(file, note="new"), replace(call, note="new"))
    assert world.store.sessions() == [file]


def test_files__are_private_to_their_owner(world: CallWorld) -> None:
    folder = world.folder / "sessions"
    (database,) = folder.glob("*.sqlite3")
    assert [path.stat().st_mode & 0o077 for path in (folder, database)] == [0, 0]


def test_hold__twice_here__is_the_same_hold_and_another_gets_it_after_release(world: CallWorld) -> None:
    other = SessionDatabase(world.folder)
    assert world.store.hold("one") and world.store.hold("one")
    assert not other.hold("one")
    world.store.release("one")
    assert other.hold("one")


def test_hold__of_a_process_that_died__is_free_again(tmp_path: Path) -> None:
    store = SessionDatabase(tmp_path)
    code = (f"import os, sys; sys.path.insert(0, {os.getcwd()!r}); from pathlib import Path; "
            "from requester.edges.session_store import SessionDatabase; "
            f"store = SessionDatabase(Path({str(tmp_path)!r})); assert store.hold('one'); "
            "print('held', flush=True); sys.stdin.read()")
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stdout.readline() == b"held\n"
        assert not store.hold("one")
        child.kill()
    assert store.hold("one")


def test_receipt__is_written_as_a_whole(tmp_path: Path) -> None:
    path = SessionDatabase(tmp_path).write_receipt("0xab-1", {"format": "x"})
    assert Path(path).read_text() == '{\n  "format": "x"\n}'
    assert [p.name for p in Path(path).parent.iterdir()] == ["0xab-1.json"]
