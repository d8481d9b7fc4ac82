"""Who and what the contract tests speak of: people with keys, an opened job, a committed batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from brownie import accounts

from protocol.encoding import keccak
from protocol.messages import entries_hash, entry_tuple, job_tuple
from protocol.signing import Signer
from protocol.types import Decision, Entry, Job, Outcome


@dataclass(frozen=True)
class Person:
    """An account with its key: `account` sends transactions, `signer` signs digests."""

    account: Any
    signer: Signer

    @property
    def address(self) -> str:
        return self.signer.address


@dataclass(frozen=True)
class Provider:
    owner: Person
    node: Person


@dataclass(frozen=True)
class Opened:
    """A job as opened: its preimage, its id and its deadline."""

    job: Job
    id: bytes
    opened_at: int
    deadline: int

    @property
    def tuple(self) -> tuple[object, ...]:
        return job_tuple(self.job)


@dataclass(frozen=True)
class Batch:
    """A committed work batch with the entries that later calls repeat."""

    id: int
    entries: tuple[Entry, ...]
    committed_at: int

    @property
    def hash(self) -> bytes:
        return entries_hash(self.entries)

    @property
    def tuples(self) -> list[tuple[object, ...]]:
        return [entry_tuple(entry) for entry in self.entries]

    @property
    def amount(self) -> int:
        return sum(entry.amount for entry in self.entries)

    @property
    def price(self) -> int:
        return sum(entry.price for entry in self.entries)

    def decision(self, outcome: Outcome = Outcome.PASS) -> Decision:
        return Decision(self.id, self.hash, outcome, self.amount if outcome is Outcome.PASS else 0)


def person(name: str) -> Person:
    key = keccak(name.encode())
    return Person(accounts.add(key), Signer(key))
