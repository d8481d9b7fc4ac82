"""`malla oracle` against a real chain: what it sends, what it only simulates, what it says when something is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from oracle.cli import app
from protocol.chain.keystore import write_keystore
from protocol.encoding import keccak
from scripts.testnet.engines import anvil
from tests.integration.chain.market import ORACLES, Market

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def market() -> Iterator[Market]:
    with anvil(block_time=None) as node:
        yield Market(node.url)


@pytest.fixture
def options(market: Market, tmp_path: Path) -> list[str]:
    """Options of the oracle in seat 0."""
    deployment = market.chain.deployment
    fields = {name: getattr(deployment, name) for name in deployment.__dataclass_fields__}
    (tmp_path / "31337.json").write_text(json.dumps(fields))
    (tmp_path / "password").write_text(PASSWORD)
    write_keystore(tmp_path / "key.json", keccak(b"oracle 0"), PASSWORD)
    return ["--rpc-url", market.rpc.url, "--deployment", str(tmp_path / "31337.json"),
            "--keystore", str(tmp_path / "key.json")]


def run(*arguments: str) -> tuple[int, dict[str, object]]:
    result = CliRunner().invoke(app, [*arguments, "--json"])
    return result.exit_code, json.loads(result.stdout) if result.stdout.startswith("{") else {}


def secret(options: list[str]) -> list[str]:
    return ["--password-file", str(Path(options[-1]).parent / "password")]


@pytest.mark.parametrize("command", [("cases",), ("bundle", "1", "0", "--output", "bundle.json")])
def test_command__keystore_without_a_seat__says_so(command: tuple[str, ...], options: list[str]) -> None:
    """A requester's keystore, say, out of the environment."""
    key = Path(options[-1])
    key.unlink()
    write_keystore(key, keccak(b"nobody"), PASSWORD)
    code, value = run(*command, *options)
    error = value["error"]
    assert code != 0 and isinstance(error, dict)
    assert "has no seat" in error["message"] and "--keystore" in error["fix"]


def test_status__member__shows_seat_and_url(options: list[str]) -> None:
    code, value = run("status", *options)
    assert code == 0
    assert (value["is_member"], value["set_version"], value["url"]) == (True, 4, f"http://{ORACLES[0].address}")
    assert str(value["health"]).startswith("no answer")


def test_resign__dry_run__sends_nothing(market: Market, options: list[str]) -> None:
    code, value = run("resign", *options, *secret(options), "--dry-run")
    assert (code, value["sent"], market.chain.set_version()) == (0, False, 4)
    assert int(str(value["gas"])) > 21_000


def test_resign__nobody_to_ask__sends_nothing(market: Market, options: list[str]) -> None:
    code, _ = run("resign", *options, *secret(options))
    assert (code, market.chain.set_version()) == (2, 4)


def test_join__member_with_another_url__publishes_it(market: Market, options: list[str]) -> None:
    code, value = run("join", "--url", "http://127.0.0.1:1/", *options, *secret(options), "--yes")
    assert (code, value["sent"]) == (0, True)
    assert market.chain.oracle(ORACLES[0].address).url == "http://127.0.0.1:1"


def test_join__no_url__is_refused(options: list[str]) -> None:
    code, value = run("join", "--url", "ftp://x", *options, *secret(options), "--yes")
    assert code == 1 and "error" in value


def test_withdraw__still_a_member__says_what_the_contract_says(options: list[str]) -> None:
    code, value = run("withdraw", *options, *secret(options), "--yes")
    assert code == 1
    assert value["error"]["code"] == "chain_refused"  # type: ignore[index]


def test_keystore__broken__names_the_file_and_no_secret(options: list[str]) -> None:
    Path(options[-1]).write_text("{")
    result = CliRunner().invoke(app, ["resign", *options, *secret(options), "--yes"])
    assert result.exit_code == 1
    assert "key.json" in result.stderr and PASSWORD not in result.stderr


def test_draw__unknown_batch__is_not_found(options: list[str]) -> None:
    code, value = run("draw", "99", *options[:4])
    assert (code, value["error"]["code"]) == (1, "not_found")  # type: ignore[index]


def test_draw__no_valid_reveal__everything_and_its_auditors(market: Market, options: list[str]) -> None:
    committed = market.commit([market.open().job])
    market.rpc.request("anvil_mine", [hex(2 * market.chain.epoch_blocks())])
    code, value = run("draw", str(committed.batch_id), *options[:4])
    assert (code, value["seed"], value["drawn"]) == (0, None, [0])
    assert (value["audit_bps"], value["burned"], value["provider"]) == (10_000, "0", market.owner.address)
    assert value["group_seed"] is not None and (value["groups"], value["classes"]) == ({}, {"0": None})
    assert value["auditors"]["0"] in [oracle.address for oracle in ORACLES]  # type: ignore[index]


def test_doctor__no_database__finds_the_settings_and_the_seat(options: list[str]) -> None:
    code, value = run("doctor", *options, *secret(options))
    found = {finding["code"]: finding["severity"] for finding in value["findings"]}  # type: ignore[attr-defined]
    assert (code, found["settings"], found["keystore"], found["chain"]) == (1, "error", "ok", "ok")
    assert found["anchor"] == "error"
