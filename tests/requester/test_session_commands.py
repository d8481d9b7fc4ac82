"""`malla request sessions | quote | offers | close`: what they print, as text and as JSON, and how they fail."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from requester import wiring
from requester.cli import app
from requester.cli.terminal import Session
from requester.config import Settings
from tests.requester.fake_session_chain import CLAIM_DELAY
from tests.requester.sessions_world import CallWorld


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CallWorld:
    made = CallWorld(tmp_path)
    settings = Settings("http://rpc", tmp_path, tmp_path, tmp_path, tmp_path)
    monkeypatch.setattr(Session, "settings", lambda self: settings)
    monkeypatch.setattr(wiring, "build_desk", lambda settings, limits, progress=None: made.restart())
    monkeypatch.setattr(wiring, "read_sessions", lambda settings: made.store.sessions())
    monkeypatch.setattr(wiring, "build_models", lambda cache: made.desk.market.models)
    return made


def malla(*words: str) -> Result:
    return CliRunner().invoke(app, ["request", *words])


def out(*words: str) -> dict[str, Any]:
    return json.loads(malla(*words, "--json").stdout)


def test_sessions__none__says_so(world: CallWorld) -> None:
    assert malla("sessions").stdout == "No sessions yet.\n"


def test_sessions__one_in_use__shows_what_is_reserved_owed_and_signed(world: CallWorld) -> None:
    world.call()
    (row,) = out("sessions")["sessions"]
    assert (row["state"], row["calls"], row["provider"]) == ("OPEN", 1, world.providers[0].address)
    assert int(row["owed"]) == int(row["signed"]) == (6 + 4 * 3) * 10**14
    assert int(row["left"]) == int(row["cap"]) - int(row["owed"])
    assert "1 calls, 0.0018 of 0.076 MALLA" in malla("sessions").stdout


def test_quote__signed_by_each_provider_that_fits__cheapest_first(world: CallWorld) -> None:
    found = out("quote", "Hello?", "--max-tokens", "8")
    assert [quote["provider"] for quote in found["quotes"]] == [p.address for p in world.providers]
    assert found["quotes"][0]["most"] == str((6 + 4 * 8) * 10**14)
    assert [one["share"] for one in found["choice"]["fits"]] == [0.8, 0.2]
    assert world.chain.calls == [], "nothing is reserved"


def test_quote__nobody_fits__says_which_filter_took_how_many(world: CallWorld) -> None:
    done = malla("quote", "Hello?", "--filter", "region=JP")
    assert done.exit_code == 5
    assert "None of 2 offers fits the call: 2 do not fit 'region=JP'." in done.stdout


def test_quote__provider_that_lies__is_named(world: CallWorld) -> None:
    world.providers[0].mode = "bad_quote"
    found = out("quote", "Hello?", "--max-tokens", "8")
    assert len(found["quotes"]) == 1
    assert world.providers[0].address in found["failures"][0]


def test_offers__filter__shows_those_that_fit_with_their_claims(world: CallWorld) -> None:
    found = out("offers", "region in [EU] vram>=24")
    (row,) = found["offers"]
    assert (row["provider"], row["region"], row["vram_mib"]) == (world.providers[0].address, "EU", 24 * 1024)
    assert found["removed"] == [{"filter": "region in [EU]", "count": 1}]
    assert "1 of 2 offers fit: 1 do not fit 'region in [EU]'." in malla("offers", "region in [EU]").stdout


def test_offers__unknown_field__is_an_error_with_its_place(world: CallWorld) -> None:
    done = malla("offers", "gpu=A100", "--json")
    said = json.loads(done.stdout)["error"]
    assert done.exit_code == 1
    assert said["code"] == "filter_invalid"
    assert "character 1" in said["message"] and "vram" in said["fix"]


def test_close__nothing_named__is_refused(world: CallWorld) -> None:
    assert malla("close").exit_code == 1
    assert malla("close", "0x12", "--all").exit_code == 1
    assert malla("close", "0x" + "12" * 32).exit_code == 1


def test_close__all__begins_and_later_returns_the_rest(world: CallWorld) -> None:
    world.call()
    (row,) = out("close", "--all")["sessions"]
    assert (row["was"], row["state"]) == ("OPEN", "CLOSING")
    (row,) = out("close", "--all")["sessions"]
    assert row["state"] == "CLOSING", "the claim delay is not over"
    world.pause(CLAIM_DELAY)
    done = malla("close", "--all").stdout
    assert "CLOSED" in done and "MALLA returned" in done
    assert malla("close", "--all").stdout == "No session to close.\n"


def test_close__used_by_a_gateway__is_left_alone(world: CallWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.call()
    gateway = world.store
    monkeypatch.setattr(wiring, "build_desk", lambda settings, limits, progress=None: world.start())
    assert malla("close", "--all").stdout == "No session to close.\n"
    assert gateway.sessions()[0].phase == "OPEN"
