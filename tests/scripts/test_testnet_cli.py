"""The testnet's command line where nothing runs: plain errors, exit statuses, JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import scripts.testnet as testnet

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(testnet, "FOLDER", tmp_path / "testnet")
    monkeypatch.setattr(testnet, "ROOT", tmp_path)
    return tmp_path / "testnet"


def test_status__nothing_runs__says_so_with_status_3() -> None:
    plain = RUNNER.invoke(testnet.app, ["status"])
    assert (plain.exit_code, plain.output) == (3, "No testnet is up. Start one with `malla testnet up`.\n")
    found = RUNNER.invoke(testnet.app, ["status", "--json"])
    assert found.exit_code == 3
    assert json.loads(found.output)["running"] is False


def test_down__nothing_runs__is_no_error() -> None:
    assert RUNNER.invoke(testnet.app, ["down"]).output == "No testnet was up.\n"
    assert json.loads(RUNNER.invoke(testnet.app, ["down", "--json"]).output) == {"was_up": False}


def test_reset__without_a_terminal_and_without_yes__deletes_nothing(folder: Path) -> None:
    kept = folder / "network.json"
    kept.parent.mkdir()
    kept.write_text("{}")
    refused = RUNNER.invoke(testnet.app, ["reset", "--json"])
    assert refused.exit_code == 2
    assert json.loads(refused.output)["error"]["fix"] == "Add --yes to say that you mean it."
    assert kept.exists()


def test_reset__yes__deletes_folder_and_addresses(folder: Path, tmp_path: Path) -> None:
    addresses = tmp_path / "deployments" / "31337.json"
    for path in (folder / "network.json", addresses):
        path.parent.mkdir(parents=True)
        path.write_text("{}")
    assert RUNNER.invoke(testnet.app, ["reset", "--yes"]).exit_code == 0
    assert not folder.exists() and not addresses.exists()


def test_logs__unknown_process__names_the_logs_that_there_are(folder: Path) -> None:
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "anvil.log").write_text("\n".join(str(i) for i in range(100)))
    refused = RUNNER.invoke(testnet.app, ["logs", "anvill"])
    assert refused.exit_code == 1
    assert "There is no log of 'anvill'" in refused.output and "anvil" in refused.output
    assert RUNNER.invoke(testnet.app, ["logs"]).output == "anvil\n"
    assert RUNNER.invoke(testnet.app, ["logs", "anvil", "-n", "2"]).output == "98\n99\n"
