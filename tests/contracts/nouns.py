"""Who and what the contract tests speak of: people with keys, an opened job or session, a committed batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from brownie import ZERO_ADDRESS, accounts

from protocol.encoding import keccak
from protocol.messages import entries_hash, entry_tuple, head_digest, head_tuple, job_tuple, session_tuple
from protocol.signing import Signer, compact
from protocol.types import BatchHead, Decision, Entry, InFlightClaim, Job, Outcome, Session, Voucher


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
class OpenedSession:
    """A session as opened: its preimage, its id, and who signs its vouchers."""

    session: Session
    id: bytes
    cap: int
    ends_at: int
    requester: Person
    key: Person | None

    @property
    def tuple(self) -> tuple[object, ...]:
        return session_tuple(self.session)


@dataclass(frozen=True)
class Batch:
    """A committed work batch with the head and the entries that later calls repeat."""

    id: int
    head: BatchHead
    entries: tuple[Entry, ...]

    @property
    def committed_at(self) -> int:
        return self.head.committed_at

    @property
    def hash(self) -> bytes:
        return entries_hash(self.entries)

    @property
    def digest(self) -> bytes:
        return head_digest(self.id, self.head)

    @property
    def head_tuple(self) -> tuple[object, ...]:
        return head_tuple(self.head)

    @property
    def tuples(self) -> list[tuple[object, ...]]:
        return [entry_tuple(entry) for entry in self.entries]

    @property
    def arguments(self) -> tuple[Any, ...]:
        """Batch id, head and entries: what most of the ways out of a batch take first."""
        return self.id, self.head_tuple, self.tuples

    @property
    def amount(self) -> int:
        return sum(entry.amount for entry in self.entries)

    @property
    def price(self) -> int:
        return sum(entry.price for entry in self.entries)

    def decision(self, outcome: Outcome = Outcome.PASS, auditors: int = 0) -> Decision:
        """`auditors` is a bitmap of seats: 0b101 names the oracles of the first and the third seat."""
        amount = self.amount if outcome is Outcome.PASS else 0
        return Decision(self.id, self.hash, outcome, amount, auditors)


def voucher_tuple(voucher: Voucher) -> tuple[object, ...]:
    """A voucher as `commitBatch` takes it, with its signature in two words (EIP-2098)."""
    total = voucher.amount, voucher.units, voucher.calls, voucher.head, voucher.in_flight
    return session_tuple(voucher.session), *total, *compact(voucher.signature)


def claim_tuple(claim: InFlightClaim) -> tuple[object, ...]:
    """A claim as `commitBatch` takes it."""
    return claim.voucher, claim.amount, claim.units, list(claim.links)


def key_address(key: Person | None) -> str:
    return ZERO_ADDRESS if key is None else key.address


def person(name: str) -> Person:
    key = keccak(name.encode())
    return Person(accounts.add(key), Signer(key))
