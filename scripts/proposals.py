"""Proposals of one call, as the governor announces them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_abi import decode
from eth_utils import to_checksum_address

from protocol.encoding import keccak
from scripts.changes import Change

_TYPES = ["uint256", "address", "address[]", "uint256[]", "string[]", "bytes[]", "uint256", "uint256", "string"]
PROPOSAL_CREATED = keccak(f"ProposalCreated({','.join(_TYPES)})".encode())


@dataclass(frozen=True)
class Proposal:
    """What is proposed: calls of `data` to `targets`, each with `values` wei of the chain's coin."""

    id: int
    targets: tuple[str, ...]
    values: tuple[int, ...]
    data: tuple[bytes, ...]
    description: str

    @property
    def name(self) -> str:
        """The first digits of its number, which has 77."""
        return f"Proposal {str(self.id)[:8]}..."

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What `queue` and `execute` take: the proposal again, with the hash of its description."""
        return list(self.targets), list(self.values), list(self.data), keccak(self.description.encode())

    def is_call(self, target: str, data: bytes) -> bool:
        """Whether it is this one call and no other."""
        return (self.targets, self.values, self.data) == ((target,), (0,), (data,))


def read_proposal(data: bytes) -> Proposal:
    """From the data of a ProposalCreated event."""
    number, _, targets, values, _, calls, _, _, description = decode(_TYPES, data)
    targets = tuple(to_checksum_address(target) for target in targets)
    return Proposal(number, targets, tuple(values), tuple(calls), description)


def describe(change: Change, attempt: int, proposer: str) -> str:
    """The description of a proposal. Its ending keeps everybody else from proposing the same, only to cancel it; the
    attempt makes it another proposal than an earlier one of the same change."""
    return f"Malla: {change.words} ({attempt})#proposer={proposer.lower()}"
