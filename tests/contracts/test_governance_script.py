from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from brownie import accounts, chain, project, web3

from protocol.units import TOKEN
from scripts.plan import KEYS
from scripts.proposals import PROPOSAL_CREATED, read_proposal
from tests.contracts.chamber import ACTIVE, PENDING, QUEUED, SUCCEEDED, pass_until
from tests.contracts.expect import now
from tests.contracts.market import Market

GUARDIAN = "0x00000000000000000000000000000000000000A1"


class Console:
    """`scripts/governance.py` over a deployment of its own in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.script = importlib.import_module("scripts.governance")
        self.file = folder / "31337.json"

    def run(self, *words: str) -> None:
        self.script.main(*words)

    def contract(self, name: str) -> Any:
        ours, address = project.get_loaded_projects()[0], json.loads(self.file.read_text())[KEYS[name]]
        return ours.interface.IJobEscrow(address) if name == "JobEscrow" else ours[name].at(address)

    def states(self) -> list[int]:
        """Of every proposal that there is, in their order."""
        governor = self.contract("MallaGovernor")
        logs = web3.eth.get_logs(
            {"address": str(governor), "fromBlock": 0, "topics": ["0x" + PROPOSAL_CREATED.hex()]}
        )
        return [int(governor.state(read_proposal(bytes(log["data"])).id)) for log in logs]


@pytest.fixture
def console(market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Console:
    monkeypatch.setenv("MALLA_DEPLOYMENTS", str(tmp_path))
    monkeypatch.delenv("MALLA_PARTIES", raising=False)
    return Console(tmp_path)


@pytest.fixture
def running(console: Console, monkeypatch: pytest.MonkeyPatch) -> Console:
    """As on a network that runs: it is deployed already, and the script may not move its time."""
    importlib.import_module("scripts.deploy").main()
    monkeypatch.setattr(console.script, "_is_development", lambda: False)
    monkeypatch.setattr(console.script, "_pass_second", lambda: pass_until(now() + 1))
    return console


def test_run__without_words__says_what_can_be_changed(
    console: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    console.run()
    shown = capsys.readouterr().out
    assert "main <contract> <parameter> <value>" in shown
    assert all(word in shown for word in ("feeBps", "unstakeDelay", "betaBps", "rulingWindow", "votingPeriod"))
    assert not console.file.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("escrow", "feeBps"), "Three words are needed, not 2"),
        (("token", "cap", "1"), "There is no governed contract 'token'"),
        (("escrow", "fee", "1"), "The escrow has no parameter 'fee'"),
        (("escrow", "feeBps", "high"), "feeBps is a whole number"),
        (("escrow", "feeBps", "2001"), "would refuse it after the vote: ParameterOutOfBounds: feeBps, 2001, 0, 2000"),
        (("timelock", "minDelay", "60"), "would refuse it after the vote: ParameterOutOfBounds: minDelay, 60"),
    ],
)
def test_run__of_what_cannot_be__says_why_in_a_sentence(
    console: Console, words: tuple[str, ...], message: str
) -> None:
    """R68: bounds are asked of the contract before anybody votes."""
    with pytest.raises(SystemExit, match=message):
        console.run(*words)


def test_run__on_brownies_own_chain__does_everything_at_once(
    console: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    """R65: deploys, delegates, proposes, votes, queues and executes."""
    console.run("escrow", "feeBps", "400")
    assert console.contract("JobEscrow").parameters()[1] == 400
    assert "Done: escrow.feeBps is 400." in capsys.readouterr().out
    blocks = web3.eth.block_number
    console.run("escrow", "feeBps", "400")
    assert web3.eth.block_number == blocks


@pytest.mark.parametrize("value", ["300", "500"])
def test_run__of_a_change_that_was_made_before__is_another_proposal(console: Console, value: str) -> None:
    for step in ("300", "500", value):
        console.run("escrow", "feeBps", step)
        assert console.contract("JobEscrow").parameters()[1] == int(step)


def test_run__on_a_running_network__takes_one_step_each_time(
    running: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    """R67: it proposes, votes, queues and executes, each in its time, and never moves the time itself."""
    words = ("staking", "guardian", GUARDIAN)
    staking, governor = running.contract("Staking"), running.contract("MallaGovernor")
    for state, after in ((PENDING, 16), (ACTIVE, 91), (QUEUED, 2_955)):
        running.run(*words)
        said, moment = capsys.readouterr().out, now()
        assert running.states() == [state]
        assert said.rstrip().endswith("Run the same command again then.")
        running.run(*words)  # again, too early: nothing changes
        assert (running.states(), now()) == ([state], moment)
        pass_until(moment + after)
    assert staking.guardian() == accounts[5] and governor.votingDelay() == 15
    capsys.readouterr()
    running.run(*words)
    assert staking.guardian() == GUARDIAN
    assert f"Done: staking.guardian is {GUARDIAN}." in capsys.readouterr().out


def test_run__of_an_account_without_votes__says_what_is_missing(running: Console) -> None:
    token = running.contract("MallaToken")
    token.transfer(accounts[9], token.balanceOf(accounts[0]) - 999 * TOKEN, {"from": accounts[0]})
    with pytest.raises(SystemExit, match="has 0 votes, and a proposal needs 1000"):
        running.run("rewards", "betaBps", "1")


def test_run__of_a_proposal_that_others_made_and_voted__goes_on_with_it(running: Console) -> None:
    """Whoever proposed it: the same call is the same change."""
    governor, token = running.contract("MallaGovernor"), running.contract("MallaToken")
    token.transfer(accounts[9], token.balanceOf(accounts[0]) // 2, {"from": accounts[0]})
    token.delegate(accounts[9], {"from": accounts[9]})
    pass_until(now() + 1)
    rewards = running.contract("Rewards")
    call = [rewards.address], [0], [rewards.setBeta.encode_input(1)]
    governor.propose(*call, "theirs", {"from": accounts[9]})
    proposal = governor.hashProposal(*call, web3.keccak(text="theirs"))
    pass_until(int(governor.proposalSnapshot(proposal)) + 1)
    governor.castVote(proposal, 1, {"from": accounts[9]})
    running.run("rewards", "betaBps", "1")
    pass_until(int(governor.proposalDeadline(proposal)) + 1)
    assert running.states() == [SUCCEEDED]
    running.run("rewards", "betaBps", "1")
    pass_until(int(governor.proposalEta(proposal)))
    running.run("rewards", "betaBps", "1")
    assert rewards.betaBps() == 1


def test_run__where_nothing_is_deployed__says_so(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console.script, "_is_development", lambda: False)
    with pytest.raises(SystemExit, match="Nothing is deployed"):
        console.run("rewards", "betaBps", "1")


def test_run__elsewhere_without_a_voter__is_refused(running: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    running.file.rename(running.file.with_name("1.json"))
    monkeypatch.setattr(running.script, "chain", type("Elsewhere", (), {"id": 1})())
    with pytest.raises(SystemExit, match="MALLA_VOTER is not set"):
        running.run("rewards", "betaBps", "1")
    assert chain.id == 31337
