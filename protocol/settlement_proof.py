"""What every receipt shows of its settlement: a quorum of the trusted oracles signed PASS over the very entries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from protocol.committee import quorum
from protocol.errors import Malformed, MallaError
from protocol.messages import Domain, entries_hash, settlement_digest
from protocol.signing import recover
from protocol.types import Decision, Entry, Outcome
from protocol.units import Address


@dataclass(frozen=True)
class Check:
    name: str
    holds: bool
    detail: str


class SettlementProof(Protocol):
    """The part of a receipt that is about its settlement. `members` is the oracle set of `set_version`; `signatures`
    are over the whole list of `decisions`."""

    @property
    def chain_id(self) -> int: ...
    @property
    def escrow(self) -> Address: ...
    @property
    def batch_id(self) -> int: ...
    @property
    def entries(self) -> tuple[Entry, ...]: ...
    @property
    def set_version(self) -> int: ...
    @property
    def members(self) -> tuple[Address, ...]: ...
    @property
    def decisions(self) -> tuple[Decision, ...]: ...
    @property
    def signatures(self) -> tuple[bytes, ...]: ...


def make_checks(checks: Iterator[Check]) -> list[Check]:
    """Every check, in order; a number that no contract could hold ends the list with a failed check "form"."""
    made: list[Check] = []
    try:
        made.extend(checks)
    except Malformed as error:
        made.append(Check("form", False, error.message))
    return made


def check_deployment(r: SettlementProof, chain_id: int, escrow: Address) -> Check:
    here = r.chain_id == chain_id and r.escrow.lower() == escrow.lower()
    return Check("deployment", here, f"chain {r.chain_id}, escrow {r.escrow}")


def check_settlement(r: SettlementProof, seats: frozenset[str]) -> Iterator[Check]:
    """`seats` are the oracles of the deployment that the reader trusts."""
    decision = next((d for d in r.decisions if d.batch_id == r.batch_id), None)
    passed = decision is not None and decision.outcome is Outcome.PASS
    yield Check("verdict", passed, decision.outcome.name if decision else "no decision names the batch")
    bound = decision is not None and decision.entries_hash == entries_hash(r.entries)
    yield Check("entries", bound, f"{len(r.entries)} entries have the hash that was signed")
    known = {m.lower() for m in r.members} == {s.lower() for s in seats}
    yield Check("committee", known, f"{len(r.members)} oracles of set version {r.set_version}")
    signers, needed = _signers(r), quorum(len(r.members))
    counted = f"{len(signers)} of {len(r.members)} oracles signed, {needed} are needed"
    yield Check("quorum", len(signers) >= needed, counted)


def _signers(r: SettlementProof) -> set[str]:
    digest = settlement_digest(Domain(r.chain_id, r.escrow), r.set_version, r.decisions)
    found = set()
    for signature in r.signatures:
        try:
            found.add(recover(digest, signature).lower())
        except MallaError:
            continue
    return found & {m.lower() for m in r.members}
