from __future__ import annotations

import dataclasses
import functools
import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from brownie import ZERO_ADDRESS, accounts, chain, project, web3

from protocol.units import TOKEN
from scripts.grants import GRANTS
from scripts.plan import GENESIS_SUPPLY, KEYS, PARTS
from tests.contracts.market import Market
from tests.contracts.nouns import person

PARTIES = [("oracle", "party o"), ("provider", "party p"), ("requester", "party r"), ("oracle", "party q")]


@pytest.fixture
def script(market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`scripts/deploy.py` with its files in a temporary folder and four parties; the chain is put back afterwards."""
    module = importlib.import_module("scripts.deploy")
    listed = [{"role": role, "address": person(name).address} for role, name in PARTIES]
    (tmp_path / "parties.json").write_text(json.dumps(listed))
    monkeypatch.setattr(module, "DEPLOYMENTS", tmp_path / "deployments")
    monkeypatch.setenv("MALLA_DEPLOYMENTS", str(tmp_path / "deployments"))
    monkeypatch.setenv("MALLA_PARTIES", str(tmp_path / "parties.json"))
    monkeypatch.delenv("MALLA_GUARDIAN", raising=False)
    return module


@pytest.fixture
def elsewhere(script: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script on a chain that is not the local one, with everything named that must be."""
    monkeypatch.setattr(script, "chain", type("Elsewhere", (), {"id": 1})())
    monkeypatch.setattr(script.accounts, "load", lambda name: accounts[6], raising=False)
    monkeypatch.setenv("MALLA_DEPLOYER", "deployer")
    monkeypatch.setenv("MALLA_TREASURY", str(accounts[7]))
    monkeypatch.setenv("MALLA_GUARDIAN", str(accounts[8]))
    return script


def record_of(script: Any) -> dict[str, Any]:
    return json.loads((script.DEPLOYMENTS / "31337.json").read_text())


def token_of(script: Any) -> Any:
    return project.get_loaded_projects()[0].MallaToken.at(record_of(script)["token"])


def test_deploy__with_a_malformed_list_of_parties__is_refused(script: Any, tmp_path: Path) -> None:
    (tmp_path / "parties.json").write_text('[{"role": "king", "address": "0x0"}]')
    with pytest.raises(ValueError, match="Party 0 is"):
        script.main()
    assert not script.DEPLOYMENTS.exists()


def test_deploy__on_an_empty_chain__writes_addresses_hashes_and_parameters(script: Any) -> None:
    before = web3.eth.block_number
    script.main()
    record = record_of(script)
    assert (record["chain_id"], record["block"]) == (31337, before)
    places = {key: record[key] for key in KEYS.values()} | record["parts"]
    assert set(places) == set(record["code_hashes"]) == set(record["builds"]) == {*KEYS.values(), *PARTS}
    for name, address in places.items():
        code = bytes(web3.eth.get_code(address))
        assert record["code_hashes"][name] == "0x" + bytes(web3.keccak(code)).hex() and len(code) > 1_000
    assert record["seats"] == [person("party o").address, person("party q").address]
    assert record["parameters"]["audit_bps"] == 10_000


def test_deploy__on_brownies_development_chain__leaves_a_networks_addresses_alone(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MALLA_DEPLOYMENTS")
    script.main()
    assert not script.DEPLOYMENTS.exists()
    assert (tmp_path / "build" / "development" / "31337.json").is_file()


def test_deploy__on_the_local_chain__funds_the_parties_from_the_genesis_supply(script: Any) -> None:
    script.main()
    token = token_of(script)
    for role, name in PARTIES:
        address = person(name).address
        assert token.balanceOf(address) == GRANTS[role].tokens
        assert web3.eth.get_balance(address) == GRANTS[role].gas
    given = sum(GRANTS[role].tokens for role, _ in PARTIES)
    assert token.balanceOf(accounts[0]) == GENESIS_SUPPLY - given == token.totalSupply() - given


def test_deploy__of_a_plan_that_a_constructor_refuses__says_which(
    script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R23: such as an unstake delay below the longest way, which only the escrow can see."""
    short = functools.partial(with_delay, script.plan, 60)
    monkeypatch.setattr(script, "plan", short)
    with pytest.raises(script.DeploymentRefused, match="JobEscrow is not deployed"):
        script.main()
    assert not script.DEPLOYMENTS.exists()


def with_delay(plan: Any, seconds: int, *arguments: Any) -> Any:
    return dataclasses.replace(plan(*arguments), unstake_delay=seconds)


def test_deploy__when_another_transaction_comes_between__is_refused(
    elsewhere: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shifted = elsewhere.predicted_addresses
    monkeypatch.setattr(elsewhere, "predicted_addresses", lambda deployer, nonce: shifted(deployer, nonce + 1))
    with pytest.raises(elsewhere.DeploymentRefused, match=r"MallaToken lies at 0x\w+, not at 0x\w+"):
        elsewhere.main()


def test_deploy__twice__changes_nothing(script: Any, capsys: pytest.CaptureFixture[str]) -> None:
    script.main()
    record, block, nonce = record_of(script), web3.eth.block_number, accounts[0].nonce
    script.main()
    assert "Already deployed" in capsys.readouterr().out
    assert (record_of(script), web3.eth.block_number, accounts[0].nonce) == (record, block, nonce)


def test_deploy__with_a_new_party__funds_that_one_only(script: Any, tmp_path: Path) -> None:
    script.main()
    record = record_of(script)
    listed = json.loads((tmp_path / "parties.json").read_text())
    newcomer = person("newcomer")
    (tmp_path / "parties.json").write_text(
        json.dumps([*listed, {"role": "requester", "address": newcomer.address}])
    )
    script.main()
    assert record_of(script)["funded"] == [*record["funded"], newcomer.address]
    token = token_of(script)
    assert token.balanceOf(newcomer.address) == GRANTS["requester"].tokens
    assert token.balanceOf(person("party p").address) == GRANTS["provider"].tokens == 10_000 * TOKEN


def test_deploy__after_the_local_chain_was_replaced__deploys_again(script: Any) -> None:
    script.main()
    first = record_of(script)
    first["code_hashes"]["escrow"] = "0x" + "00" * 32
    (script.DEPLOYMENTS / "31337.json").write_text(json.dumps(first))
    script.main()
    assert record_of(script)["escrow"] != first["escrow"]


def test_deploy__elsewhere_over_other_code__is_refused(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    script.main()
    record = record_of(script)
    record["builds"]["escrow"] = "0x" + "00" * 32
    (script.DEPLOYMENTS / "1.json").write_text(json.dumps(record))
    monkeypatch.setattr(script, "chain", type("Elsewhere", (), {"id": 1})())
    with pytest.raises(script.DeploymentRefused, match=r"1\.json names contracts whose code"):
        script.main()
    assert chain.id == 31337


@pytest.mark.parametrize("variable", ["MALLA_DEPLOYER", "MALLA_TREASURY", "MALLA_GUARDIAN"])
def test_deploy__elsewhere_without_a_name__is_refused(
    elsewhere: Any, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Nothing that gives power has a default away from the local chain."""
    monkeypatch.delenv(variable)
    with pytest.raises(elsewhere.DeploymentRefused, match=f"{variable} is not set"):
        elsewhere.main()


@pytest.mark.parametrize(
    ("variable", "word", "message"),
    [
        ("MALLA_TREASURY", "none", "MALLA_TREASURY is 'none', which is no address"),
        ("MALLA_GUARDIAN", "0x12", "MALLA_GUARDIAN is '0x12', which is no address"),
    ],
)
def test_deploy__with_a_word_that_is_no_address__is_refused(
    elsewhere: Any, monkeypatch: pytest.MonkeyPatch, variable: str, word: str, message: str
) -> None:
    monkeypatch.setenv(variable, word)
    with pytest.raises(elsewhere.DeploymentRefused, match=message):
        elsewhere.main()


def test_deploy__with_the_deployer_as_guardian__is_refused(
    script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R69: the key that deploys keeps no power."""
    monkeypatch.setenv("MALLA_GUARDIAN", str(accounts[0]))
    with pytest.raises(script.DeploymentRefused, match="the account that deploys"):
        script.main()


def test_deploy__elsewhere__gives_treasury_and_guardian_what_they_are_named_for(elsewhere: Any) -> None:
    elsewhere.main()
    record = json.loads((elsewhere.DEPLOYMENTS / "1.json").read_text())
    ours = project.get_loaded_projects()[0]
    token = ours.MallaToken.at(record["token"])
    assert token.balanceOf(accounts[7]) == GENESIS_SUPPLY == token.totalSupply()
    assert ours.Staking.at(record["staking"]).guardian() == accounts[8] == record["guardian"]
    assert record["funded"] == []


def test_deploy__with_no_guardian__leaves_the_pause_to_votes(
    script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MALLA_GUARDIAN", "none")
    script.main()
    ours = project.get_loaded_projects()[0]
    assert ours.Staking.at(record_of(script)["staking"]).guardian() == ZERO_ADDRESS
