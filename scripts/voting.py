"""The steps of a vote on one change. It knows no Brownie: the contracts, and what surrounds them, are handed to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from protocol.units import TOKEN
from scripts.changes import Change
from scripts.proposals import PROPOSAL_CREATED, Proposal, describe, read_proposal

PENDING, ACTIVE, SUCCEEDED, QUEUED = 0, 1, 4, 5
RUNNING = (PENDING, ACTIVE, SUCCEEDED, QUEUED)
"""States of the governor; in the others nothing follows."""
FOR = 1


class GovernanceRefused(Exception):
    """The next step cannot be taken; the message says why and what would help."""


@dataclass(frozen=True)
class Surroundings:
    """`now` is the time of the last block; `pass_second` returns in a block of a later second; `logs` are the data of a
    contract's events of one topic since the deployment; `refusal` is what a contract's call raises when it says no."""

    now: Callable[[], int]
    pass_second: Callable[[], None]
    logs: Callable[[str, bytes], Iterable[bytes]]
    refusal: type[Exception]


class Governance:
    """Votes of one account in one deployment: `contracts` are Brownie's, by their words in the deployment file."""

    def __init__(self, contracts: Mapping[str, Any], voter: Any, surroundings: Surroundings) -> None:
        self.contracts = contracts
        self.governor, self.token = contracts["governor"], contracts["token"]
        self.voter = voter
        self.around = surroundings

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
        target, data = str(self.contracts[change.contract]), self._data(change)
        found = map(read_proposal, self.around.logs(str(self.governor), PROPOSAL_CREATED))
        return [proposal for proposal in found if proposal.is_call(target, data)]

    def _data(self, change: Change) -> bytes:
        function = getattr(self.contracts[change.contract], change.function)
        return bytes.fromhex(function.encode_input(*change.arguments).removeprefix("0x"))

    def _propose(self, change: Change, attempt: int) -> int:
        self._require_accepted(change)
        self._require_votes()
        target, text = str(self.contracts[change.contract]), describe(change, attempt, str(self.voter))
        self.governor.propose([target], [0], [self._data(change)], text, {"from": self.voter})
        proposal = self.find_proposals(change)[-1]
        print(f"Proposed: {change.words}. The proposal's number is {proposal.id}.")
        return self._until_votes_count(proposal)

    def _until_votes_count(self, proposal: Proposal) -> int:
        begins = int(self.governor.proposalSnapshot(proposal.id)) + 1
        self._announce(f"{proposal.name}: the vote begins", begins)
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
        self._announce(f"{proposal.name}: it can be queued if it wins", ends)
        return ends

    def _queue(self, proposal: Proposal) -> int:
        self.governor.queue(*proposal.arguments, {"from": self.voter})
        print(f"{proposal.name} has won and is queued.")
        return self._until_executable(proposal)

    def _until_executable(self, proposal: Proposal) -> int:
        ready = int(self.governor.proposalEta(proposal.id))
        self._announce(f"{proposal.name}: the timelock lets it be executed", ready)
        return ready

    def _execute(self, proposal: Proposal, change: Change) -> int:
        if self.around.now() < int(self.governor.proposalEta(proposal.id)):
            return self._until_executable(proposal)
        try:
            self.governor.execute(*proposal.arguments, {"from": self.voter})
        except self.around.refusal as error:
            raise GovernanceRefused(
                f"{proposal.name} was refused on execution: {_words_of(error)}. It can be executed "
                "later, if what stands in its way changes."
            ) from error
        print(f"{proposal.name} is executed.")
        return self.around.now()

    def _require_accepted(self, change: Change) -> None:
        """Raises GovernanceRefused for what the contract would refuse also after the vote."""
        if change.contract == "governor":
            return  # it obeys only while it executes, so it cannot be asked beforehand
        function = getattr(self.contracts[change.contract], change.function)
        try:
            function.call(*change.arguments, {"from": str(self.contracts["timelock"])})
        except self.around.refusal as error:
            raise GovernanceRefused(
                f"The {change.contract} would refuse it after the vote: {_words_of(error)}."
            ) from error

    def _require_votes(self) -> None:
        """Delegates the voter's tokens to itself if they count for nobody yet."""
        needed = int(self.governor.proposalThreshold())
        if int(self.token.getVotes(self.voter)) < needed and int(self.token.balanceOf(self.voter)) >= needed:
            self.token.delegate(self.voter, {"from": self.voter})
            print("Delegated the tokens of the voting account to itself: only delegated tokens vote.")
            self.around.pass_second()
        votes = int(self.token.getVotes(self.voter))
        if votes < needed:
            raise GovernanceRefused(
                f"{self.voter} has {votes // TOKEN} votes, and a proposal needs {needed // TOKEN}: let others delegate "
                "theirs to it."
            )

    def _announce(self, what: str, second: int) -> None:
        moment = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        print(f"{what} at {moment}, in {max(0, second - self.around.now())} s.")


def _words_of(error: Exception) -> str:
    """The contract's error with its operands, as Brownie has it."""
    return str(getattr(error, "revert_msg", None) or error)
