"""Sending what any oracle may send: they take turns, so that nobody pays for what another has sent already."""

from __future__ import annotations

from oracle.flow.node import Node
from protocol.committee import proposer


def has_turn(node: Node, set_version: int, block: int) -> bool:
    """Whether it is this oracle's turn at this head of the chain, and still at the next block: that one takes up what
    is sent now, so whoever comes next sees it on the chain instead of sending it too."""
    members: list[str] = list(node.chain.members(set_version))
    blocks = (block, block + 1)
    return bool(members) and all(proposer(number, set_version, members) == node.address for number in blocks)


def fresh_key(node: Node, key: str) -> str:
    """The key itself, or the next one after attempts under it that were mined and reverted."""
    attempt, name = 1, key
    while (outcome := node.sender.outcome(name)) is not None and outcome.status == "REVERTED":
        attempt += 1
        name = f"{key}/{attempt}"
    return name
