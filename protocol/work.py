"""The nouns of a provider's work, frozen: what it commits in a work batch, and what it reports of it."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.orders import Job
from protocol.units import Address, Digest, Wei


@dataclass(frozen=True)
class Entry:
    """One committed line of a work batch, in the order of the contract's struct.

    Of a voucher, `job_id` is its session's id, `leaf` the head of its transcripts, and `answer_digest` zero.
    """

    job_id: Digest
    requester: Address
    price: Wei
    amount: Wei
    leaf: Digest
    answer_digest: Digest

    @property
    def is_voucher(self) -> bool:
        return not any(self.answer_digest)

    @property
    def audited_leaf(self) -> Digest | None:
        """What a draw may name; None for a voucher."""
        return None if self.is_voucher else self.leaf


@dataclass(frozen=True)
class Commitment:
    job: Job
    amount: Wei
    leaf: Digest
    answer_digest: Digest


@dataclass(frozen=True)
class BatchHead:
    """What a batch's digest on-chain commits to, in the order of the contract's struct; times are unix seconds."""

    provider: Address
    committed_at: int
    committed_block: int
    set_version: int
    terms_version: int
    entries_hash: Digest


@dataclass(frozen=True)
class Report:
    """A provider's signed claim of work, sent to every oracle after the commitment."""

    job_id: Digest
    spec_digest: Digest
    leaf: Digest
    answer_digest: Digest
    input_tokens: int
    output_tokens: int
    amount: Wei
    telemetry_digest: Digest
    finished_at: int


@dataclass(frozen=True)
class SignedReport:
    report: Report
    signature: bytes
    telemetry: dict[str, object]
    """What the node says of its device: claims, on which nothing is paid. `{"gpu": null, "note": …}` without one."""
