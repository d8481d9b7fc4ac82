"""Settings: options over environment over the testnet of the clone; what is missing is named with its option."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from protocol.errors import ConfigInvalid
from requester.config import Settings, find_deployment, local_testnet, with_options

FULL = {
    "MALLA_RPC_URL": "http://a", "MALLA_DEPLOYMENT": "d.json", "MALLA_KEYSTORE": "k.json", "MALLA_PASSWORD_FILE": "p",
}  # fmt: skip


def settings(folder: Path, **changes: str) -> Settings:
    return Settings.from_env({**FULL, **changes}, testnet=folder)


@pytest.mark.parametrize(("name", "option"), [
    ("MALLA_RPC_URL", "--rpc-url"), ("MALLA_KEYSTORE", "--keystore"), ("MALLA_PASSWORD_FILE", "--password-file"),
])  # fmt: skip
def test_from_env__missing__names_variable_option_and_testnet(tmp_path: Path, name: str, option: str) -> None:
    with pytest.raises(ConfigInvalid, match=name) as caught:
        settings(tmp_path, **{name: ""})
    assert option in caught.value.fix and "malla testnet up" in caught.value.fix


@pytest.mark.parametrize(("name", "value"), [
    ("MALLA_CONFIRMATIONS", "-1"), ("MALLA_CONFIRMATIONS", "two"), ("MALLA_DEPOSIT_JOBS", "0"),
    ("MALLA_KEEP_ANSWERS", "-1"), ("MALLA_KEEP_ANSWERS", "30d"),
])  # fmt: skip
def test_from_env__no_whole_number__is_refused(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(ConfigInvalid, match=name):
        settings(tmp_path, **{name: value})


def test_find_deployment__none__says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="No deployment") as caught:
        find_deployment({}, tmp_path)
    assert "malla testnet up" in caught.value.fix


def test_from_env__set__is_taken(tmp_path: Path) -> None:
    found = settings(tmp_path, MALLA_HOME="h", MALLA_CONFIRMATIONS="5")
    assert (found.rpc_url, found.deployment, found.home) == ("http://a", Path("d.json"), Path("h"))
    assert (found.confirmations, found.deposit_jobs, found.keep_days) == (5, 10, 30)
    assert settings(tmp_path, **with_options({}, keep_answers=0)).keep_days == 0


def test_with_options__given__go_over_the_environment() -> None:
    env = with_options(FULL, rpc_url="http://b", keystore=None)
    assert (env["MALLA_RPC_URL"], env["MALLA_KEYSTORE"]) == ("http://b", "k.json")


def write_state(folder: Path) -> None:
    requester = {"keystore": "/net/r/key.json", "password_file": "/net/r/password"}
    state = {"rpc_url": "http://testnet", "deployment": "/net/31337.json", "requesters": {"requester-1": requester}}
    (folder / "state.json").write_text(json.dumps(state))


def test_from_env__nothing_set_and_a_testnet__uses_its_first_requester(tmp_path: Path) -> None:
    write_state(tmp_path)
    found = Settings.from_env({}, testnet=tmp_path)
    assert (found.rpc_url, found.keystore) == ("http://testnet", Path("/net/r/key.json"))
    assert (found.deployment, found.home) == (Path("/net/31337.json"), Path("/net/r/home"))


def test_from_env__set_beside_a_testnet__wins(tmp_path: Path) -> None:
    write_state(tmp_path)
    assert settings(tmp_path).rpc_url == "http://a"


@pytest.mark.parametrize("state", ["", "[]", "{}", {"requesters": {}}, {"requesters": 3}])
def test_local_testnet__state_that_cannot_be_read__is_as_if_none_ran(tmp_path: Path, state: Any) -> None:
    (tmp_path / "state.json").write_text(state if isinstance(state, str) else json.dumps(state))
    assert local_testnet(tmp_path) == {}


def test_find_deployment__several__takes_the_newest(tmp_path: Path) -> None:
    for place, name in enumerate(("1.json", "2.json", "3.json")):
        (tmp_path / name).write_text("{}")
        os.utime(tmp_path / name, (place if name != "2.json" else 9, place if name != "2.json" else 9))
    assert find_deployment({}, tmp_path).name == "2.json"
