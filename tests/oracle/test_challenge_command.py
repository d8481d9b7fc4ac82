"""`malla oracle challenge`: each oracle's word, and nothing that a stranger wrote steers the terminal."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from oracle.cli import app
from oracle.cli.options import Place
from oracle.wiring.console import ask_challenge

PROVIDER = "0x00000000000000000000000000000000000A11cE"
DEVICE = {"device": 0, "claim": {"uuid": "GPU-1", "name": "Test \x1b[31mA100", "driver": "570", "memory_bytes": 1,
                                 "int8_ops": 2 * 10**12},
          "result": "failed", "reason": "late: 25 s", "products": 4, "measured_int8_ops": 10**12,
          "signs": ["duplicate"]}
FAILED = {"result": "failed", "window": 100, "at": 1, "devices": [DEVICE]}


def answering(monkeypatch: pytest.MonkeyPatch, answers: dict[str, Any]) -> None:
    def get(url: str, **_: Any) -> httpx.Response:
        answer = answers[url.split("//")[1].split("/")[0]]
        if answer is None:
            raise httpx.ConnectError("away")
        return httpx.Response(200, json=answer)

    monkeypatch.setattr(httpx, "get", get)
    chain = SimpleNamespace(set_version=lambda: 1, members=lambda version: tuple(answers),
                            oracle=lambda address: SimpleNamespace(url=f"http://{address}"))
    monkeypatch.setattr(Place, "chain", lambda self: chain)


@pytest.mark.parametrize("answer", [
    [], {}, {"challenge": None}, {"challenge": {"result": "great", "devices": []}}, {"challenge": {"result": "none"}},
    {"challenge": {"result": "failed", "devices": [{}]}},
    {"challenge": {"result": "failed", "devices": [{**DEVICE, "claim": {"int8_ops": 1}}]}},
])
def test_ask__answer_in_another_form__is_an_error_of_that_oracle(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    answering(monkeypatch, {"a": answer})
    assert "error" in ask_challenge("http://a", PROVIDER)


def test_command__address_that_is_none__says_so() -> None:
    result = CliRunner().invoke(app, ["challenge", "0x1", "--json"])
    assert result.exit_code == 1 and "PROVIDER" in json.loads(result.stdout)["error"]["message"]


def test_command__three_oracles__says_what_each_has(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = {"challenge": {"result": "none", "devices": []}}
    answering(monkeypatch, {"a": {"challenge": FAILED}, "b": nothing, "c": None})
    said = CliRunner().invoke(app, ["challenge", PROVIDER])
    assert said.exit_code == 0 and "\x1b" not in said.stdout
    for line in ("a: failed, window 100", "1e+12 of 2e+12 int8", "late: 25 s", "duplicate", "b: none", "c: no answer"):
        assert line in said.stdout
    value = json.loads(CliRunner().invoke(app, ["challenge", PROVIDER, "--json"]).stdout)
    assert value["oracles"]["a"] == FAILED
