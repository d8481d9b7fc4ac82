"""The provider's commands on a real chain: what they refuse, what a dry run says, what they change."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from protocol.chain.keystore import keystore_address, open_keystore
from protocol.signing import Signer
from protocol.units import TOKEN
from provider.cli import app
from provider.cli.options import Place
from provider.edges.offer_files import OfferFiles
from tests.integration.provider.world import World

PASSWORD = "a long one"


class Shell:
    """`malla provider …` in a home folder of its own, whose owner has tokens and gas."""

    def __init__(self, world: World, home: Path) -> None:
        self.world, self.home = world, home
        self.password_file = home.parent / "password"
        self.password_file.write_text(PASSWORD)
        self.database_url = world.settings.database_url

    def run(self, *words: str, status: int = 0, json_out: bool = True) -> Any:
        places = {"MALLA_HOME": str(self.home), "MALLA_RPC_URL": self.world.settings.rpc_url, "MALLA_MODEL": "",
                  "MALLA_DEPLOYMENT": str(self.world.settings.deployment),
                  "MALLA_PASSWORD_FILE": str(self.password_file),
                  "MALLA_DATABASE_URL": self.database_url, "MALLA_BROKER_URL": self.world.settings.broker_url}
        done = CliRunner().invoke(app, [*words, *(["--json"] if json_out else [])], env=places, catch_exceptions=False)
        assert done.exit_code == status, (done.exit_code, done.output)
        assert PASSWORD not in done.output
        return json.loads(done.stdout.splitlines()[-1]) if json_out and done.stdout.strip() else done.output

    def stake_of(self) -> int:
        return self.world.market.chain.provider(keystore_address(Place(self.home).owner_keystore)).active


@pytest.fixture
def shell(world: World, tmp_path: Path) -> Shell:
    shell = Shell(world, tmp_path / "home")
    made = shell.run("init")
    world.market.fund(made["owner"])
    world.market.fund(made["node_key"])
    return shell


def test_stake__not_registered_or_more_than_there_is__refused_with_figures(shell: Shell) -> None:
    assert shell.run("stake", "5", "--yes", status=1)["error"]["fix"] == "Run: malla provider register"
    shell.run("register", "--yes")
    said = shell.run("stake", "10001", "--yes", status=1)
    assert "has 10000 tokens, asked were 10001" in said["error"]["message"]
    assert said["error"]["fix"] and shell.stake_of() == 0


@pytest.mark.parametrize("amount", ["-1", "1e3", "ten", "0.0000000000000000001", ""])
def test_stake__no_amount__refused_naming_the_form(shell: Shell, amount: str) -> None:
    said = shell.run("stake", "--yes", "--", amount, status=1, json_out=False)
    assert "is not an amount of tokens" in said


def test_stake__nobody_to_ask__usage_error_and_nothing_sent(shell: Shell) -> None:
    shell.run("register", "--yes")
    assert "add --yes" in shell.run("stake", "5", status=2, json_out=False)
    assert shell.stake_of() == 0


def test_stake__wrong_password__refused_without_showing_anything(shell: Shell) -> None:
    shell.password_file.write_text("wrong")
    assert "does not open" in shell.run("stake", "5", "--yes", status=1)["error"]["message"]


def test_stake__dry_run__says_what_changes_and_changes_nothing(shell: Shell) -> None:
    shell.run("register", "--yes")
    said = shell.run("stake", "250.5", "--dry-run")
    assert said["sent"] is False and said["gas"] > 21_000 and "tx" not in said
    assert said["changes"][0] == {"what": "active stake, tokens", "before": "0", "after": "250.5"}
    assert shell.stake_of() == 0


def test_register_twice__refused_naming_the_key(shell: Shell) -> None:
    assert shell.run("register", "--yes")["sent"] is True
    assert "registered with the node key" in shell.run("register", "--yes", status=1)["error"]["message"]


def test_withdraw__nothing_unstaking__refused(shell: Shell) -> None:
    assert "No unstaking" in shell.run("withdraw", "--yes", status=1)["error"]["message"]
    assert "no free balance" in shell.run("withdraw", "--earnings", "--yes", status=1)["error"]["message"]


def test_owner__register_stake_unstake_withdraw__the_whole_way(shell: Shell) -> None:
    chain = shell.world.market.chain
    owner = keystore_address(Place(shell.home).owner_keystore)
    shell.run("register", "--yes")
    node_key = Signer(open_keystore(Place(shell.home).node_keystore, PASSWORD)).address
    assert chain.provider_of(node_key) == owner
    assert shell.run("stake", "300", "--yes")["gas_used"] > 0
    assert shell.stake_of() == 300 * TOKEN
    shell.run("unstake", "100", "--yes")
    assert (shell.stake_of(), chain.provider(owner).unstaking) == (200 * TOKEN, 100 * TOKEN)
    assert "can be withdrawn in" in shell.run("withdraw", "--yes", status=1)["error"]["fix"]
    shell.world.market.rpc.request("evm_increaseTime", [chain.unstake_delay()])
    shell.world.mine(1)
    shell.run("withdraw", "--yes")
    assert chain.token_balance(owner) == (10_000 - 200) * TOKEN


def test_offer_set__price_that_is_no_whole_wei__refused(shell: Shell) -> None:
    said = shell.run("offer", "set", "--input-price", "0.0000000000001", "--output-price", "1", "--yes", status=1)
    assert "no whole number of wei per token" in said["error"]["message"]


def test_offer_set__unknown_model__refused_naming_the_known(shell: Shell) -> None:
    said = shell.run("offer", "set", "--input-price", "1", "--output-price", "1", "--model", "GPT-9", status=1)
    assert said["error"]["code"] == "unknown_model" and "SmolLM2" in said["error"]["fix"]


def test_offer__set_list_remove__signed_published_revoked(shell: Shell) -> None:
    words = ("offer", "set", "--input-price", "1000", "--output-price", "4000")
    assert shell.run(*words, "--dry-run")["signed"] is False
    assert shell.run("offer", "list")["offers"] == []
    made = shell.run(*words, "--yes")
    assert set(made["oracles"].values()) == {None} and made["input_price_wei"] == str(TOKEN // 1000)
    assert [len(oracle.offers) for oracle in shell.world.oracles] == [1, 1, 1, 1]
    assert [one["state"] for one in shell.run("offer", "list")["offers"]] == ["standing"]
    shell.run("register", "--yes")
    nonce = str(made["nonce"])
    assert shell.run("offer", "remove", nonce, "--dry-run")["sent"] is False
    shell.run("offer", "remove", nonce, "--yes")
    owner = keystore_address(Place(shell.home).owner_keystore)
    assert shell.world.market.chain.is_offer_revoked(owner, made["nonce"])
    assert shell.run("offer", "list")["offers"] == []


def test_offer_remove__an_older_one_stands__both_are_revoked_and_told(shell: Shell) -> None:
    """The chain revokes by number: whoever revokes an offer revokes everything older."""
    shell.run("register", "--yes")
    newer = shell.run("offer", "set", "--input-price", "1000", "--output-price", "4000", "--yes")["nonce"]
    files, older = OfferFiles(shell.home), newer - 1
    signed = files.find(newer)
    files.write(replace(signed, offer=replace(signed.offer, nonce=older)))
    plan = shell.run("offer", "remove", str(newer), "--dry-run")
    assert [change["what"] for change in plan["changes"]] == [f"offer {older}", f"offer {newer}"]
    shell.run("offer", "remove", str(newer), "--yes")
    assert shell.run("offer", "list")["offers"] == []
    owner = keystore_address(Place(shell.home).owner_keystore)
    assert shell.world.market.chain.is_offer_revoked(owner, older)


def test_status_jobs_earnings__fresh_provider__nothing_yet(shell: Shell) -> None:
    said = shell.run("status")
    assert (said["active_stake_wei"], said["node_key"], said["node"]["ready"]) == ("0", None, False)
    assert shell.run("jobs") == {"jobs": []}
    assert shell.run("earnings")["payout_wei"] == "0"
    assert "There are no jobs yet" in shell.run("jobs", json_out=False)


def test_doctor__fresh_provider__names_what_is_missing_and_exits_1(shell: Shell) -> None:
    said = shell.run("doctor", status=1)
    found = {finding["code"]: finding["severity"] for finding in said["findings"]}
    assert (found["REGISTERED"], found["STAKE"], found["OFFERS"]) == ("error", "error", "warning")
    assert (found["CHAIN"], found["DATABASE"], found["BROKER"], found["MODEL"]) == ("ok",) * 4
    assert "malla provider register" in shell.run("doctor", status=1, json_out=False)


def test_doctor__nothing_reachable__still_answers_without_a_secret(shell: Shell) -> None:
    shell.database_url = "postgresql+psycopg://user:hidden@127.0.0.1:1/none"
    said = shell.run("doctor", "--rpc-url", "http://127.0.0.1:1", "--broker-url", "redis://:hidden@127.0.0.1:1/0",
                     status=1)
    found = {finding["code"]: finding["severity"] for finding in said["findings"]}
    assert (found["CHAIN"], found["DATABASE"], found["BROKER"]) == ("error",) * 3
    assert "hidden" not in json.dumps(said)
