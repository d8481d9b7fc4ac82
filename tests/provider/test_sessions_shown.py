"""`malla provider sessions` and `earnings`: what is said of sessions, and how."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from protocol.units import TOKEN, Wei
from provider.cli import app
from provider.records.figures import Earnings

URL = "postgresql+psycopg://nobody@127.0.0.1:9/none"
ROW: dict[str, object] = {
    "id": "0x" + "ab" * 32, "requester": "0x" + "1" * 40, "state": "OPEN", "cap_wei": str(2 * TOKEN),
    "owed_wei": str(TOKEN), "signed_wei": str(TOKEN), "committed_wei": "0", "earned_wei": "0", "held_wei": "0",
    "calls": 3, "committed_calls": 0, "running": 1, "tokens": 40, "opened_at": 1, "ends_at": 2, "offer": "0x",
}


def run(*words: str) -> Any:
    return CliRunner().invoke(app, list(words), env={"MALLA_DATABASE_URL": ""}, catch_exceptions=False)


def test_sessions__no_database_named__one_sentence_and_status_1() -> None:
    done = run("sessions", "--json")
    assert (done.exit_code, json.loads(done.output)["error"]["code"]) == (1, "config_invalid")


def test_sessions__some__a_row_each_and_the_same_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provider.wiring.console.read_sessions", lambda url, limit: [ROW])
    assert json.loads(run("sessions", "--json", "--database-url", URL).output) == {"sessions": [ROW]}
    shown = run("sessions", "--database-url", URL).output
    assert str(ROW["id"])[:18] in shown and "OPEN" in shown and "signed" in shown


def test_sessions__none_yet__said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provider.wiring.console.read_sessions", lambda url, limit: [])
    assert "There are no sessions yet." in run("sessions", "--database-url", URL).output


def test_earnings__vouchers__counted_and_what_is_signed_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Earnings(Wei(TOKEN), Wei(0), Wei(0), Wei(0), 1, 2, 0, 3, Wei(TOKEN // 2))
    monkeypatch.setattr("provider.wiring.console.read_earnings", lambda url: found)
    assert "2 jobs and 3 vouchers" in run("earnings", "--database-url", URL).output
    said = json.loads(run("earnings", "--json", "--database-url", URL).output)
    assert (said["vouchers_paid"], said["unclaimed_wei"]) == (3, str(TOKEN // 2))
