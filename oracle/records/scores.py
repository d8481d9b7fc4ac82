"""What an audit measured, and what it adds to a score: rows of an oracle's database. Times are unix seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from protocol.comparison import Replay
from protocol.types import AuditStatistics
from protocol.units import Address, Digest


@dataclass(frozen=True)
class Measured:
    """What the reference model says of a claim: its own numbers a token, and their distance from the claimed ones."""

    statistics: AuditStatistics
    replay: Replay


@dataclass(frozen=True)
class LeafScore:
    """What an audited leaf adds to its provider's score (`protocol.score`). `oracle` is who audited it: this oracle, or
    the peer whose PASS counts as the least that a leaf can say; `at` is when."""

    batch_id: int
    index: int
    provider: Address
    profile: Digest
    payer: Address
    log_e: float
    oracle: Address
    at: float


@dataclass(frozen=True)
class KeptNumbers:
    """The numbers of an own audit (`protocol.bundle`), its token ids and its profile, as JSON documents. They go when
    the openings go."""

    numbers: dict[str, Any]
    ids: dict[str, Any]
    profile: dict[str, Any]
