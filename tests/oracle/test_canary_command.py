"""`malla oracle canary`: what is planned, what was found, and that none is placed unless wallets are named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from oracle.cli import app
from oracle.config import Settings
from oracle.edges.fake_requests import FakeRequesting
from oracle.edges.fakes import fake_store
from oracle.records.canaries import CanaryOrder, CanaryState, OwnWallet
from oracle.wiring import console
from protocol.types import Sampler
from tests.oracle.test_config import GOOD


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, FakeRequesting]:
    made = fake_store()[0], FakeRequesting([OwnWallet("w1", "0x" + "77" * 20)])
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(console, "open_canaries", lambda settings: made)
    return made


def call(*arguments: str, status: int = 0) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["canary", *arguments, "--json"])
    assert done.exit_code == status, done.output
    found = json.loads(done.output)
    assert isinstance(found, dict)
    return found


def test_settings__nothing_said__no_canaries() -> None:
    """R104: an oracle places none unless it is told to."""
    usual = Settings.from_env(GOOD)
    assert usual.canary_wallets is None and usual.rules.canary_share_bps == 0
    share = {"MALLA_CANARY_SHARE_BPS": "200"}
    assert Settings.from_env({**GOOD, **share}).rules.canary_share_bps == 0, "no wallets, no canaries"
    told = Settings.from_env({**GOOD, **share, "MALLA_CANARY_WALLETS": "/wallets", "MALLA_CANARY_PERIOD": "3600"})
    assert (told.rules.canary_share_bps, told.rules.canary_period) == (200, 3600)


def test_place__unknown_wallet__is_refused(parts: tuple[Any, FakeRequesting]) -> None:
    assert "no canary wallet" in call("place", "other", status=1)["error"]["message"]
    assert parts[0].canaries() == []


def test_place__a_wallet__is_due_and_shown(parts: tuple[Any, FakeRequesting]) -> None:
    number = call("place", "w1", "--input-tokens", "30", "--max-tokens", "9")["number"]
    (row,) = call("plan")["canaries"]
    assert (row["number"], row["wallet"], row["input_tokens"], row["state"]) == (number, "w1", 30, "PLANNED")


def test_list__one_is_over__says_what_was_found(parts: tuple[Any, FakeRequesting]) -> None:
    (number,) = parts[0].put_canaries([CanaryOrder("w1", 1.0, 3, 8, Sampler("greedy", 0), "one")])
    parts[0].place_canary(number, b"\7" * 32)
    parts[0].end_canary(number, CanaryState.AUDITED, "PASS", "As promised.", {"statistics": {"max_margin": "0.0"}})
    (row,) = call("list")["canaries"]
    assert (row["verdict"], row["reason"], row["statistics"]) == ("PASS", "As promised.", {"max_margin": "0.0"})
    done = CliRunner().invoke(app, ["canary", "list"])
    assert "AUDITED  PASS" in done.output


def test_fund__an_amount__goes_through_the_requesters_program(parts: tuple[Any, FakeRequesting]) -> None:
    assert call("fund", "w1", "2.5")["deposited"] == str(25 * 10**17)
    assert parts[1].deposited == [("w1", 25 * 10**17)]
    assert "error" in call("fund", "w1", "many", status=1)
