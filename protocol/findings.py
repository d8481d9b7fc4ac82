"""The nouns of an audit, frozen: what one oracle signs of a leaf, what a quorum signs of a batch, and the numbers."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.states import Outcome, VerdictKind
from protocol.units import Digest, Wei


@dataclass(frozen=True)
class AuditRecord:
    """One oracle's signed finding on one drawn leaf. `evidence` is the digest of its evidence JSON."""

    batch_id: int
    index: int
    leaf: Digest
    verdict: VerdictKind
    evidence: Digest


@dataclass(frozen=True)
class Decision:
    """What a quorum signs about one batch; the amount is the sum of the entries' amounts for PASS, else zero.

    `auditors` is a bitmap of committee seats: bit i is set if the draw names the oracle of seat i for a drawn leaf.
    """

    batch_id: int
    entries_hash: Digest
    outcome: Outcome
    amount: Wei
    auditors: int


@dataclass(frozen=True)
class AuditStatistics:
    """What one prefill pass measured, in nats; None where the transcript carries no such evidence.

    `mean_margin` is over all tokens, the end token included, each clipped at one nat. `fingerprint_distance` is the
    relative root-mean-square distance of the opened rows.
    """

    max_margin: float
    end_margin: float
    mean_logprob_distance: float | None
    tokens: int
    mean_margin: float = 0.0
    mean_top_logprob_distance: float | None = None
    fingerprint_distance: float | None = None


@dataclass(frozen=True)
class Verdict:
    """`reason` is one sentence for people, `checks` the names of what spoke against the provider."""

    kind: VerdictKind
    reason: str
    checks: tuple[str, ...] = ()
    statistics: AuditStatistics | None = None
