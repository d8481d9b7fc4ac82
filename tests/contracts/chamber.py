"""Votes in a market: what is proposed, and each step of its way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from protocol.encoding import keccak
from scripts.changes import find_change
from scripts.plan import KEYS
from tests.contracts.expect import at, empty_blocks
from tests.contracts.market import Market

AGAINST, FOR, ABSTAIN = range(3)
PENDING, ACTIVE, CANCELED, DEFEATED, SUCCEEDED, QUEUED, EXPIRED, EXECUTED = range(8)


@dataclass(frozen=True)
class Motion:
    """A proposal of one call: its number and what queueing and executing repeat."""

    id: int
    call: tuple[Any, ...]


class Chamber:
    """The treasury, which holds nearly all tokens, proposes and votes unless another account is named."""

    def __init__(self, market: Market) -> None:
        self.market, self.governor, self.timelock = market, market.governor, market.timelock
        self.contracts = {key: getattr(market.contracts, name) for name, key in KEYS.items()}
        self.contracts["escrow"] = market.escrow
        market.token.delegate(market.treasury, {"from": market.treasury})
        pass_until(now_of(market) + 1)

    def read(self, contract: str, function: str, *arguments: Any) -> Any:
        return getattr(self.contracts[contract], function)(*arguments)

    def call_of(self, contract: str, parameter: str, value: object) -> tuple[Any, str]:
        """Target and call data of a change."""
        change = find_change(contract, parameter, str(value), self.read)
        target = self.contracts[contract]
        return target, getattr(target, change.function).encode_input(*change.arguments)

    def propose(self, target: Any, data: str, text: str = "why", sender: Any = None) -> Motion:
        call = [str(target.address)], [0], [data]
        sent = self.governor.propose(*call, text, {"from": sender or self.market.treasury})
        return Motion(int(sent.events["ProposalCreated"]["proposalId"]), (*call, keccak(text.encode())))

    def begin(self, motion: Motion) -> None:
        """Until votes are taken."""
        pass_until(int(self.governor.proposalSnapshot(motion.id)) + 1)

    def vote(self, motion: Motion, support: int = FOR, sender: Any = None) -> Any:
        return self.governor.castVote(motion.id, support, {"from": sender or self.market.treasury})

    def end(self, motion: Motion) -> None:
        """Until votes are counted."""
        pass_until(int(self.governor.proposalDeadline(motion.id)) + 1)

    def queue(self, motion: Motion) -> Any:
        return self.governor.queue(*motion.call, {"from": self.market.stranger.account})

    def execute(self, motion: Motion) -> Any:
        return self.governor.execute(*motion.call, {"from": self.market.stranger.account})

    def queued(self, target: Any, data: str, text: str = "why") -> Motion:
        """A proposal that has won and is queued."""
        motion = self.propose(target, data, text)
        self.begin(motion)
        self.vote(motion)
        self.end(motion)
        self.queue(motion)
        return motion

    def ready(self, target: Any, data: str, text: str = "why") -> Motion:
        """A queued proposal whose next transaction falls on the first second at which it can be executed."""
        motion = self.queued(target, data, text)
        at(self.eta(motion))
        return motion

    def eta(self, motion: Motion) -> int:
        return int(self.governor.proposalEta(motion.id))

    def state(self, motion: Motion) -> int:
        return int(self.governor.state(motion.id))


def now_of(market: Market) -> int:
    return int(market.token.clock())


def pass_until(timestamp: int) -> None:
    """An empty block of this second, so that what is read is read then."""
    at(timestamp)
    empty_blocks(1)
