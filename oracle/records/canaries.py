"""The rows of an oracle's own canaries. Times are unix seconds, amounts wei."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from protocol.types import Sampler
from protocol.units import Digest

CANARY = "canary"
"""Source of an opening that an oracle wrote itself, from the answer to its own canary."""
PAYER = "canaries"
"""The one payer as whom all canaries of an oracle count in its own scores."""


class CanaryState(IntEnum):
    PLANNED = 1
    PLACED = 2
    """Its job is open, or on its way."""
    AUDITED = 3
    """Every token of its answer was held against the model."""
    TOLD = 4
    """It spoke against its provider, its leaf was drawn, and every oracle was told."""
    FAILED = 5
    """It came to nothing; `reason` says why."""


@dataclass(frozen=True)
class CanaryOrder:
    """What is to be ordered, when, by which of the own wallets. `deposit` is made at `deposit_at`, before the job; zero
    leaves deposits to the requester's program, for `jobs_ahead` jobs. `provider` and
    `model` (0x digest) are empty where any will do."""

    wallet: str
    due_at: float
    input_tokens: int
    max_output_tokens: int
    sampler: Sampler
    audit: str
    provider: str = ""
    deposit: int = 0
    deposit_at: float = 0.0
    jobs_ahead: int = 10
    model: str = ""


@dataclass(frozen=True)
class CanaryRow:
    """`verdict` is the name of what its audit found, `evidence` what a record would say of it; `job_id` is None until
    it is placed, `prompt_used` says that a prompt was taken for it."""

    number: int
    order: CanaryOrder
    state: CanaryState
    job_id: Digest | None = None
    verdict: str = ""
    reason: str = ""
    evidence: dict[str, Any] | None = None
    deposited: bool = False
    prompt_used: bool = False
    attempts: int = 0


@dataclass(frozen=True)
class OwnWallet:
    """A wallet of the canaries: the folder of its keystore, and its address. `spent` is set once a canary of it spoke:
    peers could tell by then whose it was."""

    name: str
    address: str
    spent: bool = False
