"""Figures that a provider's journal sums up, and those of its device."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.units import Wei


@dataclass(frozen=True)
class Speed:
    """How many output tokens a second this node has measured; None before its first job."""

    tokens_per_second: float | None = None


@dataclass(frozen=True)
class Earnings:
    """Wei. `payout` is what reached the free balance; `pending` is claimed in batches that are not matured yet;
    `unclaimed` is signed in vouchers of sessions that are not committed yet."""

    payout: Wei
    fee: Wei
    pending: Wei
    slashed: Wei
    batches: int
    jobs_paid: int
    deliveries_waiting: int
    vouchers_paid: int = 0
    unclaimed: Wei = Wei(0)

    def as_json(self) -> dict[str, object]:
        return {"payout_wei": str(self.payout), "fee_wei": str(self.fee), "pending_wei": str(self.pending),
                "slashed_wei": str(self.slashed), "batches": self.batches, "jobs_paid": self.jobs_paid,
                "vouchers_paid": self.vouchers_paid, "unclaimed_wei": str(self.unclaimed)}


@dataclass(frozen=True)
class Device:
    """What a listing names: memory in MiB, 0 for a processor."""

    name: str
    memory_mib: int
