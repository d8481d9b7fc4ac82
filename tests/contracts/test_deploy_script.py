from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from brownie import accounts, chain, web3

from protocol.units import TOKEN
from scripts.plan import GENESIS_SUPPLY, GRANTS
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
    return module


def record_of(script: Any) -> dict[str, Any]:
    return json.loads((script.DEPLOYMENTS / "31337.json").read_text())


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
    for name in ("token", "committee", "staking", "escrow"):
        code = bytes(web3.eth.get_code(record[name]))
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
    token = script.MallaToken.at(record_of(script)["token"])
    for role, name in PARTIES:
        address = person(name).address
        assert token.balanceOf(address) == GRANTS[role].tokens
        assert web3.eth.get_balance(address) == GRANTS[role].gas
    given = sum(GRANTS[role].tokens for role, _ in PARTIES)
    assert token.balanceOf(accounts[0]) == GENESIS_SUPPLY - given == token.totalSupply() - given


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
    token = script.MallaToken.at(record["token"])
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


def test_deploy__elsewhere_without_a_deployer__is_refused(
    script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "chain", type("Elsewhere", (), {"id": 1})())
    with pytest.raises(script.DeploymentRefused, match="MALLA_DEPLOYER is not set"):
        script.main()
