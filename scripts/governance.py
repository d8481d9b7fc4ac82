"""Changes a parameter by a vote: `brownie run scripts/governance.py main <contract> <parameter> <value>`.

Each run takes the next possible step (delegate, propose, vote, queue, execute) and says what comes next and when; run
the same command again then. Steps that are done are found on the chain and not repeated. On Brownie's own development
chain one run deploys, moves the time and does all; on a network that runs it never moves time. Without words it lists
what can be changed. Values are in the contract's unit: wei, seconds, bps.

On the local chain id the first account votes, which holds the treasury; elsewhere MALLA_VOTER names the Brownie
account.
"""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import brownie
from brownie import accounts, chain, network, project, web3
from brownie.exceptions import VirtualMachineError

from protocol.units import TOKEN
from scripts.changes import SETTINGS, Change, ChangeRefused, find_change, parameters_of
from scripts.plan import KEYS, LOCAL_CHAIN_ID, deployment_file
from scripts.proposals import PROPOSAL_CREATED, Proposal, describe, read_proposal

ROOT = Path(__file__).resolve().parent.parent
USAGE = "brownie run scripts/governance.py main <contract> <parameter> <value> [--network malla]"
PENDING, ACTIVE, SUCCEEDED, QUEUED = 0, 1, 4, 5
RUNNING = (PENDING, ACTIVE, SUCCEEDED, QUEUED)
"""States of the governor; in the others nothing follows."""
FOR = 1
MOST_STEPS = 9
"""More than a change has, so that a setter that sets something else ends as well."""


class GovernanceRefused(Exception):
    """The next step cannot be taken; the message says why and what would help."""


class Governance:
    """The contracts of one deployment by their words in its file, and the account that proposes and votes."""

    def __init__(self, record: dict[str, Any], voter: Any) -> None:
        # Not by `from brownie import ...`: those names are gone after another script ran inside this one.
        ours = project.get_loaded_projects()[0]
        self.contracts = {key: ours[name].at(record[key]) for name, key in KEYS.items()}
        self.contracts["escrow"] = ours.interface.IJobEscrow(record["escrow"])  # its address runs three codes
        self.governor, self.token = self.contracts["governor"], self.contracts["token"]
        self.first_block = record["block"] + 1
        self.voter = voter

    def read(self, contract: str, function: str, *arguments: Any) -> Any:
        return getattr(self.contracts[contract], function)(*arguments)

    def advance(self, change: Change) -> int | None:
        """Takes the next step. The unix second from which another one is possible, None when the change is made."""
        if change.is_done:
            print(f"Done: {change.contract}.{change.parameter} is {change.after}.")
            return None
        same = self.find_proposals(change)
        states = {proposal.id: int(self.governor.state(proposal.id)) for proposal in same}
        running = [proposal for proposal in same if states[proposal.id] in RUNNING]
        if not running:
            return self._propose(change, len(same) + 1)
        proposal = running[-1]
        state = states[proposal.id]
        if state == PENDING:
            return self._until_votes_count(proposal)
        if state == ACTIVE:
            return self._vote(proposal)
        return self._queue(proposal) if state == SUCCEEDED else self._execute(proposal, change)

    def find_proposals(self, change: Change) -> list[Proposal]:
        """All proposals of this very call, whoever made them, in their order."""
        where = {"address": str(self.governor), "fromBlock": self.first_block, "topics": [PROPOSAL_CREATED]}
        target, data = str(self.contracts[change.contract]), self._data(change)
        found = (read_proposal(bytes(log["data"])) for log in web3.eth.get_logs(where))
        return [proposal for proposal in found if proposal.is_call(target, data)]

    def _data(self, change: Change) -> bytes:
        function = getattr(self.contracts[change.contract], change.function)
        return bytes.fromhex(function.encode_input(*change.arguments).removeprefix("0x"))

    def _propose(self, change: Change, attempt: int) -> int:
        self._require_accepted(change)
        self._require_votes()
        target, name = str(self.contracts[change.contract]), f"{change.contract}.{change.parameter}"
        text = describe(change, attempt, str(self.voter))
        self.governor.propose([target], [0], [self._data(change)], text, {"from": self.voter})
        print(f"Proposed: {name} from {change.before} to {change.after}.")
        return self._until_votes_count(self.find_proposals(change)[-1])

    def _until_votes_count(self, proposal: Proposal) -> int:
        begins = int(self.governor.proposalSnapshot(proposal.id)) + 1
        _announce(f"Proposal {proposal.id}: the vote begins", begins)
        return begins

    def _vote(self, proposal: Proposal) -> int:
        weight = int(self.governor.getVotes(self.voter, self.governor.proposalSnapshot(proposal.id)))
        if not weight:
            print(f"{self.voter} had no votes when the vote began: others have to vote.")
        elif not self.governor.hasVoted(proposal.id, self.voter):
            self.governor.castVote(proposal.id, FOR, {"from": self.voter})
            print(f"Voted for it with {weight // TOKEN} votes.")
        against, in_favour, abstained = (int(votes) // TOKEN for votes in self.governor.proposalVotes(proposal.id))
        needed = int(self.governor.quorum(self.governor.proposalSnapshot(proposal.id))) // TOKEN
        print(f"So far {in_favour} for, {against} against, {abstained} abstained; the quorum is {needed}.")
        ends = int(self.governor.proposalDeadline(proposal.id)) + 1
        _announce(f"Proposal {proposal.id}: it can be queued if it wins", ends)
        return ends

    def _queue(self, proposal: Proposal) -> int:
        self.governor.queue(*proposal.arguments, {"from": self.voter})
        print(f"Proposal {proposal.id} has won and is queued.")
        return self._until_executable(proposal)

    def _until_executable(self, proposal: Proposal) -> int:
        ready = int(self.governor.proposalEta(proposal.id))
        _announce(f"Proposal {proposal.id}: the timelock lets it be executed", ready)
        return ready

    def _execute(self, proposal: Proposal, change: Change) -> int:
        if _now() < int(self.governor.proposalEta(proposal.id)):
            return self._until_executable(proposal)
        try:
            self.governor.execute(*proposal.arguments, {"from": self.voter})
        except VirtualMachineError as error:
            raise GovernanceRefused(
                f"Proposal {proposal.id} was refused on execution: {error.revert_msg or error}. It can be executed "
                "later, if what stands in its way changes."
            ) from error
        print(f"Executed proposal {proposal.id}.")
        return _now()

    def _require_accepted(self, change: Change) -> None:
        """Raises GovernanceRefused for what the contract would refuse also after the vote."""
        if change.contract == "governor":
            return  # it obeys only while it executes, so it cannot be asked beforehand
        function = getattr(self.contracts[change.contract], change.function)
        try:
            function.call(*change.arguments, {"from": str(self.contracts["timelock"])})
        except VirtualMachineError as error:
            raise GovernanceRefused(
                f"The {change.contract} would refuse it after the vote: {error.revert_msg or error}."
            ) from error

    def _require_votes(self) -> None:
        """Delegates the voter's tokens to itself if they count for nobody yet."""
        needed = int(self.governor.proposalThreshold())
        if int(self.token.getVotes(self.voter)) < needed and int(self.token.balanceOf(self.voter)) >= needed:
            self.token.delegate(self.voter, {"from": self.voter})
            print("Delegated the tokens of the voting account to itself: only delegated tokens vote.")
            _pass_second()
        votes = int(self.token.getVotes(self.voter))
        if votes < needed:
            raise GovernanceRefused(
                f"{self.voter} has {votes // TOKEN} votes, and a proposal needs {needed // TOKEN}: let others delegate "
                "theirs to it."
            )


def main(*words: str) -> None:
    """Entry of `brownie run`."""
    try:
        _run(words)
    except (ChangeRefused, GovernanceRefused) as refusal:
        raise SystemExit(f"governance: {refusal}") from None


def _run(words: tuple[str, ...]) -> None:
    if words and len(words) != 3:
        raise GovernanceRefused(f"Three words are needed, not {len(words)}: {USAGE}")
    if not words:
        listed = (f"  {contract}: {', '.join(parameters_of(contract))}" for contract in SETTINGS)
        print("\n".join([USAGE, "", "What a vote can change:", *listed]))
        return
    governance = Governance(_record(), _voter())
    for _ in range(MOST_STEPS):
        later = governance.advance(find_change(words[0], words[1], words[2], governance.read))
        if later is None:
            return
        if later <= _now():
            continue
        if not _is_development():
            print("Run the same command again then.")
            return
        _pass_time(later)


def _target() -> Path:
    return deployment_file(ROOT, chain.id, network.show_active(), os.environ.get("MALLA_DEPLOYMENTS"))


def _record() -> dict[str, Any]:
    if _is_development():
        brownie.run("scripts/deploy.py")  # Brownie's own chain begins empty; where it is done this does nothing
    if not _target().exists():
        raise GovernanceRefused(f"Nothing is deployed: there is no {_target()}. Run scripts/deploy.py first.")
    record: dict[str, Any] = json.loads(_target().read_text(encoding="utf-8"))
    return record


def _voter() -> Any:
    if chain.id == LOCAL_CHAIN_ID:
        return accounts[0]
    name = os.environ.get("MALLA_VOTER")
    if not name:
        raise GovernanceRefused("MALLA_VOTER is not set: name the Brownie account that proposes and votes.")
    return accounts.load(name)


def _is_development() -> bool:
    return bool(network.show_active() == "development")


def _pass_time(until: int) -> None:
    print(f"This chain is Brownie's own: {until - _now()} s pass.")
    chain.sleep(until - _now())
    chain.mine()


def _pass_second() -> None:
    """Until a block of a later second: votes of this one do not count yet."""
    second = _now()
    if _is_development():
        _pass_time(second + 2)
    while _now() == second:
        time.sleep(0.1)


def _announce(what: str, second: int) -> None:
    moment = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    print(f"{what} at {moment}, in {max(0, second - _now())} s.")


def _now() -> int:
    return int(web3.eth.get_block("latest")["timestamp"])
