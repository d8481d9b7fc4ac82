"""What was said in calls and jobs leaves this machine when nothing can be proven or disputed with it any more."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pytest

from protocol.encoding import to_hex
from requester import wiring
from requester.client import Client
from requester.edges.job_files import JobFolder
from requester.edges.session_store import SessionDatabase
from requester.errors import JobNotFound
from requester.flow.forgetting import forget_jobs, forget_said
from requester.flow.keeping import Keeper
from requester.flow.session_receipts import WEEK, collect_receipts
from requester.flow.taking_up import take_up
from requester.records.jobs import Stage
from requester.records.sessions import CallFile, CallStage, Holds
from scripts.testnet.watching import wait_until
from tests.requester.fake_session_chain import DISPUTE_WINDOW
from tests.requester.sessions_world import CallWorld
from tests.requester.test_config import settings
from tests.requester.test_session_receipts import settle
from tests.requester.world import World

SECRET = "Zanzibar's only lighthouse keeper"


@pytest.fixture
def world(tmp_path: Path) -> CallWorld:
    made = CallWorld(tmp_path)
    for _ in range(3):
        made.call(messages=(("user", SECRET),))
    return made


def calls_of(world: CallWorld) -> list[CallFile]:
    (file,) = world.store.sessions()
    return world.store.calls(file.session_id)


def on_disk(world: CallWorld, word: bytes) -> list[str]:
    """Files that hold the word, as text or as the hexadecimal of prompts."""
    return [str(path) for path in world.folder.rglob("*") if path.is_file()
            and (word in (data := path.read_bytes()) or word.hex().encode() in data)]


@pytest.mark.parametrize("stage", [CallStage.SENT, CallStage.ENDED, CallStage.LOST])
def test_forget__may_still_be_signed_proven_or_disputed__stays(world: CallWorld, stage: CallStage) -> None:
    for call in (before := [replace(one, stage=stage) for one in calls_of(world)]):
        world.store.write_call(call)
    world.time += WEEK - 1
    assert forget_said(world.desk) == 0
    assert calls_of(world) == before and on_disk(world, SECRET.encode())


def test_forget__receipt_is_new__stays_until_it_cannot_be_disputed(world: CallWorld) -> None:
    settle(world)
    assert collect_receipts(world.desk) == 3
    world.time += DISPUTE_WINDOW - 1
    assert forget_said(world.desk) == 0
    assert {call.holds for call in calls_of(world)} == {Holds.SAID}


def test_forget__proven_and_past_dispute__only_the_receipt_holds_the_answer(world: CallWorld) -> None:
    before, meter = calls_of(world), world.desk.sessions()[0].meter.finished
    settle(world)
    collect_receipts(world.desk)
    world.time += DISPUTE_WINDOW
    assert forget_said(world.desk) == 3
    for old, call in zip(before, calls_of(world), strict=True):
        assert (call.prompt, call.key, call.answer, call.holds) == (b"", b"", None, Holds.RECEIPT)
        assert (call.number, call.line, call.spec) == (old.number, old.line, old.spec)
        assert Path(call.receipt_path).exists()
    assert on_disk(world, SECRET.encode()) == [] and on_disk(world, before[0].key) == []
    (live,) = take_up(world.restart())  # the session goes on after a restart
    world.call()
    assert live.meter.finished.calls == meter.calls + 1


def test_forget__receipt_is_old__goes_too(world: CallWorld) -> None:
    settle(world)
    collect_receipts(world.desk)
    world.time += DISPUTE_WINDOW
    forget_said(world.desk)
    paths = [Path(call.receipt_path) for call in calls_of(world)]
    world.time += world.limits.keep_answers - 1
    assert forget_said(world.desk) == 0 and [path.exists() for path in paths] == [True] * 3
    world.time += 1
    assert forget_said(world.desk) == 3 and not any(path.exists() for path in paths)
    assert {(call.stage, call.holds) for call in calls_of(world)} == {(CallStage.PROVEN, Holds.NOTHING)}
    assert forget_said(world.desk) == 0


@pytest.mark.parametrize(("stage", "after"), [(CallStage.VOID, 0), (CallStage.ENDED, WEEK), (CallStage.LOST, WEEK)])
def test_forget__nothing_left_to_prove__goes(world: CallWorld, stage: CallStage, after: int) -> None:
    for call in calls_of(world):
        world.store.write_call(replace(call, stage=stage))
    world.time += after
    assert forget_said(world.desk) == 3
    assert on_disk(world, SECRET.encode()) == []


def test_keeper__running__forgets(world: CallWorld) -> None:
    for call in calls_of(world):
        world.store.write_call(replace(call, stage=CallStage.VOID))
    keeper = Keeper(world.desk, pace=0.001)
    keeper.start()
    assert wait_until(lambda: {call.holds for call in calls_of(world)} == {Holds.NOTHING}, 10)
    keeper.stop()


def test_connect__days_of_the_setting__old_jobs_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world, seen = World(), list[float]()
    monkeypatch.setattr(wiring, "build_market", lambda *_: world.market)
    monkeypatch.setattr(world.market.files, "older", lambda before: seen.append(before) or iter(()))
    Client.connect(settings(tmp_path, MALLA_KEEP_ANSWERS="3"))
    assert time.time() - seen[0] == pytest.approx(3 * 86_400, abs=60)


def test_store__of_an_older_version__is_brought_up(world: CallWorld) -> None:
    before = calls_of(world)
    world.store.close()
    old = sqlite3.connect(world.folder / "sessions" / "sessions.sqlite3")
    old.executescript("ALTER TABLE calls RENAME TO newer; CREATE TABLE calls (session TEXT NOT NULL, nonce TEXT NOT "
                      "NULL, stage TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (session, nonce)); INSERT INTO calls "
                      "SELECT session, nonce, stage, body FROM newer; DROP TABLE newer;")
    old.close()
    store = SessionDatabase(world.folder)
    assert store.calls(before[0].session_id) == before
    assert store.aged(CallStage.ENDED, Holds.SAID, 1, 9) == before


def test_forget_jobs__ended_and_old__prompt_answer_and_receipt_go(tmp_path: Path) -> None:
    world, folder = World(), JobFolder(tmp_path)
    world.acts = [world.commit, world.settle]  # type: ignore[list-item]
    Client(world.market).run("Hello?", max_tokens=8)
    file = world.job()
    receipt = Path(folder.write_receipt(file.job_id, {"answer": "said"}))
    folder.write(replace(file, stage=Stage.COMMITTED))
    assert forget_jobs(folder, float("inf")) == 0 and folder.read(file.job_id).prompt
    folder.write(file)
    assert forget_jobs(folder, 0) == 0 and folder.read(file.job_id) == file
    assert forget_jobs(folder, float("inf")) == 1
    left = folder.read(file.job_id)
    assert (left.prompt, left.seal_secret, left.answer) == (b"", b"", None)
    assert (left.stage, left.paid) == (file.stage, file.paid)
    assert not receipt.exists() and "--keep-answers" in left.note
    assert forget_jobs(folder, float("inf")) == 0
    world.market.files.write(left)
    with pytest.raises(JobNotFound, match="deleted"):
        Client(world.market).prompt_of(to_hex(file.job_id))
